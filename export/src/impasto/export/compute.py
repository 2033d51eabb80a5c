"""The types in which a network computes, in a module without TensorFlow for the command line."""

from __future__ import annotations

from enum import Enum


class Compute(str, Enum):
    """The type of a network's numbers, forward and back.

    The picture, the first convolution, which sees it, and the losses are float32 in any case.
    """

    FLOAT32 = "float32"
    BFLOAT16_BACKWARD = "bfloat16-backward"
    """float32 forward, so that losses are float32's, and bfloat16 back: the gradient of the picture errs by about a
    hundredth of its length."""
    BFLOAT16 = "bfloat16"

    @property
    def forward(self) -> str:
        """The type of the activations."""
        return "bfloat16" if self is Compute.BFLOAT16 else "float32"

    @property
    def backward(self) -> str:
        """The type that gradients are convolved in."""
        return "float32" if self is Compute.FLOAT32 else "bfloat16"
