"""The local server: TensorFlow Serving's gRPC API over a model repository, in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import grpc

from impasto.serving.errors import LocalServerError
from impasto.serving.limits import ConcurrencyLimit
from impasto.serving.reservation import Reservation, join
from impasto.serving.retries import Retries
from impasto.serving.sources import ModelSource, Repository, check
from impasto.serving.transport import GrpcOptions

if TYPE_CHECKING:
    from typing_extensions import Self

    from impasto.serving.core import ServerCore
    from impasto.serving.health import Health
    from impasto.serving.manager import ModelManager

_GRACE_ON_EXIT: Final = 30.0
"""Seconds that leaving the context manager gives to running calls."""

_SPARE_THREADS: Final = 8
"""Threads beyond the limit on calls, so that calls over the limit are refused rather than queued."""


class LocalServer:
    """Answers PredictionService and ModelService for the models of a repository or of a configuration.

    A context manager: entering loads every model and starts to listen; leaving lets running calls finish.

        with LocalServer("models") as server:
            channel = grpc.insecure_channel(server.address)

    New versions that appear on disk are loaded while the old ones answer; those finish their calls and go.

    Args:
        models: the repository, `<models>/<name>/<version>/saved_model.pb`, of which the newest version of
            each model is served; or a ConfigFile or a SingleModel.
        host: the name or address to listen on.
        port: the port; 0 takes a free one.
        only: names of the repository's models to serve; all by default.
        grpc_max_threads: as the flag of TensorFlow Serving; by default 4 for each CPU. One call fewer is answered
            at once, and more are refused (RESOURCE_EXHAUSTED); 1 refuses every call.
        warm_up: replay each version's warm-up records before listening.
        serialization_as_tensor_content: answer with `tensor_content` rather than with typed fields, as
            TensorFlow Serving's `--enable_serialization_as_tensor_content`.
        file_system_poll_wait_seconds: how often to look for new versions (and, in a repository, models); 0
            looks once.
        max_num_load_retries: how often to try again to load a version that fails to, while its state is LOADING;
            `start` waits for it. TensorFlow Serving's default is 5.
        load_retry_interval_micros: microseconds between two such tries.
        allow_version_labels_for_unavailable_models: let a label that points nowhere yet name a version that is
            not loaded; a configuration that has labels at the start needs it.
        grpc_options: TLS, a Unix socket, gRPC's settings.

    Raises:
        ValueError: a port, a number of threads or a time out of range; `only` without a repository.
    """

    def __init__(
        self,
        models: str | os.PathLike[str] | ModelSource,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        only: Sequence[str] | None = None,
        grpc_max_threads: int | None = None,
        warm_up: bool = True,
        serialization_as_tensor_content: bool = False,
        file_system_poll_wait_seconds: float = 1.0,
        max_num_load_retries: int = 0,
        load_retry_interval_micros: int = 60_000_000,
        allow_version_labels_for_unavailable_models: bool = False,
        grpc_options: GrpcOptions | None = None,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port: {port} is not between 0 and 65535; 0 takes a free one")
        if grpc_max_threads is not None and grpc_max_threads < 1:
            raise ValueError(f"grpc_max_threads: {grpc_max_threads} is less than 1")
        if not file_system_poll_wait_seconds >= 0:
            raise ValueError(f"file_system_poll_wait_seconds: {file_system_poll_wait_seconds} is negative")
        if isinstance(models, str | os.PathLike):
            named = None if only is None else tuple(only)
            models = Repository(Path(models), named, poll_seconds=file_system_poll_wait_seconds)
        elif only is not None:
            raise ValueError("only: names models of a repository; a configuration lists its own")
        self._source: ModelSource = models
        self._poll_seconds = file_system_poll_wait_seconds
        self._labels_for_unavailable = allow_version_labels_for_unavailable_models
        self._grpc_options = grpc_options or GrpcOptions()
        self._host = host
        self._port = port
        self._threads = grpc_max_threads or 4 * (os.cpu_count() or 1)
        self._retries = Retries(max_num_load_retries, load_retry_interval_micros / 1e6)
        self._warm_up = warm_up
        self._as_content = serialization_as_tensor_content
        self._is_used = False
        self._is_stopped = False
        self._opening = threading.Lock()
        self._server: grpc.Server | None = None
        self._pool: futures.ThreadPoolExecutor | None = None
        self._manager: ModelManager | None = None
        self._core: ServerCore | None = None
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
        return join(self._host, self._port)

    @property
    def loaded(self) -> list[tuple[str, int]]:
        """Name and version of every loaded model, in order of name."""
        return [] if self._manager is None else self._manager.available()

    def start(self) -> None:
        """Load every model, then listen. Until then, whoever connects to the port is refused.

        The models of a configuration that have no version on disk yet are waited for, as TensorFlow Serving waits.

        Raises:
            RepositoryError: the repository, or a model of `only`, is not there.
            ConfigError: the configuration, or the TLS file, cannot be used.
            AddressError: the address cannot be listened on.
            ModelLoadError: a model is corrupt or its warm-up fails.
            LocalServerError: the server was stopped while it was starting.
            RuntimeError: the server was started before.
        """
        if self._is_used:
            raise RuntimeError("this LocalServer was started before; make a new one")
        self._is_used = True
        check(self._source)
        credentials = self._grpc_options.credentials()
        reservation = Reservation(self._host, self._port, self._grpc_options.socket_path)
        self._port = reservation.port
        try:
            # TensorFlow is imported here, after the checks that need none of it.
            from impasto.serving.core import ServerCore
            from impasto.serving.manager import ModelManager

            self._manager = ModelManager(warm_up_models=self._warm_up)
            self._core = ServerCore(
                self._manager,
                self._source,
                retries=self._retries,
                poll_seconds=self._poll_seconds,
                labels_for_unavailable=self._labels_for_unavailable,
            )
            self._core.start()
            with self._opening:
                if self._is_stopped:
                    raise LocalServerError("the server was stopped before it had started")
                self._listen(self._manager, self._core, reservation, credentials)
        except BaseException:
            self.stop(grace=None)
            raise
        finally:
            reservation.close()

    def _listen(
        self,
        manager: ModelManager,
        core: ServerCore,
        reservation: Reservation,
        credentials: grpc.ServerCredentials | None,
    ) -> None:
        from impasto.serving.handlers import generic_handlers
        from impasto.serving.health import Health

        self._pool = futures.ThreadPoolExecutor(self._threads + _SPARE_THREADS, "impasto-serving")
        self._server = grpc.server(
            self._pool,
            handlers=generic_handlers(manager, core, as_content=self._as_content),
            interceptors=[ConcurrencyLimit(self._threads)],
            options=self._grpc_options.server_options(),
        )
        if self._grpc_options.health_service:
            self._health = Health(self._server)
        reservation.listen(self._server, credentials)
        self._server.start()

    def stop(self, grace: float | None = None) -> None:
        """Stops: health turns NOT_SERVING, new calls are refused, running ones may finish.

        May be called more than once, and from any thread.

        Args:
            grace: seconds that running calls are given; then, or at once if None, they are aborted.
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
