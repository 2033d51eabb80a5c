"""The parts that the plans of all long jobs share: a size within the model's limits, and the identity of a job."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from impasto.client._jobs import Size
from impasto.client.errors import InvalidInput
from impasto.client.settings import CallKind


class Described(Protocol):
    """A model's description, of whatever kind."""

    @property
    def version(self) -> int:
        """The version that answered."""
        ...

    @property
    def backbone(self) -> str:
        """The network's name."""
        ...

    @property
    def weights(self) -> str:
        """Where the network's weights are from, and their licence."""
        ...

    @property
    def minimum_side(self) -> int:
        """Least height and width of a picture, in pixels."""
        ...

    @property
    def maximum_pixels(self) -> int:
        """Most pixels of a picture."""
        ...


class Asked(Protocol):
    """A long job, of whatever kind."""

    kind: ClassVar[CallKind]
    """The kind of its calls."""

    @property
    def preserve_color(self) -> bool:
        """The choice to keep the picture's colours."""
        ...


def identity(job: Asked, model: Described, name: str, **others: Any) -> dict[str, Any]:
    """Return what a job's result depends on, as JSON values: two jobs of one identity have one result.

    A checkpoint of another identity is refused, with the names of what differs.

    Args:
        job: what was asked for.
        model: the model's description.
        name: the model's.
        others: what the result depends on beside the model and the colours.
    """
    return {
        "kind": job.kind,
        "model": name,
        "version": model.version,
        "backbone": model.backbone,
        "weights": model.weights,
        **others,
        "preserve_color": job.preserve_color,
    }


def check_size(what: str, size: Size, model: Described, *, if_small: str, if_large: str) -> None:
    """Check a size in which the network is to see a picture.

    Args:
        what: the beginning of the message, which the size follows: "the painting is".
        size: height and width.
        model: the model's description.
        if_small: the remedy for a side that is too small.
        if_large: the remedy for too many pixels.

    Raises:
        InvalidInput: the size is too small or too large for the model.
    """
    height, width = size
    if min(size) < model.minimum_side:
        raise InvalidInput(
            f"{what} {width} x {height} pixels, and {model.backbone} needs {model.minimum_side} in width and height; "
            f"{if_small}"
        )
    if height * width > model.maximum_pixels:
        raise InvalidInput(
            f"{what} {width} x {height} pixels, and the model takes {model.maximum_pixels:,} in all; {if_large}"
        )
