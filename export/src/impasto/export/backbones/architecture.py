"""A network apart from its weights: a function of an image and of the way in which convolutions are made.

The network's functions are written once. Given convolutions that take the next variables they are the network; given
convolutions that draw kernels they initialise one (see `impasto.export.backbones.weights`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf


class Conv(ABC):
    """Makes convolutions, each with its bias or batch normalisation, and the ReLU after it."""

    @abstractmethod
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

    def heads(self, x: tf.Tensor, filters: Sequence[int], *, smoothed: int | None = None) -> list[tf.Tensor]:
        """1x1 convolutions of one input, side by side.

        Args:
            x: [B, H, W, C].
            filters: the number of filters of each convolution.
            smoothed: the filters of one more convolution, the last, of the mean of `x` over 3x3 without the border.
        """
        found = [self(x, count, (1, 1)) for count in filters]
        if smoothed is not None:
            found.append(self(smooth(x), smoothed, (1, 1)))
        return found


def smooth(x: tf.Tensor) -> tf.Tensor:
    """The mean over 3x3, without what lies beyond the border."""
    return tf.nn.avg_pool2d(x, 3, 1, "SAME")


@dataclass(frozen=True)
class Segment:
    """The part of a network that leads from one candidate layer to the next.

    Attributes:
        compute: from the layer before, or the image, to the layer; float32 [B, H, W, C].
        convolutions: the convolutions' names, in the order in which `compute` makes them.
    """

    compute: Callable[[tf.Tensor, Conv], tf.Tensor]
    convolutions: tuple[str, ...]


@dataclass(frozen=True)
class Architecture:
    """A network for images, without weights.

    Attributes:
        name: the network's name in the field.
        layers: the candidate layers, from shallow to deep.
        minimum_side: least height and width of an image in pixels; smaller ones fail in the convolutions' kernels, some
            of them by killing the process.
        normalised: true where batch normalisation follows each convolution, instead of a bias.
        segments: one for each candidate layer. The first takes an image float32 [B, H, W, 3] as the network was trained
            on it.
        from_signed: RGB in -1..1 to the network's own input.
    """

    name: str
    layers: tuple[str, ...]
    minimum_side: int
    normalised: bool
    segments: tuple[Segment, ...]
    from_signed: Callable[[tf.Tensor], tf.Tensor]

    @property
    def convolutions(self) -> tuple[str, ...]:
        """All convolutions' names, in the order in which the segments make them."""
        return tuple(name for segment in self.segments for name in segment.convolutions)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that each convolution has beside its kernel."""
        return ("beta", "mean", "variance") if self.normalised else ("bias",)
