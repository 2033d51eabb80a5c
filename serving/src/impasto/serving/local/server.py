"""The local server: TensorFlow Serving's gRPC API over a model repository, in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from impasto.serving.errors import LocalServerError
from impasto.serving.importing import import_tensorflow
from impasto.serving.local import transport
from impasto.serving.local.admission import WAITING, Admission
from impasto.serving.local.options import GrpcOptions, ServerOptions
from impasto.serving.local.sources import ModelSource, Repository, check_source

if TYPE_CHECKING:
    from typing_extensions import Self

    from impasto.serving.local import core, manager

_GRACE_ON_EXIT: Final = 30.0
"""The seconds that running calls get when the context manager is left."""

_SPARE_THREADS: Final = 8
"""Threads beyond the limit on calls, so that calls over the limit are refused rather than queued."""


class LocalServer:
    """A server that answers PredictionService and ModelService for a repository or a configuration of models.

    It is a context manager: entering loads every model and starts to listen; leaving lets running calls finish.

        with LocalServer("models") as server:
            channel = grpc.insecure_channel(server.address)

    New versions that appear on disk are loaded while the old ones answer; old ones finish their calls before they go.

    Args:
        models: the repository, `<models>/<name>/<version>/saved_model.pb`, of which the newest version of
            each model is served; or a ConfigFile or a SingleModel.
        host: the name or address to listen on.
        port: the port; 0 takes a free one.
        only: names of the repository's models to serve; all by default.
        options: how models are loaded and called; by default as tensorflow_model_server, without retries.
        grpc_options: TLS, a Unix socket, gRPC's settings.

    Raises:
        ValueError: the port is out of range, or `only` is given without a repository.
    """

    def __init__(
        self,
        models: str | os.PathLike[str] | ModelSource,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        only: Sequence[str] | None = None,
        options: ServerOptions | None = None,
        grpc_options: GrpcOptions | None = None,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port: {port} is not between 0 and 65535; 0 takes a free one")
        self._options = options or ServerOptions()
        self._grpc_options = grpc_options or GrpcOptions()
        if isinstance(models, str | os.PathLike):
            models = Repository(
                Path(models),
                None if only is None else tuple(only),
                poll_seconds=self._options.file_system_poll_wait_seconds,
            )
        elif only is not None:
            raise ValueError(
                "only: it chooses models of a repository, and a configuration lists its own; leave it out"
            )
        self._source: ModelSource = models
        self._host = host
        self._port = port
        self._is_used = False
        self._is_stopped = False
        self._opening = threading.Lock()
        self._server: grpc.Server | None = None
        self._pool: futures.ThreadPoolExecutor | None = None
        self._manager: manager.ModelManager | None = None
        self._core: core.ServerCore | None = None
        self._admission: Admission | None = None
        self._health: transport.Health | None = None

    @property
    def host(self) -> str:
        """The name or address that the server listens on."""
        return self._host

    @property
    def port(self) -> int:
        """The port; the real one once the server has started."""
        return self._port

    @property
    def address(self) -> str:
        """The address for clients: `host:port`."""
        return transport.join(self._host, self._port)

    @property
    def loaded(self) -> list[tuple[str, int]]:
        """Name and version of every loaded model, in order of name."""
        return [] if self._manager is None else self._manager.available()

    def start(self) -> None:
        """Load every model, then listen. Until then, connections to the port are refused.

        A model of a configuration that has no version on disk yet is waited for, as in TensorFlow Serving.

        Raises:
            RepositoryError: the repository, or a model of `only`, does not exist.
            ConfigError: the configuration, or the TLS file, cannot be used.
            AddressError: the server cannot listen on the address.
            ModelLoadError: a model is corrupt or its warm-up fails.
            LocalServerError: the server was stopped while it was starting.
            RuntimeError: the server was started before.
        """
        if self._is_used:
            raise RuntimeError("this LocalServer was started before; make a new one")
        self._is_used = True
        check_source(self._source)
        credentials = self._grpc_options.credentials()
        reservation = transport.Reservation(self._host, self._port, self._grpc_options.socket_path)
        self._port = reservation.port
        try:
            # TensorFlow is imported here, after the checks that do not need it.
            import_tensorflow()
            from impasto.serving.local import core, manager

            with self._opening:
                self._check_not_stopped()
                self._manager = manager.ModelManager(warm_up_models=self._options.enable_model_warmup)
                self._core = core.ServerCore(self._manager, self._source, self._options)
            self._core.start()
            with self._opening:
                self._check_not_stopped()
                self._listen(self._manager, self._core, reservation, credentials)
        except BaseException:
            self.stop(grace=None)
            raise
        finally:
            reservation.close()

    def _check_not_stopped(self) -> None:
        if self._is_stopped:
            raise LocalServerError("the server was stopped before it had started")

    def _listen(
        self,
        models: manager.ModelManager,
        configuration: core.ServerCore,
        reservation: transport.Reservation,
        credentials: grpc.ServerCredentials | None,
    ) -> None:
        from impasto.serving.local.handlers import generic_handlers

        threads = self._options.threads
        as_content = self._options.enable_serialization_as_tensor_content
        self._pool = futures.ThreadPoolExecutor(threads + WAITING + _SPARE_THREADS, "impasto-serving")
        self._admission = Admission(threads)
        self._server = grpc.server(
            self._pool,
            handlers=generic_handlers(
                models, configuration, as_content=as_content, enable_reload=self._options.enable_reload
            ),
            interceptors=[self._admission],
            options=self._grpc_options.server_options(),
        )
        if self._grpc_options.health_service:
            self._health = transport.Health(self._server)
        reservation.listen(self._server, credentials)
        self._server.start()

    def stop(self, grace: float | None = None) -> None:
        """Stop: health turns NOT_SERVING, new calls are refused, running ones may finish.

        This may be called more than once, and from any thread.

        Args:
            grace: the seconds after which running calls are aborted; None aborts them at once.
        """
        if self._health is not None:
            self._health.stop_serving()
        with self._opening:
            self._is_stopped = self._is_used
            server = self._server
        if server is not None:
            server.stop(grace).wait()
        if self._core is not None:
            self._core.close()
        if self._manager is not None:
            self._manager.close()
        if self._pool is not None:
            self._pool.shutdown()
        if self._admission is not None:
            self._admission.close()

    def wait(self) -> None:
        """Block until the server is stopped."""
        if self._server is not None:
            self._server.wait_for_termination()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop(grace=_GRACE_ON_EXIT if kind is None else None)
