"""The running servers whose configuration is changed: each replica directly, never through a balancer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, cast

import grpc
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client import Client, Settings, State, Timeouts, TlsOptions, VersionStatus, open_channel
from impasto.client.errors import ModelNotFound
from impasto.serving.errors import RolloutError
from impasto.serving.wire import delimited

if TYPE_CHECKING:
    from typing_extensions import Self

RELOAD: Final = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

_CONFIG_FIELD: Final = 1
"""ReloadConfigRequest.config. Its message is not imported: that would import TensorFlow, which takes seconds."""

_POLL_SECONDS: Final = 0.2

_SETTLING_SECONDS: Final = 30.0
"""The seconds during which a failure may be an earlier one; longer than servers wait between looks at the disk."""


class Fleet:
    """Several servers with the same models, to be changed and watched.

    Args:
        addresses: the address of each server, in the client's form.
        tls: for all servers; None for plain text.
        timeout: the seconds for each call, and for each wait. Without it, a reload that names a model which a server
            cannot load would wait without end.
        check: called again and again while it waits for a version; raises what ends the wait.

    Raises:
        AddressError: an address cannot be used.
        CertificateError: a certificate or key cannot be used.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        tls: TlsOptions | None,
        timeout: float,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._timeout = timeout
        self._check = check
        settings = [
            Settings(address=address, timeouts=Timeouts.of(timeout), tls=tls) for address in addresses
        ]
        self._clients = [Client(settings=each) for each in settings]
        self._channels = [open_channel(each) for each in settings]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        for channel in self._channels:
            channel.close()

    def available(self, model: str) -> set[int]:
        """Return the versions of a model that can be called on every server. Raises CallError."""
        found = [
            {status.version for status in self._status(client, model) if status.state is State.AVAILABLE}
            for client in self._clients
        ]
        return set.intersection(*found)

    def reload(self, config: config_pb2.ModelServerConfig) -> None:
        """Put a configuration in force on each server, in order.

        Raises:
            RolloutError: one refuses it; those after it were not asked.
            CallError: one cannot be reached.
        """
        request = delimited(_CONFIG_FIELD, config.SerializeToString())
        for client, channel in zip(self._clients, self._channels, strict=True):
            client.wait_ready(timeout=self._timeout)
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RELOAD)
            try:
                # The connection may be older than the server: gRPC makes another one.
                call(request, timeout=self._timeout, wait_for_ready=True)
            except grpc.RpcError as error:
                raise RolloutError(self._refusal(client.address, cast(grpc.Call, error))) from error

    def _refusal(self, address: str, failed: grpc.Call) -> str:
        if failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return (
                f"{address} did not put the configuration in force within {self._timeout:g} seconds: it waits for a "
                "model that is slow to load or cannot be loaded, and its further reloads wait behind this one. Its log "
                "says which; restart it with a configuration that it can load"
            )
        return f"{address} refuses the configuration: {failed.code().name}: {failed.details()}"

    def failed(self, model: str) -> set[tuple[str, int]]:
        """Return address and version of each failure to load the model, now or earlier. Raises CallError."""
        return {
            (client.address, status.version)
            for client in self._clients
            for status in self._status(client, model)
            if _has_failed(status)
        }

    def await_available(
        self, model: str, versions: Collection[int], *, failed_before: Collection[tuple[str, int]] = ()
    ) -> None:
        """Wait until the versions can be called on every server.

        Args:
            model: the model's name.
            versions: the versions.
            failed_before: the result of `failed` before the reload that asks for the versions. A server reports an
                earlier failure until it looks at its disk again.

        Raises:
            RolloutError: a version failed to load, or did not load in time.
            CallError: a server cannot be reached.
        """
        deadline = time.monotonic() + self._timeout
        for client in self._clients:
            for version in sorted(versions):
                settles = time.monotonic()
                if (client.address, version) in failed_before:
                    settles += _SETTLING_SECONDS
                self._await_version(client, model, version, settles=settles, deadline=deadline)

    def _await_version(
        self, client: Client, model: str, version: int, *, settles: float, deadline: float
    ) -> None:
        where = f"version {version} of {model} on {client.address}"
        is_old = settles > time.monotonic()  # a reported failure may be that of an earlier try
        while True:
            status = next((s for s in self._status(client, model) if s.version == version), None)
            if status is not None and status.state is State.AVAILABLE:
                return
            if status is None or not _has_failed(status):
                is_old = False
            elif not is_old:
                raise RolloutError(f"{where} did not load: {status.error}")
            elif time.monotonic() >= settles:
                raise RolloutError(
                    f"{where} did not load earlier ({status.error}), and the server has not tried it again in "
                    f"{_SETTLING_SECONDS:g} seconds. It retries only after it has seen that no configuration asks for "
                    "the version: wait for its next look at the disk, then promote again"
                )
            if time.monotonic() >= deadline:
                raise RolloutError(
                    f"{where} was not available within {self._timeout:g} seconds; it is {_state(status)}"
                )
            self._check()
            time.sleep(_POLL_SECONDS)

    def _status(self, client: Client, model: str) -> tuple[VersionStatus, ...]:
        try:
            return client.status(model)
        except ModelNotFound:
            return ()


def _has_failed(status: VersionStatus) -> bool:
    return status.state is State.END and bool(status.error)


def _state(status: VersionStatus | None) -> str:
    """Return the state of a version that is not available, and the remedy."""
    if status is None:
        return "unknown: is it in the repository?"
    if status.state is State.LOADING:
        return (
            "LOADING: it is slow to load, or the server tries again a version that fails, and says why only after "
            "--max_num_load_retries times --load_retry_interval_micros. Its log says more now"
        )
    return status.state.name
