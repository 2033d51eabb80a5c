"""Seeded random weights: for tests, and to try a server without real ones."""

from __future__ import annotations

from itertools import count

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.export.backbones.architecture import Architecture

_SIDE = 160
"""Of the picture that the batch normalisation is calibrated on."""


def random_arrays(architecture: Architecture, *, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """He-normal kernels, with batch normalisation calibrated on a soft random picture.

    Uncalibrated, the activations of a deep random network fade or grow by orders of magnitude, and gradients with them.

    Args:
        architecture: the network.
        seed: 0 or more; the same seed gives the same kernels.
    """
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    rng = np.random.default_rng(seed)
    numbers = count()

    def conv(
        x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        name = architecture.convolutions[next(numbers)]
        shape = (*kernel, x.shape[-1], filters)
        deviation = np.float32(np.sqrt(2.0 / np.prod(shape[:3])))  # He et al. 2015, equation 10
        drawn = rng.standard_normal(shape, np.float32) * deviation
        arrays[f"{name}/kernel"] = drawn
        x = tf.nn.conv2d(x, drawn, strides=stride, padding=padding)
        if architecture.normalised:
            mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
            arrays[f"{name}/beta"] = np.zeros(filters, np.float32)
            arrays[f"{name}/mean"] = mean.numpy()
            arrays[f"{name}/variance"] = variance.numpy()
            x = (x - mean) / tf.sqrt(variance + 1e-3)
        else:
            arrays[f"{name}/bias"] = np.zeros(filters, np.float32)
        return tf.nn.relu(x)

    picture = architecture.from_signed(tf.constant(_soft_picture(rng)))
    for _ in architecture.network(picture, conv):
        pass
    return arrays


def _soft_picture(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """[1, 160, 160, 3] in -1..1 with structure at several scales, as photographs have."""
    picture = np.zeros((_SIDE, _SIDE, 3), np.float32)
    for cells in (4, 8, 20, 40):
        noise = rng.uniform(-1.0, 1.0, (cells, cells, 3)).astype(np.float32)
        picture += np.kron(noise, np.ones((_SIDE // cells, _SIDE // cells, 1), np.float32))
    return picture[None] / 4.0
