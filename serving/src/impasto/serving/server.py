"""The local server: TensorFlow Serving's gRPC API over a model repository, in this process."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import grpc

from impasto.serving.errors import AddressError
from impasto.serving.limits import ConcurrencyLimit
from impasto.serving.versions import newest, scan_repository

if TYPE_CHECKING:
    from typing_extensions import Self

    from impasto.serving.health import Health
    from impasto.serving.manager import ModelManager

_LOG: Final = logging.getLogger("impasto.serving")

_LARGEST_MESSAGE: Final = 2**31 - 1

_GRACE_ON_EXIT: Final = 30.0
"""Seconds that leaving the context manager gives to running calls."""

_SPARE_THREADS: Final = 8
"""Threads beyond the limit on calls, so that calls over the limit are refused rather than queued."""


class LocalServer:
    """Answers PredictionService and ModelService for the newest version of each model of a repository.

    A context manager: entering loads every model and starts to listen; leaving lets running calls finish.

        with LocalServer("models") as server:
            channel = grpc.insecure_channel(server.address)

    Args:
        models: the repository, `<models>/<name>/<version>/saved_model.pb`.
        host: the name or address to listen on.
        port: the port; 0 takes a free one.
        only: names of the models to serve; all by default.
        max_workers: calls answered at once, 4 for each CPU by default; more are refused (RESOURCE_EXHAUSTED).
        warm_up: replay each version's warm-up records before listening.
        serialization_as_tensor_content: answer with `tensor_content` rather than with typed fields, as
            TensorFlow Serving's `--enable_serialization_as_tensor_content`.

    Raises:
        ValueError: a port or a number of workers out of range.
    """

    def __init__(
        self,
        models: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        only: Sequence[str] | None = None,
        max_workers: int | None = None,
        warm_up: bool = True,
        serialization_as_tensor_content: bool = False,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port: {port} is not between 0 and 65535; 0 takes a free one")
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers: {max_workers} is less than 1")
        self._models = Path(models)
        self._host = host
        self._port = port
        self._only = None if only is None else tuple(only)
        self._max_workers = max_workers or 4 * (os.cpu_count() or 1)
        self._warm_up = warm_up
        self._as_content = serialization_as_tensor_content
        self._server: grpc.Server | None = None
        self._pool: futures.ThreadPoolExecutor | None = None
        self._manager: ModelManager | None = None
        self._health: Health | None = None

    @property
    def host(self) -> str:
        """The name or address listened on."""
        return self._host

    @property
    def port(self) -> int:
        """The port; the real one once the server has started."""
        return self._port

    @property
    def address(self) -> str:
        """What to give to a client: `host:port`."""
        return _join(self._host, self._port)

    @property
    def loaded(self) -> list[tuple[str, int]]:
        """Name and version of every loaded model, in order of name."""
        return [] if self._manager is None else self._manager.available()

    def start(self) -> None:
        """Loads every model and starts to listen.

        Raises:
            RepositoryError: the repository, or a model of `only`, is not there.
            AddressError: the address cannot be listened on.
            ModelLoadError: a model is corrupt or its warm-up fails.
            RuntimeError: the server was started before.
        """
        if self._pool is not None:
            raise RuntimeError("this LocalServer was started before; make a new one")
        scanned = scan_repository(self._models, only=self._only)
        versions = {name: newest(found) for name, found in scanned.items()}
        for name in (name for name, found in versions.items() if found is None):
            _LOG.warning("%s holds no version: a version is a folder named by a number", self._models / name)

        # TensorFlow is imported here, after the checks that need none of it.
        from impasto.serving.handlers import generic_handlers
        from impasto.serving.health import Health
        from impasto.serving.manager import ModelManager

        self._pool = futures.ThreadPoolExecutor(self._max_workers + _SPARE_THREADS, "impasto-serving")
        self._manager = ModelManager(warm_up_models=self._warm_up)
        self._server = grpc.server(
            self._pool,
            handlers=generic_handlers(self._manager, as_content=self._as_content),
            interceptors=[ConcurrencyLimit(self._max_workers)],
            options=[
                ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
                ("grpc.max_send_message_length", _LARGEST_MESSAGE),
                ("grpc.so_reuseport", 0),  # two servers must not share a port unnoticed
            ],
        )
        self._health = Health(self._server)
        try:
            self._port = self._bind(self._server)
            self._manager.load({name: found for name, found in versions.items() if found is not None})
            self._server.start()
        except BaseException:
            self.stop(grace=None)
            raise

    def stop(self, grace: float | None = None) -> None:
        """Stops: health turns NOT_SERVING, new calls are refused, running ones may finish.

        May be called more than once, and from any thread.

        Args:
            grace: seconds that running calls are given; then, or at once if None, they are aborted.
        """
        if self._health is not None:
            self._health.stop_serving()
        if self._server is not None:
            self._server.stop(grace).wait()
        if self._manager is not None:
            self._manager.close()
        if self._pool is not None:
            self._pool.shutdown()

    def wait(self) -> None:
        """Blocks until the server is stopped."""
        if self._server is not None:
            self._server.wait_for_termination()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(grace=_GRACE_ON_EXIT if kind is None else None)

    def _bind(self, server: grpc.Server) -> int:
        try:
            return server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise AddressError(
                f"cannot listen on {self.address}: {_reason(self._host, self._port) or error}. "
                "Stop the program that listens there, or choose another port (0 takes a free one)."
            ) from error


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(host: str, port: int) -> str | None:
    """Why the address cannot be bound: gRPC does not say, so the system is asked once more."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror
    return None
