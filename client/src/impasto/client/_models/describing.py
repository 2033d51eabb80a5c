"""A served model's description of itself: the answer of its signature `describe`."""

from __future__ import annotations

from typing import Any, Final, cast

from impasto.client._answers import decimal, told
from impasto.client._jobs import PinnedModel, Steps
from impasto.client.signatures import ModelContract

DESCRIBE: Final = "describe"

_SUGGESTED: Final = "suggested_"
_OF_A_PICTURE: Final = ("size", "sizes")
"""Outputs that answer a question about a picture."""


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
    return {name.removeprefix(_SUGGESTED): _decimals(value) for name, value in values.items()}


def _decimals(value: Any) -> Any:
    """The value with each number as the shortest one that is the same float32."""
    if isinstance(value, list):
        return [_decimals(entry) for entry in cast(list[object], value)]
    return decimal(value) if isinstance(value, float) else value
