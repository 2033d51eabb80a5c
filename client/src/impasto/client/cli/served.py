"""One model of one server: its versions, and its signatures as far as the server tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from impasto.client import Client, Model, ModelMetadata, State, TensorInfo, VersionStatus
from impasto.client.cli.output import print_line
from impasto.client.errors import CallError, DeadlineExceeded, ModelNotFound, ServerUnavailable, TlsError

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
        print_line(f"{model}: {', '.join(told)}")


def show_description(model: str, found: Description) -> None:
    """All that the model tells, a line each."""
    print_line(f"\n{model} describes itself")
    for name, value in found.items():
        print_line(f"  {name} {_shown(value)}")


def _shown(value: Any) -> str:
    return " ".join(map(str, cast(list[object], value))) if isinstance(value, list) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in cast(list[object], value)]
    if isinstance(value, float):
        return float(f"{value:.7g}")  # what a float32 holds: 0.02 rather than 0.01999999955
    return value.decode(errors="replace") if isinstance(value, bytes) else value


_NOBODY_THERE = (ServerUnavailable, TlsError, DeadlineExceeded)


@dataclass(frozen=True)
class Served:
    """A model on a server.

    Attributes:
        name: the model's.
        versions: newest first; none if it is not served.
        metadata: of the newest version that can be called.
        described: what that version says about itself.
        error: why the rest is not known.
    """

    name: str
    versions: tuple[VersionStatus, ...] = ()
    metadata: ModelMetadata | None = None
    described: Description | None = None
    error: CallError | None = None

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of the table: model, version, state, and signatures or error."""
        if not self.versions:
            return [(self.name, "-", "not served" if self.error is None else "not known", "")]
        return [
            (self.name, str(v.version), v.state.name, v.error or self._signatures(v)) for v in self.versions
        ]

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        signatures = () if self.metadata is None else self.metadata.signatures.values()
        return {
            "model": self.name,
            "versions": [
                {"version": v.version, "state": v.state.name, "error": v.error} for v in self.versions
            ],
            "description": self.described,
            "signatures": {
                signature.name: {
                    "inputs": [_tensor_as_json(info) for info in signature.inputs.values()],
                    "outputs": [_tensor_as_json(info) for info in signature.outputs.values()],
                }
                for signature in signatures
            },
            **({} if self.error is None else {"error": str(self.error)}),
        }

    def _signatures(self, status: VersionStatus) -> str:
        if self.metadata is None or status.version != self.metadata.version:
            return ""
        return " ".join(self.metadata.signatures)


def served(client: Client, name: str) -> Served:
    """Ask a server about one name. What it does not tell is left out, and the error says why.

    Behind one address there may be several servers, of which one knows a version that the next one does not.

    Raises:
        CallError: nobody answers there.
    """
    try:
        versions = client.status(name)
    except ModelNotFound:
        return Served(name)
    except _NOBODY_THERE:
        raise
    except CallError as error:
        return Served(name, error=error)
    metadata, described = None, None
    if any(version.state is State.AVAILABLE for version in versions):
        try:
            metadata = client.metadata(name)
            described = description(client, metadata)
        except CallError as error:
            return Served(name, versions, metadata, error=error)
    return Served(name, versions, metadata, described)


def _tensor_as_json(info: TensorInfo) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": info.name, "dtype": info.dtype, "shape": info.shape}
    if info.default is not None:
        entry["default"] = info.default.tolist()
    return entry
