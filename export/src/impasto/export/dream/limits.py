"""The limits of a request to `dream`, and the values that suit each backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export import checks

MAX_OCTAVES: Final = 32
MIN_OCTAVE_SCALE: Final = 0.1
MAX_OCTAVE_SCALE: Final = 10.0
MAX_FIRST_STEP: Final = 1_000_000_000
MAX_SIGMAS: Final = 8
MIN_SIGMA: Final = 0.1
MAX_SIGMA: Final = 32.0
MAX_SHIFT: Final = 256
MAX_GUIDE_SIDE: Final = 512
"""Each place of a picture's layer is compared with each place of the guide's."""

# Bilinear interpolation of values within -1..1 may leave it by a rounding error.
_LARGEST_PIXEL: Final = 1.001


@dataclass(frozen=True, kw_only=True)
class DreamSuggestions:
    """The values with which a backbone dreams well.

    Attributes:
        layers: weights by layer; they are taken when a request sends none.
        steps: gradient steps an octave.
        step_size: a part of the range -1..1.
        octave_scale: ratio of the octaves' sides.
        octaves: the powers of `octave_scale`.
    """

    layers: Mapping[str, float]
    steps: int = 100
    step_size: float = 0.01
    octave_scale: float = 1.3
    octaves: tuple[int, ...] = (-2, -1, 0, 1, 2)


SUGGESTIONS: Final[Mapping[str, DreamSuggestions]] = MappingProxyType(
    {
        "inception_v3": DreamSuggestions(layers=MappingProxyType({"mixed3": 1.0, "mixed5": 1.0})),
        # VGG19 is steeper: twenty longer steps draw eyes and faces, forty saturate.
        "vgg19": DreamSuggestions(
            layers=MappingProxyType({"block4_conv3": 1.0, "block5_conv2": 8.0}),
            steps=20,
            step_size=0.02,
            octaves=(-2, -1, 0),
        ),
    }
)
"""Suggestions by the backbone's name."""


@dataclass(frozen=True, kw_only=True)
class DreamLimits(checks.Limits):
    """The limits that depend on the network or on the server's memory.

    Attributes:
        maximum_steps: most steps a call (and, in serving_default, an octave).
        maximum_pixels: most pixels of an octave or of a result.
        maximum_tile_pixels: most pixels that gradients are taken of at once: a tile, or an octave without tiles. VGG19
            needs about 2.5 GB of memory for each million of them, InceptionV3 down to mixed5 0.6 GB.
    """

    maximum_pixels: int = 1 << 25
    maximum_tile_pixels: int = 1 << 22


def check_settings(
    steps: tf.Tensor, step_size: tf.Tensor, tile: tf.Tensor, limits: DreamLimits
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The values themselves, if they are in range."""
    tile = checks.require(
        tile,
        tf.equal(tile, 0) | (tile >= 2 * limits.minimum_side),
        f"tile must be 0 (none) or at least {2 * limits.minimum_side} pixels, not",
    )
    return checks.steps_within(steps, limits), checks.within("step_size", step_size, 0, 1), tile


def check_first_step(first_step: tf.Tensor) -> tf.Tensor:
    """The number of the first step, if it is in range."""
    return checks.within("first_step", first_step, 0, MAX_FIRST_STEP)


def check_details(details: tf.Tensor) -> tf.Tensor:
    """The share of the original's detail that is added, if it is in range."""
    return checks.within("details", details, 0, 1)


def check_sigmas(sigmas: tf.Tensor) -> tf.Tensor:
    """The standard deviations of the gradient's blurred copies, if they are few and in range."""
    sigmas = checks.require(
        sigmas,
        tf.size(sigmas) <= MAX_SIGMAS,
        f"smoothing must hold at most {MAX_SIGMAS} numbers; it holds",
        shown=tf.size(sigmas),
    )
    return checks.within("smoothing", sigmas, MIN_SIGMA, MAX_SIGMA)


def check_layer_weights(sent: tf.Tensor, own: NDArray[np.float32]) -> tf.Tensor:
    """One weight for each candidate layer; `own` if none were sent."""
    least = -checks.MAX_LAYER_WEIGHT
    return checks.layer_weights("layer_weights", sent, own, least=least, all_zero="no layer to dream of in")


def check_octaves(octaves: tf.Tensor, octave_scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The values themselves, if they are in range."""
    octaves = checks.require(
        octaves,
        (tf.size(octaves) >= 1) & (tf.size(octaves) <= MAX_OCTAVES),
        f"octaves must hold 1 to {MAX_OCTAVES} numbers; it holds",
        shown=tf.size(octaves),
    )
    return octaves, checks.within("octave_scale", octave_scale, MIN_OCTAVE_SCALE, MAX_OCTAVE_SCALE)


def check_sizes(value: tf.Tensor, sizes: tf.Tensor, limits: DreamLimits) -> tf.Tensor:
    """`value`, if each row [height, width] of `sizes`, int32 [k, 2], suits the network."""
    value = checks.require(
        value,
        tf.reduce_all(sizes >= limits.minimum_side),
        f"size: the network needs a height and width of {limits.minimum_side} pixels or more; use a larger picture or "
        "fewer small octaves. The octaves' heights and widths are",
        shown=sizes,
    )
    return check_pixels(value, sizes, limits.maximum_pixels)


def check_pixels(value: tf.Tensor, sizes: tf.Tensor, most: int, *, hint: str = "") -> tf.Tensor:
    """`value`, if no row [height, width] of `sizes`, int32 [k, 2], has more than `most` pixels."""
    pixels = tf.reduce_prod(tf.cast(sizes, tf.int64), axis=1)
    return checks.require(
        value,
        tf.reduce_all(pixels <= most),
        f"size: at most {most} pixels{hint}; the heights and widths are",
        shown=sizes,
    )


def check_guide(guide: tf.Tensor, limits: DreamLimits) -> tf.Tensor:
    """The guide [h, w, 3] itself, if its sides suit."""
    sides = tf.shape(guide)[:2]
    return checks.require(
        guide,
        tf.reduce_all((sides >= limits.minimum_side) & (sides <= MAX_GUIDE_SIDE)),
        f"guide must be {limits.minimum_side} to {MAX_GUIDE_SIDE} pixels in height and width; they are",
        shown=sides,
    )


def check_state(state: tf.Tensor) -> tf.Tensor:
    """The state itself, if every number in it is one that `open` or `ascend` may have given."""
    in_range = (state >= -_LARGEST_PIXEL) & (state <= _LARGEST_PIXEL)  # without another state in memory
    return checks.numbers("state", state, in_range, "numbers in -1..1, as the signature open gives it")
