"""The model that a call is for, and the descriptions that a server gives of it."""

from __future__ import annotations

import enum
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from impasto.client.errors import InvalidInput

_INT64: Final = 2**63


@dataclass(frozen=True)
class Model:
    """A served model, and which version of it: the newest unless `version` or `label` says otherwise.

    Wherever a Model is taken, a text is too: its name.

    Attributes:
        name: the model's name on the server.
        version: the version's number. One that no model has is for the server to refuse.
        label: the version's label, such as `stable`.

    Raises:
        InvalidInput: the name is empty, version and label are both given, or one of them cannot be sent.
    """

    name: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        _check_text("model", self.name)
        if not self.name:
            raise InvalidInput("model is empty: name the model to call, as `impasto models` lists them")
        if self.version is not None and self.label is not None:
            raise InvalidInput(
                f"version {self.version} and label {self.label!r}: give one of them", model=self.name
            )
        if self.label is not None:
            _check_text("label", self.label)
        if self.version is not None:
            object.__setattr__(self, "version", _version(self.version))

    @classmethod
    def of(cls, model: Model | str) -> Model:
        """Return the model itself, or the newest version of the one that has this name. Raises InvalidInput."""
        return model if isinstance(model, Model) else cls(model)


def _check_text(parameter: str, value: Any) -> None:
    if not isinstance(value, str):
        raise InvalidInput(f"{parameter} is {value!r}; it must be a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{parameter} is {value!r}, which has no UTF-8; use other characters") from error


def _version(value: Any) -> int:
    try:
        version = operator.index(value)
    except TypeError as error:
        raise InvalidInput(f"version is {value!r}; it must be a whole number") from error
    if not -_INT64 <= version < _INT64:
        raise InvalidInput(f"version is {version}; it must be {-_INT64} to {_INT64 - 1}")
    return version


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
