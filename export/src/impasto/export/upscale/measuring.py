"""An unknown network's factor, least side and reach, found out by running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf

from impasto.export.errors import ExportError
from impasto.export.sample import photo
from impasto.export.upscale.upscaler import Enlarge

_SIZES: Final = ((40, 56), (57, 43))
"""An even and an odd size, neither a square."""

_SIDES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_FARTHEST: Final = 128
_TRIES: Final = 3
_TOLERANCE: Final = 0.25
"""Grey levels by which a part of a picture may differ for other reasons than its neighbourhood: by rounding."""

_FAILURES: Final = (tf.errors.OpError, ValueError, TypeError)


@dataclass(frozen=True)
class Measured:
    """The facts that were found out about a network.

    Attributes:
        minimum_side: the least height and width of a picture that it enlarges.
        reach: the pixels to each side that a pixel depends on; None if a part of a picture is not enlarged as in the
            whole, however much of its surroundings it has.
    """

    minimum_side: int
    reach: int | None


def measure(enlarge: Enlarge, factor: int, *, name: str) -> Measured:
    """Run a network on noise of several sizes, and take gradients of its results.

    A gradient shows the faintest dependency, which a changed pixel would not. Several pictures are tried, as a neuron
    that rests passes nothing on. The reach is looked for up to 128 pixels; then a part of a larger picture must come
    out as in the whole, wherever it begins.

    Args:
        enlarge: the network, on pictures 0..255.
        factor: how many times larger its results should be.
        name: the network's, for errors.

    Raises:
        ExportError: it fails, enlarges by something else, or gives numbers that are not finite.
    """
    for height, width in _SIZES:
        _check_factor(enlarge, factor, height, width, name)
    least = next(side for side in (*_SIDES, min(_SIZES[0])) if _takes(enlarge, factor, side))
    return Measured(least, _reach(enlarge, factor))


def sample_error(enlarge: Enlarge, factor: int) -> float:
    """Return the mean grey levels between a photo and its enlargement shrunk again: few, unless a range is wrong."""
    picture = photo(*_SIZES[0])
    enlarged = tf.clip_by_value(enlarge(tf.constant(picture[None], tf.float32)), 0.0, 255.0)
    shrunk = tf.nn.avg_pool2d(enlarged, factor, factor, "VALID")
    return float(tf.reduce_mean(tf.abs(shrunk[0] - tf.cast(picture, tf.float32))))


def _check_factor(enlarge: Enlarge, factor: int, height: int, width: int, name: str) -> None:
    try:
        result = enlarge(_noise(height, width, 0)).numpy()
    except _FAILURES as error:
        said = str(error).strip().splitlines()[0]
        raise ExportError(f"{name} fails on a picture of {height} x {width} pixels: {said}") from error
    wanted = (1, factor * height, factor * width, 3)
    if result.shape != wanted:
        raise ExportError(
            f"{name} gives {list(result.shape)} for a picture of {height} x {width} pixels; with --factor {factor} it "
            f"must give {list(wanted)}, as for pictures of all sizes"
        )
    if not np.isfinite(result).all():
        raise ExportError(f"{name} gives numbers that are not finite: it is not trained, or --range is wrong")


def _takes(enlarge: Enlarge, factor: int, side: int) -> bool:
    try:
        return bool(enlarge(_noise(side, side, 0)).shape == (1, factor * side, factor * side, 3))
    except _FAILURES:
        return False


def _reach(enlarge: Enlarge, factor: int) -> int | None:
    radius = 8
    while radius <= _FARTHEST:
        found = max(_farthest(enlarge, factor, radius, seed) for seed in range(_TRIES))
        # A dilated convolution may leave out all that is near, so that the gradient alone proves nothing.
        if found < radius and _is_local(enlarge, factor, found):
            return found
        radius *= 2
    return None


def _farthest(enlarge: Enlarge, factor: int, radius: int, seed: int) -> int:
    """Return how far from the middle pixel those are that its enlargement depends on, up to `radius`."""
    picture = _noise(2 * radius + 1, 2 * radius + 1, seed)
    block = slice(factor * radius, factor * (radius + 1))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        result = enlarge(picture)[0, block, block]
        weighed = tf.reduce_sum(result * np.random.default_rng(seed).uniform(0.5, 1.5, result.shape))
    gradient = tape.gradient(weighed, picture)
    if gradient is None:
        return 0
    places = np.argwhere(np.any(np.nan_to_num(gradient.numpy()[0], nan=1.0) != 0, axis=2))
    return int(np.abs(places - radius).max(initial=0))


def _is_local(enlarge: Enlarge, factor: int, reach: int) -> bool:
    """Return whether parts of a picture, wherever they begin, come out as in the whole."""
    side = 2 * reach + 24
    picture = _noise(side + 3, side + 3, 1)
    whole = enlarge(picture).numpy()[0]
    for start in range(1, 4):
        part = enlarge(picture[:, start : start + side, start : start + side]).numpy()[0]
        inner = slice(factor * reach, factor * (side - reach))
        moved = slice(factor * (start + reach), factor * (start + side - reach))
        if np.abs(part[inner, inner] - whole[moved, moved]).max() > _TOLERANCE:
            return False
    return True


def _noise(height: int, width: int, seed: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, (1, height, width, 3)), tf.float32)
