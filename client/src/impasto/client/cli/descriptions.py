"""What a served model says about itself, for models that have the signature `describe`."""

from __future__ import annotations

from typing import Any, Final, cast

from impasto.client.cli.streams import print_line
from impasto.client.client import Client
from impasto.client.metadata import ModelMetadata
from impasto.client.model import Model
from impasto.client.printable import LONGEST, printable

Description = dict[str, Any]
"""The outputs of `describe` as JSON values."""

_SIGNATURE: Final = "describe"
_HEADLINE: Final = ("source", "backbone", "weights")
_ANSWERS: Final = ("size", "sizes")
"""Outputs that answer a question about a picture, and none is asked here."""


def description(client: Client, metadata: ModelMetadata) -> Description | None:
    """What the version says that the metadata is of; None where it has nothing to say. Raises CallError."""
    signature = metadata.signatures.get(_SIGNATURE)
    if signature is None or any(info.default is None for info in signature.inputs.values()):
        return None
    outputs = client.predict(Model(metadata.model, metadata.version), {}, signature=_SIGNATURE)
    return {name: _plain(array.tolist()) for name, array in sorted(outputs.items()) if name not in _ANSWERS}


def show_headline(model: str, found: Description) -> None:
    """A line with the network and its weights, as far as the model tells."""
    told = [_shown(found[name]) for name in _HEADLINE if name in found]
    if told:
        print_line(f"{printable(model)}: {', '.join(told)}")


def show_description(model: str, found: Description) -> None:
    """All that the model tells, a line each."""
    print_line(f"\n{printable(model)} describes itself")
    for name, value in found.items():
        print_line(f"  {printable(name)} {_shown(value)}")


def _shown(value: Any) -> str:
    words = " ".join(map(str, cast(list[object], value))) if isinstance(value, list) else str(value)
    return printable(words, longest=LONGEST)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in cast(list[object], value)]
    if isinstance(value, float):
        return float(f"{value:.7g}")  # what a float32 holds: 0.02 rather than 0.01999999955
    return value.decode(errors="replace") if isinstance(value, bytes) else value
