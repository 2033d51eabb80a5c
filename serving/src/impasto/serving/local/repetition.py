"""The budget of a request for values that are repeated rather than sent."""

from __future__ import annotations

from typing import Final

from impasto.serving.local.tensors import TensorParseError

MAX_REPEATED_BYTES: Final = 1 << 26
"""The most bytes that a whole request may leave to repetition: 2**24 float32 numbers."""

MAX_UNFITTING_BYTES: Final = 1 << 20
"""The most bytes that a tensor of another shape than the model's may leave to repetition."""


class RepetitionBudget:
    """The bytes that one request may still leave to repetition, over all of its inputs.

    A message of 100 bytes can ask for any number of gigabytes. TensorFlow Serving tries to allocate them, and is
    killed if there is too little memory.
    """

    def __init__(self) -> None:
        self._left = MAX_REPEATED_BYTES

    def take(self, size: int, *, fits: bool) -> None:
        """Use up the budget before memory is allocated.

        Args:
            size: the bytes that repetition would fill.
            fits: the tensor has the shape that the model takes.

        Raises:
            TensorParseError: these are too many bytes.
        """
        if not fits and size > MAX_UNFITTING_BYTES:
            raise TensorParseError(
                "too many elements are left to repetition in a shape that the model does not take"
            )
        if size > self._left:
            raise TensorParseError("the request leaves too many elements to repetition")
        self._left -= size
