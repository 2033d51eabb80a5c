"""The types that a contract is written in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Default = int | float | tuple[int, ...] | tuple[float, ...] | tuple[tuple[tuple[int, ...], ...], ...]

SERVING_DEFAULT: Final = "serving_default"


@dataclass(frozen=True)
class TensorSpec:
    """One named tensor of a signature.

    Attributes:
        name: the alias under which a request or a response carries it.
        dtype: numpy's name of the element type.
        shape: the static shape, `None` where a dimension is free; `()` is a scalar.
        default: the value the server fills in when a request leaves the input out; `None` means required.
        doc: one line for people: meaning, range, unit.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    doc: str
    default: Default | None = None

    @property
    def required(self) -> bool:
        """True if a request must carry this input."""
        return self.default is None


QUERY: Final = TensorSpec(
    "query", "int32", (None,), "one answer for each element [B], whatever its value", (0,)
)
"""The input of describe where nothing may be a scalar, because a server that batches refuses those."""


@dataclass(frozen=True)
class Signature:
    """A callable of a model: its inputs and outputs in order."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def input(self, name: str) -> TensorSpec:
        """The input called `name`; KeyError if there is none."""
        return _named(self.inputs, name)

    def output(self, name: str) -> TensorSpec:
        """The output called `name`; KeyError if there is none."""
        return _named(self.outputs, name)


@dataclass(frozen=True)
class ModelContract:
    """The contract of a kind of model.

    Attributes:
        name: the kind's name.
        doc: what such a model does, for people.
        signatures: every signature that such a model may have, by name.
        models: the names under which the exporters publish such models, the usual one first; empty if that is the
            kind's. A model of any other name may keep the contract, too.
        optional: the signatures that a model need not have.
        one_of: optional signatures of which a model has at least one.
    """

    name: str
    doc: str
    signatures: Mapping[str, Signature]
    models: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()

    @property
    def usual_model(self) -> str:
        """The name under which such a model is published and called unless another one is given."""
        return self.models[0] if self.models else self.name


def model(
    name: str,
    doc: str,
    *signatures: Signature,
    models: tuple[str, ...] = (),
    optional: Collection[str] = (),
    one_of: Collection[str] = (),
) -> ModelContract:
    """Make a contract of its signatures; the model is named as the kind unless `models` says otherwise."""
    return ModelContract(
        name,
        doc,
        MappingProxyType({signature.name: signature for signature in signatures}),
        models=models or (name,),
        optional=frozenset((*optional, *one_of)),
        one_of=frozenset(one_of),
    )


def _named(specs: tuple[TensorSpec, ...], name: str) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    raise KeyError(name)
