"""What a network is, apart from its weights: a function of an image and of how convolutions are made.

The network's function is written once. Given convolutions that take the next variables it is the network; given
convolutions that draw kernels it initialises one (see `impasto.export.backbones.random`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf


class Conv(Protocol):
    """A convolution with its bias or batch normalisation, and the ReLU after it."""

    def __call__(
        self,
        x: tf.Tensor,
        filters: int,
        kernel: tuple[int, int],
        *,
        stride: int = 1,
        padding: str = "SAME",
    ) -> tf.Tensor:
        """[B, H, W, C] to [B, H', W', filters]; `kernel` is height and width."""


@dataclass(frozen=True)
class Architecture:
    """A network for images, without weights.

    Attributes:
        name: the network's name in the field.
        layers: the candidate layers, from shallow to deep.
        minimum_side: least height and width of an image in pixels; smaller ones fail in the convolutions' kernels, some
            of them by killing the process.
        normalised: whether batch normalisation follows each convolution, instead of a bias.
        network: gives the candidate layers' activations in order, lazily: what is not asked for is not built. Its image
            is float32 [B, H, W, 3] as the network was trained on it.
        from_signed: RGB in -1..1 to the network's own input.
        convolutions: the convolutions' names, in the order in which `network` makes them.
    """

    name: str
    layers: tuple[str, ...]
    minimum_side: int
    normalised: bool
    network: Callable[[tf.Tensor, Conv], Iterator[tf.Tensor]]
    from_signed: Callable[[tf.Tensor], tf.Tensor]
    convolutions: tuple[str, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """What each convolution has, beside its kernel."""
        return ("beta", "mean", "variance") if self.normalised else ("bias",)
