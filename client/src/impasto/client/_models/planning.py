"""The parts that plans share: a served model's own description, a size within its limits, the identity of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, cast

from impasto.client._answers import decimal, told
from impasto.client._jobs import PinnedModel, Size, Steps
from impasto.client.errors import DecodeError, InvalidInput
from impasto.client.settings import CallKind
from impasto.client.signatures import ModelContract

DESCRIBE: Final = "describe"

_SUGGESTED: Final = "suggested_"
_OF_A_PICTURE: Final = ("size", "sizes")
"""Outputs that answer a question about a picture."""

_SIDES: Final = (1, 2**31 - 1)
_ROUNDING: Final = 1e-4
_WEIGHTS: Final = (0.0, 1e10)
_RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "minimum_side": _SIDES,
        "maximum_steps": _SIDES,
        "maximum_pixels": _SIDES,
        "maximum_tile_pixels": _SIDES,
        # The longest recipe is of 10,000 steps, a second each where they are slow.
        "suggested_steps": (0, 1_000_000),
        "suggested_step_size": (0.0, 1.0),
        "suggested_octave_scale": (0.1, 10.0),
        "suggested_style_weight": _WEIGHTS,
        "suggested_content_weight": _WEIGHTS,
        "suggested_total_variation_weight": _WEIGHTS,
        "suggested_learning_rate": (0.0, 1.0),
    }
)
"""The least and the most of what a model says of itself: what the contract allows as an input."""


def describe(model: PinnedModel, contract: ModelContract) -> Steps[dict[str, Any]]:
    """Ask a model for its description: plain values by name, those that it suggests without `suggested_`.

    Raises:
        DecodeError: the answer is not what the contract promises.
        CallError: the call failed.
    """
    signature = contract.signatures[DESCRIBE]
    names = tuple(spec.name for spec in signature.outputs if spec.name not in _OF_A_PICTURE)
    answer = yield from model.predict({}, signature=DESCRIBE, outputs=names)
    values = told(answer, signature, names=names, model=model.name)
    _check_numbers(values, model.name)
    return {name.removeprefix(_SUGGESTED): _decimals(value) for name, value in values.items()}


def _check_numbers(values: Mapping[str, Any], model: str) -> None:
    """Check that the numbers are such as a model can have: a job that believes others has no end, or no pixels.

    Raises:
        DecodeError: one is not.
    """
    for name, value in values.items():
        if name not in _RANGES:
            continue
        least, most = _RANGES[name]
        if not least <= value <= most:
            raise DecodeError(
                f"{model} says that its {name} is {value:g}, which is not {least:g} to {most:g}; was it exported for "
                "this client?",
                model=model,
            )


def layers_of(values: Mapping[str, Any], weights: Sequence[str], *, model: str) -> tuple[str, ...]:
    """Return the names of the layers in a description.

    Args:
        values: the description.
        weights: the entries that hold a weight for each layer.
        model: for messages.

    Raises:
        DecodeError: a name occurs twice, or there are more or fewer weights than layers.
    """
    layers = tuple(values["layers"])
    if len(set(layers)) < len(layers):
        raise DecodeError(
            f"{model} answered 'layers' with a name that occurs twice; export it again", model=model
        )
    for name in weights:
        if len(values[name]) != len(layers):
            raise DecodeError(
                f"{model} answered {name!r} with {len(values[name])} weights for {len(layers)} layers; export it again",
                model=model,
            )
    return layers


def check_scaled(model: str, size: Size, told: Size, factor: float) -> None:
    """Check a size that a model told: the client makes room for it before anything of that size has come.

    Args:
        model: for the message.
        size: height and width that were sent.
        told: what the model makes of them.
        factor: by which they were to be scaled; the model rounds in float32, and cuts off.

    Raises:
        DecodeError: it is another size. Beyond int32 any will do, as no model's limit allows it.
    """
    for side, found in zip(size, told, strict=True):
        exact = side * factor
        if exact < _SIDES[1] and not exact * (1 - _ROUNDING) - 1 <= found <= exact * (1 + _ROUNDING) + 1:
            raise DecodeError(
                f"{model} makes {told[0]} x {told[1]} pixels of {size[0]} x {size[1]} times {factor:g}; "
                "was it exported for this client?",
                model=model,
            )


def _decimals(value: Any) -> Any:
    """The value with each number as the shortest one that is the same float32."""
    if isinstance(value, list):
        return [_decimals(entry) for entry in cast(list[object], value)]
    return decimal(value) if isinstance(value, float) else value


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
