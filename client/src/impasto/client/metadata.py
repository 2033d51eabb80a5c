"""The descriptions that a server gives of its models: typed, read-only."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


class State(enum.Enum):
    """Where a version of a model is in its life on the server."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model as the server holds it.

    Attributes:
        version: the version's number.
        state: AVAILABLE answers calls; END has been unloaded, or failed to load.
        error: why it failed; empty when nothing went wrong.
    """

    version: int
    state: State
    error: str = ""


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """An input or output of a served signature.

    Attributes:
        name: the alias that requests and responses use.
        dtype: numpy's name of the element type, or `string`.
        shape: one entry a dimension, None where it is free; None altogether where even the rank is.
        default: what the server fills in when a request leaves the input out; None where it must be sent.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    default: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class SignatureInfo:
    """A callable of a served model."""

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True, eq=False)
class ModelMetadata:
    """A served model: its name, the version that answered, and its signatures by name."""

    model: str
    version: int
    signatures: Mapping[str, SignatureInfo]


def shape_text(shape: Sequence[int | None] | None) -> str:
    """Return a shape as people write it: `[?, 3]`; `[any shape]` where not even that is known."""
    if shape is None:
        return "[any shape]"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
