"""The layers that the known networks are made of, each as a computation on [B, H, W, C].

Every function of `KINDS` checks a layer, takes its weights from the file, and returns what it computes and what is
known of its outputs beforehand. ncnn keeps [C, H, W]; its convolutions pad with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.upscale.ncnn.errors import NcnnError
from impasto.export.upscale.ncnn.param_file import Layer
from impasto.export.upscale.ncnn.weights_file import WeightsReader


@dataclass(frozen=True)
class View:
    """A feature map's view of the picture, the same in both directions.

    Attributes:
        spans: for each of the map's pixels that lie over one pixel of the picture, along one side: the first and the
            last pixel of the picture that it depends on, counted from that one.
    """

    spans: tuple[tuple[int, int], ...] = ((0, 0),)

    @property
    def scale(self) -> int:
        """Pixels of the map to a pixel of the picture."""
        return len(self.spans)

    @property
    def reach(self) -> int:
        """The farthest pixel of the picture, to either side."""
        return max(max(-first, last) for first, last in self.spans)

    def seen(self, pixels: Iterable[Sequence[int]]) -> View:
        """Return the view of a map whose pixels look at pixels of this one.

        Args:
            pixels: for each that lies over one pixel of the picture, what it looks at, counted from the first of this
                map's pixels there.
        """
        return View(tuple(self._span(looked_at) for looked_at in pixels))

    def widened(self, radius: int) -> View:
        """Return the view of a map that looks at `radius` pixels of this one to each side."""
        return self.seen(range(pixel - radius, pixel + radius + 1) for pixel in range(self.scale))

    def enlarged(self, factor: int) -> View:
        """Return the view of a map `factor` times as large, each pixel of which looks at the one that it lies in."""
        return self.seen([pixel // factor] for pixel in range(self.scale * factor))

    def _span(self, pixels: Sequence[int]) -> tuple[int, int]:
        seen = [(pixel // self.scale, self.spans[pixel % self.scale]) for pixel in pixels]
        return min(place + first for place, (first, _) in seen), max(
            place + last for place, (_, last) in seen
        )


def joined(views: Iterable[View]) -> View:
    """Return the view of what looks at several maps of one scale. Raises ValueError for several scales."""
    maps = list(views)
    if len(scales := sorted({view.scale for view in maps})) != 1:
        raise ValueError(f"maps at {scales} times the picture's size do not fit together")
    spans = zip(*(view.spans for view in maps), strict=True)
    return View(tuple((min(first for first, _ in each), max(last for _, last in each)) for each in spans))


_STEEPNESS: Final = -0.75


class _CubicShrinking:
    """Shrinks pictures to `part` of their size, by the kernel of Keys with a = -3/4, without antialiasing.

    The outermost pixels go on beyond the edges. Sides must be multiples of the part's denominator.

    Args:
        part: the new size by the old, less than 1.
    """

    def __init__(self, part: Fraction) -> None:
        self._kept, self._of = part.numerator, part.denominator
        places = [Fraction(2 * phase + 1, 2) / part - Fraction(1, 2) for phase in range(self._kept)]
        self._first = min(int(place // 1) for place in places) - 1
        self._last = max(int(place // 1) for place in places) + 2
        weights = np.zeros((self._kept, self._last - self._first + 1))
        for phase, place in enumerate(places):
            for tap in range(-1, 3):
                column = int(place // 1) + tap - self._first
                weights[phase, column] = _keys(abs(tap - float(place % 1)))
        self._weights = weights

    def view(self, view: View) -> View:
        """Return the view of the shrunk map, for that of the map whose sides are multiples as said."""
        taps = [(self._first + np.flatnonzero(weights)).tolist() for weights in self._weights]
        blocks = range(view.scale // self._of)
        return view.seen([block * self._of + tap for tap in phase] for block in blocks for phase in taps)

    def __call__(self, image: tf.Tensor, channels: int) -> tf.Tensor:
        """Return float32 [B, H * part, W * part, channels]."""
        # One pixel at most is missing on each side, and the symmetric padding by one pixel repeats it.
        padding = (-self._first, self._last - self._of + 1)
        padded = tf.pad(image, [[0, 0], padding, padding, [0, 0]], "SYMMETRIC")
        shrunk = tf.nn.conv2d(padded, self._kernel(channels), self._of, "VALID")
        return tf.nn.depth_to_space(shrunk, self._kept) if self._kept > 1 else shrunk

    def _kernel(self, channels: int) -> NDArray[np.float32]:
        both = np.einsum("pi,qj->ijpq", self._weights, self._weights)
        window = self._weights.shape[1]
        phases = both.reshape(window, window, self._kept**2)
        kernel = np.einsum("ijp,cd->ijcpd", phases, np.eye(channels))
        return kernel.reshape(window, window, channels, -1).astype(np.float32)


def _keys(distance: float) -> float:
    """The cubic kernel, equation 4 of Keys (1981) for any a."""
    a = _STEEPNESS
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    return a * (((distance - 5) * distance + 8) * distance - 4) if distance < 2 else 0.0


_WIDEST_KERNEL: Final = 31
_MOST_CHANNELS: Final = 1 << 14
_LARGEST_SCALE: Final = 16
_FINEST_PART: Final = 8
_NEAREST, _CUBIC = 1, 3
_LINEAR, _RELU, _LEAKY_RELU = 0, 1, 2
_SUM: Final = 1
_ADD: Final = 0


@dataclass(frozen=True)
class Blob:
    """A layer's output before anything is computed: its channels, and the pixels that they depend on."""

    channels: int
    view: View


