"""The models that the server has, as the page shows them: asked for at most every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from impasto.client import (
    AsyncClient,
    DescribeDream,
    DescribeTransfer,
    DescribeUpscale,
    Job,
    Model,
    State,
    VersionStatus,
    signatures,
)
from impasto.client.array_text import told_values
from impasto.client.errors import CallError, DeadlineExceeded, ModelNotFound, ServerUnavailable, TlsError
from impasto.client.studio import words
from impasto.client.studio.refusals import without_paths, words_of

_FRESH_SECONDS: Final = 4.0
_START_SECONDS: Final = 2.0
"""A page that opens is told what is known after so many seconds, if the server takes longer."""

_LABELS: Final = ("stable", "canary")
"""Those that `impasto-serving` gives; a server does not tell its labels, so it is asked what they stand for."""

_DESCRIBE: Final[Mapping[str, Callable[..., Job[Any, Any]]]] = {
    signatures.UPSCALE.name: DescribeUpscale,
    signatures.DREAM.name: DescribeDream,
    signatures.TRANSFER.name: DescribeTransfer,
}
_NOBODY_THERE: Final = (ServerUnavailable, TlsError, DeadlineExceeded)


@dataclass(frozen=True)
class ServedModel:
    """A model that the server knows.

    Attributes:
        name: the model's.
        kind: upscale, stylize, dream or transfer.
        versions: newest first.
        labels: the version that each label stands for.
        described: what the newest version that answers says of itself, a description of its kind; of a stylizer a
            mapping.
        error: why that is not known.
    """

    name: str
    kind: str
    versions: tuple[VersionStatus, ...] = ()
    labels: Mapping[str, int] | None = None
    described: Any = None
    error: str | None = None

    @property
    def healthy(self) -> bool:
        """True if it answers."""
        return self.described is not None and self.error is None

    def as_json(self) -> dict[str, Any]:
        """Return what the page about the server shows."""
        network, weights = network_and_weights(self.described)
        return {
            "name": self.name,
            "kind": self.kind,
            "versions": [
                {"version": one.version, "state": one.state.name, "error": without_paths(one.error)}
                for one in self.versions
            ],
            "labels": dict(self.labels or {}),
            "network": network,
            "weights": weights,
            "licence": words.licence(weights),
            "factors": list(getattr(self.described, "factors", ())),
            "healthy": self.healthy,
            "error": self.error,
        }


class Served:
    """Knows what a server has.

    Args:
        client: of the server.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._known: dict[str, ServedModel] = {}
        self._error: str | None = "The model server has not answered yet."
        self._asked = -_FRESH_SECONDS
        self._asking: asyncio.Task[None] | None = None

    @property
    def error(self) -> str | None:
        """Why nothing is known of the server; None if it answers."""
        return self._error

    def described(self, kind: str) -> list[ServedModel]:
        """Return the models of a kind that answer."""
        return [model for model in self._known.values() if model.kind == kind and model.healthy]

    def factor(self, name: str) -> int | None:
        """Return the factor that an upscaler takes where none is asked for; None if it is not known."""
        model = self._known.get(name)
        factors: tuple[int, ...] = getattr(model.described, "factors", ()) if model is not None else ()
        return factors[0] if factors else None

    async def models(self) -> list[dict[str, Any]]:
        """Return all that is known of each model, as JSON values."""
        await self.refresh()
        return [model.as_json() for model in self._known.values()]

    async def refresh(self, *, within: float | None = None) -> None:
        """Ask the server, unless that was done a moment ago.

        Args:
            within: the seconds to wait at most; the question goes on behind.
        """
        if self._asking is None and time.monotonic() - self._asked >= _FRESH_SECONDS:
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._ended)
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=within)

    async def start(self) -> dict[str, Any]:
        """Return the parts of the page's start that are about the server."""
        await self.refresh(within=_START_SECONDS)
        error = {} if self._error is None else {"server_error": self._error}
        return {**error, **words.start(self)}

    async def close(self) -> None:
        """Ask nothing any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        self._asked = time.monotonic()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._error = words_of(error)

    async def _ask(self) -> None:
        try:
            found = await asyncio.gather(
                *(self._ask_about(name, contract.name) for name, contract in signatures.MODELS.items())
            )
        except CallError as error:
            self._error, self._known = words_of(error), {}
            return
        self._error = None
        self._known = {model.name: model for model in found if model is not None}

    async def _ask_about(self, name: str, kind: str) -> ServedModel | None:
        """Return what the server says of a name; None if it has no such model. Raises CallError: nobody answers."""
        try:
            versions = await self._client.status(name)
        except ModelNotFound:
            return None
        except _NOBODY_THERE:
            raise
        except CallError as error:
            return ServedModel(name, kind, error=words_of(error))
        model = ServedModel(name, kind, versions, await self._labels(name))
        if not any(version.state is State.AVAILABLE for version in versions):
            return replace(model, error="No version of it is ready.")
        try:
            return replace(model, described=await self._description(name, kind))
        except _NOBODY_THERE:
            raise
        except CallError as error:
            return replace(model, error=words_of(error))

    async def _labels(self, name: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for label in _LABELS:
            try:
                versions = await self._client.status(Model(name, label=label))
            except CallError:
                continue
            if len(versions) == 1:
                found[label] = versions[0].version
        return found

    async def _description(self, name: str, kind: str) -> Any:
        describe = _DESCRIBE.get(kind)
        if describe is not None:
            return await self._client.run(describe(model=name))
        metadata = await self._client.metadata(name)
        signature = metadata.signatures.get("describe")
        if signature is None or any(info.default is None for info in signature.inputs.values()):
            return {}
        outputs = await self._client.predict(Model(name, metadata.version), {}, signature="describe")
        return {output: told_values(array) for output, array in outputs.items()}


def network_and_weights(described: Any) -> tuple[str | None, str | None]:
    """Return the name of the network in a description, and the line about its weights."""
    if isinstance(described, Mapping):
        told = cast("Mapping[str, object]", described)
        return _text(told.get("source")), _text(told.get("weights"))
    network = getattr(described, "network", None) or getattr(described, "backbone", None)
    return network, getattr(described, "weights", None)


def _text(value: object) -> str | None:
    """Return a text that a model told, which may be in a list."""
    while isinstance(value, list) and value:
        value = cast("list[object]", value)[0]
    return value if isinstance(value, str) else None
