"""Seeded random weights: for tests, and to try a server without real ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv

_PICTURES = 16
"""The number of pictures that calibrate the batch normalisation: a deep layer has only 9 places in each."""

_SIDE = 160
"""The side of each of them, in pixels."""

_BETA = 1.0
"""The beta of the batch normalisation. Around zero, each layer would drive similar pictures apart (by about a fifth),
and 94 layers make that chaos: one rounding error would change a dream. Most units are active at one."""


def random_arrays(architecture: Architecture, *, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """He-normal kernels, with batch normalisation calibrated on soft random pictures.

    Uncalibrated, the activations of a deep random network fade or grow by orders of magnitude, and gradients with them.

    Args:
        architecture: the network.
        seed: 0 or more; the same seed gives the same kernels.
    """
    rng = np.random.default_rng(seed)
    conv = _DrawnConv(architecture, rng)
    pictures = _soft_pictures(rng)
    if not architecture.normalised:  # nothing to calibrate: only the kernels' shapes are asked for
        pictures = pictures[:1, : architecture.minimum_side, : architecture.minimum_side]
    x = architecture.from_signed(tf.constant(pictures))
    for segment in architecture.segments:
        x = segment.compute(x, conv)
    return conv.arrays


class _DrawnConv(Conv):
    """Draws each kernel when it is asked for, and calibrates on what it is given."""

    def __init__(self, architecture: Architecture, rng: np.random.Generator) -> None:
        self.arrays: dict[str, npt.NDArray[np.float32]] = {}
        self._normalised = architecture.normalised
        self._names = iter(architecture.convolutions)
        self._rng = rng

    def __call__(
        self, x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        name = next(self._names)
        shape = (*kernel, x.shape[-1], filters)
        deviation = np.float32(np.sqrt(2.0 / np.prod(shape[:3])))  # He et al. 2015, equation 10
        drawn = self._rng.standard_normal(shape, np.float32) * deviation
        self.arrays[f"{name}/kernel"] = drawn
        x = tf.nn.conv2d(x, drawn, strides=stride, padding=padding)
        if self._normalised:
            mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
            self.arrays[f"{name}/beta"] = np.full(filters, _BETA, np.float32)
            self.arrays[f"{name}/mean"] = mean.numpy()
            self.arrays[f"{name}/variance"] = variance.numpy()
            x = (x - mean) / tf.sqrt(variance + 1e-3) + _BETA
        else:
            self.arrays[f"{name}/bias"] = np.zeros(filters, np.float32)
        return tf.nn.relu(x)


def _soft_pictures(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """[16, 160, 160, 3] in -1..1 with structure at several scales, as photographs have."""
    pictures = np.zeros((_PICTURES, _SIDE, _SIDE, 3), np.float32)
    for cells in (4, 8, 20, 40):
        noise = rng.uniform(-1.0, 1.0, (_PICTURES, cells, cells, 3)).astype(np.float32)
        pictures += noise.repeat(_SIDE // cells, axis=1).repeat(_SIDE // cells, axis=2)
    return pictures / 4.0
