"""One loaded version of a model."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2

from impasto.serving.session import ServingSession


class Servable:
    """One loaded version of a model: its signatures, and the session that runs them.

    Args:
        name: the model's name.
        version: its version.
        directory: the version's directory.

    Raises:
        StatusError: the SavedModel is missing or corrupt.
    """

    def __init__(self, *, name: str, version: int, directory: Path) -> None:
        self.name = name
        self.version = version
        self.directory = directory
        self._session = ServingSession(directory)
        self._calls = 0
        self._idle = threading.Condition()

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """Every SignatureDef of the model by its name."""
        signatures: Mapping[str, meta_graph_pb2.SignatureDef] = self._session.meta_graph.signature_def
        return signatures

    def run(
        self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[NDArray[Any]]:
        """Runs the graph once; see `ServingSession.run`."""
        return self._session.run(feeds, fetches, timeout_ms=timeout_ms)

    def enter(self) -> None:
        """Counts a call that is about to use this version, until `leave`."""
        with self._idle:
            self._calls += 1

    def leave(self) -> None:
        """The call that entered has its answer."""
        with self._idle:
            self._calls -= 1
            self._idle.notify_all()

    def drain(self) -> None:
        """Blocks until every call that entered has left; new ones must no longer find this version."""
        with self._idle:
            self._idle.wait_for(lambda: self._calls == 0)

    def close(self) -> None:
        """Frees the session; a call still running is aborted with CANCELLED."""
        self._session.close()
