"""The stylizer as the server runs it: the signatures and their checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import tensorflow as tf

from impasto.client.signatures import CONTENT_MINIMUM_SIDE, SERVING_DEFAULT, STYLE_SIDE, STYLIZE
from impasto.export.errors import ExportError
from impasto.export.provenance import Provenance
from impasto.export.resizing import antialiased

HUB: Final = "hub"
PACKAGE: Final = "package"


class SourceError(ExportError):
    """A source that cannot be reached or is not the stylizer; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Stylizer:
    """The computation that a source gives, on float32 pictures in 0..1.

    Attributes:
        module: holds the variables; None where there are none.
        stylize: photos [B, H, W, 3] and as many paintings [B, h, w, 3] to at least [B, H, W, 3], the picture at
            the top left.
        minimum_style_side: the least height and width of a painting that the network can stand.
        maximum_pixels: the largest height times width of a photo that a call should take, for memory's sake.
        split: the two halves, where there are two.
        provenance: where it comes from.
    """

    module: tf.Module | None
    stylize: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    minimum_style_side: int
    maximum_pixels: int
    split: Split | None
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class Split:
    """A stylizer in two halves.

    Attributes:
        predict: paintings [B, h, w, 3] to vectors [B, size].
        paint: photos and as many vectors to painted photos, as `Stylizer.stylize`.
        size: numbers in a style vector.
    """

    predict: Callable[[tf.Tensor], tf.Tensor]
    paint: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    size: int


_PICTURES: Final = [None, None, None, 3]
_QUERY: Final = STYLIZE.signatures["describe"].input("query").default


# Autograph would read the source of all that is called, which takes an eighth of an export's time, and find nothing.
_function: Final = partial(tf.function, autograph=False)


def _floats(name: str) -> tf.TensorSpec:
    return tf.TensorSpec(_PICTURES, tf.float32, name)


