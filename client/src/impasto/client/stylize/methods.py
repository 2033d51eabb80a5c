"""What a client can do with a stylizer."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from impasto.client._calls import ModelRef
from impasto.client._driver import OnProgress, Runner
from impasto.client._jobs import Progress
from impasto.client._prepared import Prepared
from impasto.client.pictures import MAX_PIXELS, ImageSource
from impasto.client.signatures import STYLIZE
from impasto.client.stylize.job import MAX_SIDE, Painting
from impasto.client.stylize.prepare import prepare_style, prepare_stylize
from impasto.client.stylize.style import StyleSource, StyleVector


class StylizeMethods(Runner):
    """The part of Client that paints."""

    def stylize(
        self,
        content: ImageSource,
        style: StyleSource | Sequence[StyleSource],
        *,
        weights: Sequence[float] | None = None,
        strength: float = 1.0,
        preserve_color: bool = False,
        max_side: int | None = MAX_SIDE,
        on_progress: OnProgress[Progress] | None = None,
        model: str = STYLIZE.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Image.Image:
        """Paint a photo in the style of a painting, or of a blend of several.

            client.stylize("photo.jpg", "painting.jpg")
            client.stylize("photo.jpg", ["waves.jpg", "stars.jpg"], weights=[2, 1], strength=0.7)

        Args:
            content: the photo, as for `upscale`; at least 16 pixels wide and high.
            style: a painting, likewise any picture; or a style that `style_vector` gave; or a list of several. The
                model looks at a painting in 256 x 256 pixels.
            weights: the share of each style, 0 or more, at any scale; None weighs them equally.
            strength: 0 paints in the photo's own style, 1 in the given one, and numbers between in a mixture.
            preserve_color: keep the photo's colours; only light and dark are painted.
            max_side: the longest side, in pixels, in which the photo is painted. A larger one is reduced for it and
                the result enlarged again, so it is softer than a painting of that size. None paints it as it is, in
                one call: 12 megapixels take the server some 2 GB, and the strokes come out fine.
            on_progress: called with the calls done and their number, before the first and after the last.
            model: the stylizer's name on the server.
            version: the newest, or the one that made the style vector, if neither this nor `label` is given.
            label: such as `stable`.
            timeout: seconds for each call; the client's if None.
            max_pixels: the largest width times height that is read.

        Returns:
            An image of the photo's size, of mode RGB, or RGBA if it had transparency; gray stays gray where
            colours are kept. The colour profile and the resolution are carried over.

        Raises:
            InvalidInput: a photo too small, no style, the photo as its own style, or a number out of its range.
            SignatureNotFound: strength, blends or vectors are asked of a model whose source has none.
            ImageError: a picture cannot be used.
            OSError: a file cannot be opened.
            CallError: a call failed.
        """
        ref = ModelRef(model, version, label)
        painting = Painting(strength=strength, preserve_color=preserve_color, max_side=max_side)

        def prepare() -> Prepared[Image.Image]:
            return prepare_stylize(content, style, ref, painting, weights=weights, max_pixels=max_pixels)

        return self._run("stylize", prepare, timeout, on_progress)

    def style_vector(
        self,
        style: StyleSource | Sequence[StyleSource],
        *,
        weights: Sequence[float] | None = None,
        model: str = STYLIZE.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> StyleVector:
        """Look at a painting, or a blend of several, once, to paint any number of photos with it by `stylize`.

        Args:
            style: as for `stylize`, likewise the rest.
            weights: see there.
            model: see there.
            version: see there.
            label: see there.
            timeout: see there.
            max_pixels: see there.

        Raises:
            ImpastoError: as `stylize`.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[StyleVector]:
            return prepare_style(style, ref, weights=weights, max_pixels=max_pixels)

        return self._run("stylize", prepare, timeout)
