"""The jobs: styles to a vector, and a photo to a painted photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._calls import ModelRef, Outputs, metadata_call, predict_with_version_call
from impasto.client._jobs import Job, Progress
from impasto.client._pinning import ask, begun_again, pinned_to
from impasto.client._retries import patiently
from impasto.client.errors import InvalidInput, PreconditionFailed, SignatureNotFound
from impasto.client.pictures import Picture, keep_colours
from impasto.client.signatures import CONTENT_MINIMUM_SIDE, SERVING_DEFAULT
from impasto.client.stylize.style import Blend, StyleVector, painting_batch

MAX_SIDE: Final = 2048
"""The longest side, in pixels, in which a photo is painted unless told otherwise.

Larger photos are painted smaller and the result is enlarged. They cannot be painted in tiles: the network balances
colours and contrast over the whole picture, so each tile would come out differently. And brush strokes have a size in
pixels: in a very large photo they would be too fine to see.
"""


@dataclass(frozen=True, kw_only=True)
class Painting:
    """How a photo is painted.

    Attributes:
        strength: how far the style goes from the photo's own, at 0, to the painting's, at 1.
        preserve_color: keep the photo's colours, and take only light and dark from the painted one.
        max_side: the longest side, in pixels, in which it is painted; None for the photo's own.
    """

    strength: float = 1.0
    preserve_color: bool = False
    max_side: int | None = MAX_SIDE


def style_job(blend: Blend, ref: ModelRef) -> Job[StyleVector]:
    """The vector of a blend. If the version that began it goes away in the middle, it is begun again, twice at most.

    Raises:
        SignatureNotFound: the served stylizer cannot tell styles from paintings.
        InvalidInput: the vectors in it are of another model or version.
    """
    return (yield from begun_again(lambda: _blended(blend, ref), ref.name))


def _blended(blend: Blend, ref: ModelRef) -> Job[StyleVector]:
    """The vector of a blend, by the version that answers first."""
    ref = _pinned(ref, blend)
    total: NDArray[np.float32] | None = None
    version = 0
    for style, share in zip(blend.styles, blend.weights, strict=True):
        if isinstance(style, StyleVector):
            vector = style
        else:
            vector = yield from _vector_of(style, ref)
            ref = pinned_to(vector.version, ref)
        version = vector.version
        part: NDArray[np.float32] = np.multiply(vector.values, np.float32(share))
        total = part if total is None else total + part
    assert total is not None
    total.flags.writeable = False
    return StyleVector(total, ref.name, version)


def stylize_job(photo: Picture, blend: Blend, ref: ModelRef, painting: Painting) -> Job[Image.Image]:
    """The photo, painted; of its own size, with its transparency, profile and resolution.

    The version that answers first is asked by all calls. If it goes away in the middle, the photo is begun again with
    the one that is served then, twice at most.

    Raises:
        InvalidInput: the photo is too small, is its own style, or `painting` is out of range.
        SignatureNotFound: the served stylizer knows neither strength nor blends.
        DecodeError: the model's answer is not the painted photo.
    """
    _check(photo, blend, ref, painting)
    return (yield from begun_again(lambda: _painted(photo, blend, ref, painting), ref.name))


def _painted(photo: Picture, blend: Blend, ref: ModelRef, painting: Painting) -> Job[Image.Image]:
    content = _reduced(photo.rgb, painting.max_side)
    simple = len(blend.styles) == 1 and painting.strength == 1
    total = 1 + (0 if simple else len(blend.styles)) + (painting.strength < 1)
    yield Progress(0, total)
    if simple and isinstance(style := blend.styles[0], Picture):
        pictures = {"content": content[np.newaxis], "style": painting_batch(style)}
        _, outputs = yield from _predict(ref, pictures, SERVING_DEFAULT)
    else:
        vector = yield from _blended(blend, ref)
        ref = pinned_to(vector.version, ref)
        if painting.strength < 1:
            own = yield from _vector_of(Picture(content), ref)
            vector = own.mixed(vector, painting.strength)
        yield Progress(total - 1, total)
        inputs = {"content": content[np.newaxis], "vector": vector.values[np.newaxis]}
        _, outputs = yield from _predict(ref, inputs, "apply")
    painted = output(outputs, "image", dtype=np.uint8, shape=(1, *content.shape), model=ref.name)[0]
    yield Progress(total, total)
    result = _resized(painted, photo.rgb.shape[1], photo.rgb.shape[0])
    if painting.preserve_color:
        return photo.rebuild(keep_colours(photo.rgb, result))
    return replace(photo, gray=False).rebuild(result)  # the colours are the painting's


def _check(photo: Picture, blend: Blend, ref: ModelRef, painting: Painting) -> None:
    height, width = photo.rgb.shape[:2]
    if min(height, width) < CONTENT_MINIMUM_SIDE:
        raise InvalidInput(
            f"content is {width} x {height} pixels; it must be at least {CONTENT_MINIMUM_SIDE} wide and high",
            model=ref.name,
        )
    if not 0 <= painting.strength <= 1:
        raise InvalidInput(f"strength is {painting.strength}; it must be 0 to 1", model=ref.name)
    if painting.max_side is not None and painting.max_side < CONTENT_MINIMUM_SIDE:
        raise InvalidInput(
            f"max_side is {painting.max_side}; it must be at least {CONTENT_MINIMUM_SIDE} pixels, or None",
            model=ref.name,
        )
    style = blend.styles[0]
    if len(blend.styles) == 1 and isinstance(style, Picture) and np.array_equal(style.rgb, photo.rgb):
        raise InvalidInput("style is the same picture as content: choose another painting", model=ref.name)


def _pinned(ref: ModelRef, blend: Blend) -> ModelRef:
    """The version that made the vectors, where there are any: to another one they mean nothing."""
    for style in blend.styles:
        if not isinstance(style, StyleVector):
            continue
        if style.model != ref.name or ref.version not in (None, style.version):
            wanted = ref.name if ref.version is None else f"{ref.name} version {ref.version}"
            raise InvalidInput(
                f"the style vector is of {style.model} version {style.version}, not of {wanted}: make it anew",
                model=ref.name,
            )
        ref = ModelRef(ref.name, style.version)
    return ref


def _vector_of(picture: Picture, ref: ModelRef) -> Job[StyleVector]:
    version, outputs = yield from _predict(ref, {"style": painting_batch(picture)}, "style_vector")
    values = output(outputs, "vector", dtype=np.float32, shape=(1, None), model=ref.name)[0]
    return StyleVector(values, ref.name, version)


def _predict(ref: ModelRef, inputs: Mapping[str, object], signature: str) -> Job[tuple[int, Outputs]]:
    """The answer and the version that gave it."""
    try:
        return (yield from ask(predict_with_version_call(ref, inputs, signature=signature), ref))
    except PreconditionFailed as failure:
        metadata = yield from patiently(metadata_call(ref))
        if signature in metadata.signatures:
            raise
        raise _not_split(failure, ref) from failure


def _not_split(failure: PreconditionFailed, ref: ModelRef) -> SignatureNotFound:
    return SignatureNotFound(
        f"the stylizer served as {ref.name} cannot tell a style from its painting, so it knows neither strength nor "
        "blends nor style vectors: give one painting at strength 1, or serve `impasto-export stylize --source package`",
        code=failure.code,
        details=failure.details,
        address=failure.address,
        model=failure.model,
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