class ServedStylizer(tf.Module):
    """A source of the stylizer behind the contract `STYLIZE`.

    Args:
        stylizer: the source.
        maximum_pixels: the largest height times width of a photo; the source's own if None.
    """

    def __init__(self, stylizer: Stylizer, *, maximum_pixels: int | None = None) -> None:
        super().__init__(name="served_stylizer")
        self.networks = stylizer.module
        self._stylizer = stylizer
        self._maximum_pixels = stylizer.maximum_pixels if maximum_pixels is None else maximum_pixels
        query = tf.constant(_QUERY, tf.int32)

        def describe(query: tf.Tensor = query) -> dict[str, tf.Tensor]:
            return self._describe(query)

        photos, paintings = (tf.TensorSpec(_PICTURES, tf.uint8, name) for name in ("content", "style"))
        functions = {
            SERVING_DEFAULT: _function(self._serving_default, [photos, paintings]),
            "hub": _function(self._hub, [_floats("placeholder"), _floats("placeholder_1")]),
            "describe": _function(describe, [tf.TensorSpec([None], tf.int32, "query")]),
        }
        if stylizer.split is not None:
            vectors = tf.TensorSpec([None, None], tf.float32, "vector")
            functions["style_vector"] = _function(self._style_vector, [paintings])
            functions["apply"] = _function(self._apply, [photos, vectors])
        self._functions = functions

    @property
    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """The functions to serve by name."""
        return MappingProxyType(self._functions)

    @property
    def maximum_pixels(self) -> int:
        """The largest height times width of a photo."""
        return self._maximum_pixels

    @property
    def vector_size(self) -> int:
        """Numbers in a style vector; 0 where it cannot be split off."""
        return 0 if self._stylizer.split is None else self._stylizer.split.size

    @_function(input_signature=[_floats("placeholder"), _floats("placeholder_1")])
    def __call__(self, placeholder: tf.Tensor, placeholder_1: tf.Tensor) -> list[tf.Tensor]:
        """Return a list of one float32 [B, H, W, 3], as the Hub module does: `tensorflow_hub.load` calls it."""
        return [self._hub(placeholder, placeholder_1)["output_0"]]

    def _serving_default(self, content: tf.Tensor, style: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies(
            [self._check_content("content", content), _check_style("style", style, 1)]
        ):
            photos, paintings = _to_floats(content), _at_style_side(style)
        return {"image": _to_bytes(self._paint(photos, paintings, "style"))}

    def _hub(self, placeholder: tf.Tensor, placeholder_1: tf.Tensor) -> dict[str, tf.Tensor]:
        least = self._stylizer.minimum_style_side
        checks = [
            self._check_content("placeholder", placeholder),
            _check_style("placeholder_1", placeholder_1, least),
        ]
        with tf.control_dependencies(checks):
            photos, paintings = tf.identity(placeholder), tf.identity(placeholder_1)
        return {"output_0": self._paint(photos, paintings, "placeholder_1")}

    def _paint(self, photos: tf.Tensor, paintings: tf.Tensor, name: str) -> tf.Tensor:
        split = self._stylizer.split
        if split is not None:
            painted = split.paint(photos, _one_each(split.predict(paintings), photos, name))
        else:
            painted = self._stylizer.stylize(photos, _one_each(paintings, photos, name))
        return _cropped(painted, photos)

    def _style_vector(self, style: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self._stylizer.split is not None
        with tf.control_dependencies([_check_style("style", style, 1)]):
            paintings = _at_style_side(style)
        vector = self._stylizer.split.predict(paintings)
        # The contract leaves N open: forget that this source's is known.
        return {"vector": tf.raw_ops.PlaceholderWithDefault(input=vector, shape=[None, None])}

    def _apply(self, content: tf.Tensor, vector: tf.Tensor) -> dict[str, tf.Tensor]:
        split = self._stylizer.split
        assert split is not None
        size = tf.shape(vector)[1]
        fits = tf.debugging.Assert(
            tf.equal(size, split.size), [f"vector must have {split.size} numbers, it has", size]
        )
        with tf.control_dependencies([self._check_content("content", content), fits]):
            photos, vectors = _to_floats(content), tf.identity(vector)
        vectors = _one_each(tf.ensure_shape(vectors, [None, split.size]), photos, "vector")
        return {"image": _to_bytes(_cropped(split.paint(photos, vectors), photos))}

    def _describe(self, query: tf.Tensor) -> dict[str, tf.Tensor]:
        provenance = self._stylizer.provenance
        answers = {
            "source": provenance.source,
            "weights": str(provenance),
            "vector_size": self.vector_size,
            "minimum_side": CONTENT_MINIMUM_SIDE,
            "maximum_pixels": self._maximum_pixels,
        }
        return {name: tf.fill(tf.shape(query), tf.constant(answer)) for name, answer in answers.items()}

    def _check_content(self, name: str, content: tf.Tensor) -> tf.Operation:
        shape = tf.shape(content)
        batch, height, width = shape[0], shape[1], shape[2]
        several = tf.debugging.Assert(batch > 0, [f"{name} has no picture, its shape is", shape])
        large = tf.debugging.Assert(
            tf.reduce_all(shape[1:3] >= CONTENT_MINIMUM_SIDE),
            [f"{name} must be at least {CONTENT_MINIMUM_SIDE} pixels high and wide, its shape is", shape],
        )
        pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
        small = tf.debugging.Assert(
            pixels <= self._maximum_pixels,
            [f"{name} must have at most {self._maximum_pixels} pixels, its shape is", shape],
        )
        return tf.group(several, large, small)


def _check_style(name: str, style: tf.Tensor, least: int) -> tf.Operation:
    shape = tf.shape(style)
    # To name each is to have four dimensions; with fewer, a convolution would end the server's process.
    batch, height, width, channels = shape[0], shape[1], shape[2], shape[3]
    return tf.debugging.Assert(
        (height >= least) & (width >= least) & (batch > 0) & tf.equal(channels, 3),
        [f"{name} must be a picture at least {least} pixels high and wide, its shape is", shape],
    )


def _one_each(values: tf.Tensor, photos: tf.Tensor, name: str) -> tf.Tensor:
    """One of `values` for each photo: as they are, or the single one repeated."""
    given, wanted = tf.shape(values)[0], tf.shape(photos)[0]
    check = tf.debugging.Assert(
        tf.equal(given, wanted) | tf.equal(given, 1),
        [f"{name} must come once or once for each photo, there are", given, "for photos", wanted],
    )
    with tf.control_dependencies([check]):
        return tf.repeat(values, wanted // given, axis=0)


def _to_floats(pictures: tf.Tensor) -> tf.Tensor:
    return tf.cast(pictures, tf.float32) / 255.0


def _to_bytes(pictures: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(tf.clip_by_value(pictures, 0.0, 1.0) * 255.0), tf.uint8)


def _at_style_side(style: tf.Tensor) -> tf.Tensor:
    return antialiased(_to_floats(style), STYLE_SIDE, STYLE_SIDE)


def _cropped(painted: tf.Tensor, photos: tf.Tensor) -> tf.Tensor:
    """The network rounds sizes up to multiples of four; take what lies over the photo."""
    height, width = tf.shape(photos)[1], tf.shape(photos)[2]
    return painted[:, :height, :width]