Compute: TypeAlias = Callable[[Sequence[tf.Tensor]], tf.Tensor]
Variable: TypeAlias = Callable[[NDArray[np.float32], str], tf.Variable]


@dataclass(frozen=True)
class Weights:
    """The file of weights, and the maker of a network's variables."""

    reader: WeightsReader
    variable: Variable


Reader: TypeAlias = Callable[[Layer, Sequence[Blob], Weights], tuple[Compute, Blob]]


def _split(layer: Layer, blobs: Sequence[Blob], _weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=1, known=set())
    return (lambda given: given[0]), blobs[0]


def _convolution(layer: Layer, blobs: Sequence[Blob], weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=1, known={0, 1, 2, 3, 4, 5, 6, 9, 10})
    filters, side = layer.whole(0, 0), layer.whole(1, 0)
    geometry = layer.whole(2, 1), layer.whole(3, 1), layer.whole(4, 0)
    _check_range(layer, "filters", filters, _MOST_CHANNELS)
    if side % 2 == 0 or not 0 < side <= _WIDEST_KERNEL or geometry != (1, 1, side // 2):
        raise NcnnError(
            f"{layer} has a kernel of {side} with dilation, stride and padding {geometry}: only odd kernels up to "
            f"{_WIDEST_KERNEL} that keep the picture's size are read here"
        )
    channels = blobs[0].channels
    count = filters * channels * side * side
    if layer.whole(6, 0) != count:
        raise NcnnError(
            f"{layer} has {layer.whole(6, 0)} weights; {filters} kernels of {side} x {side} on {channels} channels "
            f"have {count}"
        )
    kernels = weights.reader.tagged(count, layer).reshape(filters, channels, side, side)
    kernel = weights.variable(np.ascontiguousarray(kernels.transpose(2, 3, 1, 0)), f"{layer.name}/kernel")
    # Without a bias of its own TensorFlow would not compute the convolution and its activation in one go.
    numbers = weights.reader.plain(filters, layer) if layer.whole(5, 0) else np.zeros(filters, np.float32)
    bias = weights.variable(numbers, f"{layer.name}/bias")
    activation = _activation(layer)

    def compute(given: Sequence[tf.Tensor]) -> tf.Tensor:
        return activation(tf.nn.bias_add(tf.nn.conv2d(given[0], kernel, 1, "SAME"), bias))

    return compute, Blob(filters, blobs[0].view.widened(side // 2))


def _activation(layer: Layer) -> Callable[[tf.Tensor], tf.Tensor]:
    kind, numbers = layer.whole(9, _LINEAR), layer.numbers(10)
    if kind == _LINEAR and not numbers:
        return tf.identity
    if kind == _RELU and not numbers:
        return tf.nn.relu
    if kind == _LEAKY_RELU and len(numbers) == 1:
        return lambda x: tf.nn.leaky_relu(x, numbers[0])
    raise NcnnError(f"{layer} has the activation {kind} with {len(numbers)} numbers, which is not read here")


def _prelu(layer: Layer, blobs: Sequence[Blob], weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=1, known={0})
    count, channels = layer.whole(0, 0), blobs[0].channels
    if count != channels:
        raise NcnnError(f"{layer} has {count} slopes for {channels} channels")
    numbers = weights.reader.plain(count, layer)
    slopes = weights.variable(numbers, f"{layer.name}/slopes")
    if (numbers <= 1).all():
        return (lambda given: tf.maximum(given[0], slopes * given[0])), blobs[0]
    return (lambda given: tf.nn.relu(given[0]) + slopes * tf.minimum(given[0], 0.0)), blobs[0]


def _pixel_shuffle(layer: Layer, blobs: Sequence[Blob], _weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=1, known={0, 1})
    factor, channels = layer.whole(0, 1), blobs[0].channels
    if layer.whole(1, 0) != 0:
        raise NcnnError(f"{layer} has the mode {layer.whole(1, 0)}; only 0 is read here")
    view = _enlarged(layer, blobs[0].view, factor)
    if channels % factor**2:
        raise NcnnError(
            f"{layer} has {channels} channels, which {factor} x {factor} pixels cannot be made of"
        )
    kept = channels // factor**2
    # ncnn has the pixels of a channel together, TensorFlow the channels of a pixel.
    order = np.arange(channels).reshape(kept, factor**2).T.reshape(-1)

    def compute(given: Sequence[tf.Tensor]) -> tf.Tensor:
        return tf.nn.depth_to_space(tf.gather(given[0], order, axis=3), factor) if factor > 1 else given[0]

    return compute, Blob(kept, view)


def _interp(layer: Layer, blobs: Sequence[Blob], _weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=1, known={0, 1, 2})
    kind, channels, view = layer.whole(0, 0), blobs[0].channels, blobs[0].view
    part = Fraction(layer.number(1, 1.0)).limit_denominator(_FINEST_PART)
    is_exact = layer.number(1, 1.0) == float(part) == layer.number(2, 1.0)
    if kind == _NEAREST and is_exact and part.denominator == 1:
        factor = part.numerator
        enlarged = _enlarged(layer, view, factor)
        return (lambda given: _repeated(given[0], factor)), Blob(channels, enlarged)
    if kind == _CUBIC and is_exact and 0 < part < 1 and view.scale % part.denominator == 0:
        shrinking = _CubicShrinking(part)
        return (lambda given: shrinking(given[0], channels)), Blob(channels, shrinking.view(view))
    raise NcnnError(
        f"{layer} resizes by the method {kind} to {layer.number(1, 1.0)} x {layer.number(2, 1.0)} of the size: only "
        f"{_NEAREST} (nearest) to a whole number, and {_CUBIC} (cubic) to a part that fits every picture, are read here"
    )


def _repeated(x: tf.Tensor, factor: int) -> tf.Tensor:
    return tf.image.resize(x, factor * tf.shape(x)[1:3], "nearest")


def _binary_op(layer: Layer, blobs: Sequence[Blob], _weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=2, known={0, 1})
    if (layer.whole(0, _ADD), layer.whole(1, 0)) != (_ADD, 0):
        raise NcnnError(f"{layer} computes something else than the sum of two, which is not read here")
    return (lambda given: given[0] + given[1]), _alike(layer, blobs)


def _eltwise(layer: Layer, blobs: Sequence[Blob], _weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=None, known={0, 1})
    parts = layer.numbers(1) or (1.0,) * len(blobs)
    if layer.whole(0, 0) != _SUM or len(parts) != len(blobs) or not blobs:
        raise NcnnError(
            f"{layer} has the operation {layer.whole(0, 0)} and {len(parts)} coefficients for {len(blobs)} inputs: "
            "only sums with one for each are read here"
        )

    def compute(given: Sequence[tf.Tensor]) -> tf.Tensor:
        scaled = [x if part == 1 else part * x for part, x in zip(parts, given, strict=True)]
        return tf.add_n(scaled) if len(scaled) > 2 else sum(scaled[1:], scaled[0])

    return compute, _alike(layer, blobs)


def _concat(layer: Layer, blobs: Sequence[Blob], _weights: Weights) -> tuple[Compute, Blob]:
    layer.check(inputs=None, known={0})
    if layer.whole(0, 0) != 0 or not blobs:
        raise NcnnError(f"{layer} joins along axis {layer.whole(0, 0)}; only channels (0) are read here")
    channels = sum(blob.channels for blob in blobs)
    _check_range(layer, "channels", channels, _MOST_CHANNELS)
    return (lambda given: tf.concat(given, axis=3)), Blob(channels, _joined(layer, blobs))


def _alike(layer: Layer, blobs: Sequence[Blob]) -> Blob:
    if len({blob.channels for blob in blobs}) != 1:
        raise NcnnError(
            f"{layer} has inputs of {[blob.channels for blob in blobs]} channels; they must agree"
        )
    return replace(blobs[0], view=_joined(layer, blobs))


def _joined(layer: Layer, blobs: Sequence[Blob]) -> View:
    try:
        return joined(blob.view for blob in blobs)
    except ValueError as error:
        raise NcnnError(f"the inputs of {layer} have different sizes: {error}") from error


def _enlarged(layer: Layer, view: View, factor: int) -> View:
    _check_range(layer, "times the size", factor * view.scale, _LARGEST_SCALE)
    return view.enlarged(factor)


def _check_range(layer: Layer, what: str, number: int, most: int) -> None:
    if not 0 < number <= most:
        raise NcnnError(f"{layer} has {number} {what}; there may be 1 to {most}")


KINDS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "BinaryOp": _binary_op,
        "Concat": _concat,
        "Convolution": _convolution,
        "Eltwise": _eltwise,
        "Interp": _interp,
        "PReLU": _prelu,
        "PixelShuffle": _pixel_shuffle,
        "Split": _split,
    }
)
