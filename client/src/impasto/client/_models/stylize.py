"""Painting photos in the style of paintings, or of vectors that the model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._jobs import Job, PinnedModel, Progress, Steps, begun_again, values
from impasto.client._jobs.memory import too_large
from impasto.client._models.styles import Blend, StyleSource, StyleVector, painting_batch, pinned, read_blend
from impasto.client._transport.calls import Outputs, metadata_call
from impasto.client._transport.patience import patiently
from impasto.client.errors import InvalidInput, OutOfMemory, PreconditionFailed, SignatureNotFound
from impasto.client.model import Model
from impasto.client.pictures import ImageSource, Picture, keep_colours, read_picture
from impasto.client.settings import CallKind
from impasto.client.signatures import CONTENT_MINIMUM_SIDE, SERVING_DEFAULT, STYLIZE

MAX_SIDE: Final = 2048
"""The longest side, in pixels, in which a photo is painted unless told otherwise.

Larger photos are painted smaller and the result is enlarged. They cannot be painted in tiles: the network balances
colours and contrast over the whole picture, so each tile would come out differently. And brush strokes have a size in
pixels: in a very large photo they would be too fine to see.
"""


@dataclass(frozen=True, eq=False)
class EncodeStyle(Job[StyleVector, Progress]):
    """Look at a painting, or a blend of several, once, to paint any number of photos with it by `stylize`.

    If the version that began it goes away in the middle, it is begun again with the one that is served then, twice at
    most.

    Args:
        style: a painting, as any picture; or a style that `style_vector` gave; or a list of several.
        weights: the share of each style, 0 or more, at any scale; None weighs them equally.
        model: the stylizer on the server.

    Returns:
        The style as the model sees it.

    Raises:
        InvalidInput: no style, weights that do not fit, or a style vector of another model.
        SignatureNotFound: the served stylizer cannot tell styles from paintings.
        ImageError: a picture cannot be used.
        OSError: a file cannot be opened.
        CallError: a call failed.
    """

    kind: ClassVar[CallKind] = "stylize"

    style: StyleSource | Sequence[StyleSource]
    _: KW_ONLY
    weights: Sequence[float] | None = None
    model: Model | str = STYLIZE.name

    def checked(self) -> dict[str, Any]:
        """Return the styles and their weights. Raises InvalidInput."""
        return _checked_styles(self)

    def prepare(self, *, max_pixels: int) -> Steps[StyleVector]:
        """Read the paintings, and return the steps that make their vector."""
        blend = read_blend(self.style, self.weights, max_pixels=max_pixels)
        return begun_again(lambda model: _blended(blend, model), pinned(Model.of(self.model), self.style))


@dataclass(frozen=True, eq=False)
class Stylize(Job[Image.Image, Progress]):
    """Paint a photo in the style of a painting, or of a blend of several.

        client.stylize("photo.jpg", "painting.jpg")
        client.stylize("photo.jpg", ["waves.jpg", "stars.jpg"], weights=[2, 1], strength=0.7)

    The version that answers first is asked by all calls. If it goes away in the middle, the photo is begun again with
    the one that is served then, twice at most.

    Args:
        content: the photo, as for `upscale`; at least 16 pixels wide and high.
        style: a painting, as any picture; or a style that `style_vector` gave; or a list of several. The
            model looks at a painting in 256 x 256 pixels.
        weights: the share of each style, 0 or more, at any scale; None weighs them equally.
        strength: 0 paints in the photo's own style, 1 in the given one, and numbers between in a mixture.
        preserve_color: keep the photo's colours; only light and dark are painted.
        max_side: the longest side, in pixels, in which the photo is painted. A larger one is reduced for it and
            the result enlarged again, so it is softer than a painting of that size. None paints it as it is, in
            one call: 12 megapixels take the server some 2 GB, and the strokes come out fine.
        model: the stylizer on the server; of the version that made the style vector, where one is given.

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

    kind: ClassVar[CallKind] = "stylize"
    pictures: ClassVar[tuple[str, ...]] = ("content",)

    content: ImageSource
    style: StyleSource | Sequence[StyleSource]
    _: KW_ONLY
    weights: Sequence[float] | None = None
    strength: float = 1.0
    preserve_color: bool = False
    max_side: int | None = MAX_SIDE
    model: Model | str = STYLIZE.name

    def checked(self) -> dict[str, Any]:
        """Return the styles, their weights, and the numbers. Raises InvalidInput."""
        least, most = CONTENT_MINIMUM_SIDE, values.LARGEST_INT32
        return {
            **_checked_styles(self),
            "strength": values.real("strength", self.strength, 0, 1),
            "preserve_color": values.flag("preserve_color", self.preserve_color),
            "max_side": None
            if self.max_side is None
            else values.whole("max_side", self.max_side, least, most),
        }

    def prepare(self, *, max_pixels: int) -> Steps[Image.Image]:
        """Read the pictures, and return the steps that paint the photo."""
        photo = read_picture(self.content, max_pixels=max_pixels)
        blend = read_blend(self.style, self.weights, max_pixels=max_pixels)
        model = pinned(Model.of(self.model), self.style)
        _check(photo, blend, model.name)
        return begun_again(lambda asked: _fitting(_painted(self, photo, blend, asked), self, photo), model)


