"""What an asynchronous client can do with a stylizer."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from impasto.client._async_driver import AsyncRunner
from impasto.client._calls import ModelRef
from impasto.client._driver import OnProgress
from impasto.client._jobs import Progress
from impasto.client._prepared import Prepared
from impasto.client.pictures import MAX_PIXELS, ImageSource
from impasto.client.signatures import STYLIZE
from impasto.client.stylize.job import MAX_SIDE, Painting
from impasto.client.stylize.prepare import prepare_style, prepare_stylize
from impasto.client.stylize.style import StyleSource, StyleVector


class AsyncStylizeMethods(AsyncRunner):
    """The part of AsyncClient that paints."""

    async def stylize(
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
        """Paint a photo in the style of a painting, or of a blend of several: `Client.stylize`, awaited."""
        ref = ModelRef(model, version, label)
        painting = Painting(strength=strength, preserve_color=preserve_color, max_side=max_side)

        def prepare() -> Prepared[Image.Image]:
            return prepare_stylize(content, style, ref, painting, weights=weights, max_pixels=max_pixels)

        return await self._run("stylize", prepare, timeout, on_progress)

    async def style_vector(
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
        """Look at a painting, or a blend of several, once: `Client.style_vector`, awaited."""
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[StyleVector]:
            return prepare_style(style, ref, weights=weights, max_pixels=max_pixels)

        return await self._run("stylize", prepare, timeout)
