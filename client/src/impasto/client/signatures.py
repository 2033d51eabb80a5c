"""The contract: every model, signature, input and output that Impasto serves.

This is the one place that names them. The exporters build their SavedModels from it, the client calls by it, and a
test compares it with the SignatureDef of each exported model. Images are RGB; pixel values run from 0 to 255 where
the dtype is uint8 and over the range stated by the input where it is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Default = int | float | tuple[int, ...] | tuple[float, ...]

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
        """Whether a request must carry this input."""
        return self.default is None


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
class Model:
    """A served model: its name in the repository and its signatures."""

    name: str
    doc: str
    signatures: Mapping[str, Signature]


def _named(specs: tuple[TensorSpec, ...], name: str) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    raise KeyError(name)


def _model(name: str, doc: str, *signatures: Signature) -> Model:
    return Model(name, doc, MappingProxyType({signature.name: signature for signature in signatures}))


SRCNN: Final = _model(
    "srcnn",
    "Doubles the width and height of photographs (SRCNN super-resolution).",
    Signature(
        SERVING_DEFAULT,
        inputs=(TensorSpec("image", "uint8", (None, None, None, 3), "a batch [B, H, W, 3] of RGB images"),),
        outputs=(TensorSpec("image", "uint8", (None, None, None, 3), "the batch at [B, 2H, 2W, 3]"),),
    ),
)

MODELS: Final[Mapping[str, Model]] = MappingProxyType({model.name: model for model in (SRCNN,)})
"""Every model by its name in the repository."""