def _checked_styles(job: Stylize | EncodeStyle) -> dict[str, Any]:
    style = values.styles_of(job.style, kind="painting", also=(StyleVector,))
    weights = values.style_weights(job.weights, len(values.several(style)))
    pinned(Model.of(job.model), style)
    return {"style": style, "weights": weights}


def _check(photo: Picture, blend: Blend, model: str) -> None:
    height, width = photo.rgb.shape[:2]
    if min(height, width) < CONTENT_MINIMUM_SIDE:
        raise InvalidInput(
            f"content is {width} x {height} pixels; it must be at least {CONTENT_MINIMUM_SIDE} wide and high",
            model=model,
        )
    style = blend.styles[0]
    if len(blend.styles) == 1 and isinstance(style, Picture) and np.array_equal(style.rgb, photo.rgb):
        raise InvalidInput("style is the same picture as content: choose another painting", model=model)


def _fitting(painting: Steps[Image.Image], job: Stylize, photo: Picture) -> Steps[Image.Image]:
    """Paint, and say which size fits where the server does not have the memory for the photo's."""
    try:
        return (yield from painting)
    except OutOfMemory as error:
        size = _reduced(photo.rgb, job.max_side).shape[:2]
        least = CONTENT_MINIMUM_SIDE

        def remedy(share: float) -> str:
            return f"set max_side (--max-side) to {max(least, int(share * max(size)))} or less"

        raise too_large(error, (size[0], size[1]), remedy) from error


def _painted(job: Stylize, photo: Picture, blend: Blend, model: PinnedModel) -> Steps[Image.Image]:
    content = _reduced(photo.rgb, job.max_side)
    simple = len(blend.styles) == 1 and job.strength == 1
    total = 1 + (0 if simple else len(blend.styles)) + (job.strength < 1)
    yield Progress(0, total, version=model.version)
    if simple and isinstance(style := blend.styles[0], Picture):
        pictures = {"content": content[np.newaxis], "style": painting_batch(style)}
        outputs = yield from _predict(model, pictures, SERVING_DEFAULT, "image")
    else:
        vector = yield from _blended(blend, model)
        if job.strength < 1:
            own = yield from _vector_of(Picture(content), model, length=len(vector.values))
            vector = own.mixed(vector, job.strength)
        yield Progress(total - 1, total, version=model.version)
        inputs = {"content": content[np.newaxis], "vector": vector.values[np.newaxis]}
        outputs = yield from _predict(model, inputs, "apply", "image")
    painted = output(outputs, "image", dtype=np.uint8, shape=(1, *content.shape), model=model.name)[0]
    yield Progress(total, total, version=model.version)
    result = _resized(painted, photo.rgb.shape[1], photo.rgb.shape[0])
    if job.preserve_color:
        return photo.rebuild(keep_colours(photo.rgb, result))
    return replace(photo, gray=False).rebuild(result)  # the colours are the painting's


def _blended(blend: Blend, model: PinnedModel) -> Steps[StyleVector]:
    """The vector of a blend, by the version that answers first."""
    total: NDArray[np.float32] | None = None
    version = 0
    for style, share in zip(blend.styles, blend.weights, strict=True):
        length = None if total is None else len(total)
        if isinstance(style, StyleVector):
            vector = _checked_vector(style, length)
        else:
            vector = yield from _vector_of(style, model, length=length)
        version = vector.version
        part: NDArray[np.float32] = np.multiply(vector.values, np.float32(share))
        total = part if total is None else total + part
    assert total is not None
    total.flags.writeable = False
    return StyleVector(total, model.name, version)


def _checked_vector(vector: StyleVector, length: int | None) -> StyleVector:
    if vector.values.ndim != 1 or length not in (None, vector.values.size):
        raise InvalidInput(
            f"style: a style vector has the shape {list(vector.values.shape)}, and others of its model another one: "
            "make it anew",
            model=vector.model,
        )
    return vector


def _vector_of(picture: Picture, model: PinnedModel, *, length: int | None = None) -> Steps[StyleVector]:
    outputs = yield from _predict(model, {"style": painting_batch(picture)}, "style_vector", "vector")
    found = output(outputs, "vector", dtype=np.float32, shape=(1, length), model=model.name, finite=True)[0]
    return StyleVector(found, model.name, model.version)


def _predict(model: PinnedModel, inputs: Mapping[str, object], signature: str, wanted: str) -> Steps[Outputs]:
    try:
        return (yield from model.predict(inputs, signature=signature, outputs=[wanted]))
    except PreconditionFailed as failure:
        metadata = yield from patiently(metadata_call(model.model))
        if signature in metadata.signatures:
            raise
        raise _not_split(failure, model) from failure


def _not_split(failure: PreconditionFailed, model: PinnedModel) -> SignatureNotFound:
    return failure.as_kind(
        SignatureNotFound,
        f"the stylizer served as {model.name} cannot tell a style from its painting, so it knows neither strength nor "
        "blends nor style vectors: give one painting at strength 1, or serve `impasto-export stylize --source package`",
    )


def _reduced(rgb: NDArray[np.uint8], max_side: int | None) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    longest = max(height, width)
    if max_side is None or longest <= max_side:
        return rgb
    sides = (max(CONTENT_MINIMUM_SIDE, round(side * max_side / longest)) for side in (width, height))
    return _resized(rgb, *sides)


def _resized(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    image = Image.fromarray(rgb)
    if image.size == (width, height):
        return rgb
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
