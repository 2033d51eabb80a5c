"""The wait for a server that starts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from impasto.client import errors
from impasto.client._jobs.steps import Pause, Steps
from impasto.client._jobs.values import names
from impasto.client._transport import calls
from impasto.client._transport.calls import check_timeout
from impasto.client._transport.failures import how_to_start
from impasto.client.model import Model, State, VersionStatus

_POLL_SECONDS: Final = 0.1

# What waiting does not mend.
_HOPELESS: Final = (
    errors.TlsError,
    errors.CallUnsupported,
    errors.ClientClosed,
    errors.DecodeError,
    errors.ForkedProcess,
    errors.WrongEventLoop,
)


def wait_ready(models: Iterable[str], *, timeout: float, address: str) -> Steps[None]:
    """Poll until the server answers and every model has an AVAILABLE version.

    Raises:
        ValueError: `timeout` is not a positive number of seconds.
        ServerUnavailable: nothing answered within `timeout` seconds.
        TlsError: at once, if server and client do not trust each other.
        CallUnsupported: at once, if what answers is not TensorFlow Serving's gRPC port.
        DecodeError: at once, if what it answers cannot be read.
        ClientClosed: at once, if the client is closed; also ForkedProcess and WrongEventLoop.
        DeadlineExceeded: the server answers, but a model is not available in time; says which and why.
    """
    check_timeout(timeout)
    wanted = names("models", models)
    deadline = time.monotonic() + timeout
    yield from _until_answered(deadline, timeout, address)
    for model in wanted:
        yield from _until_available(model, deadline, timeout, address)


def _until_answered(deadline: float, timeout: float, address: str) -> Steps[None]:
    while True:
        try:
            yield calls.ping_call()
        except (errors.ServerUnavailable, errors.DeadlineExceeded, errors.CallAborted) as error:
            if time.monotonic() >= deadline:
                raise errors.ServerUnavailable(
                    f"no model server answered at {address} within {timeout:g} seconds. {how_to_start(address)}",
                    code=error.code,
                    details=error.details,
                    address=address,
                ) from error
        except _HOPELESS:
            raise
        except errors.CallError:
            return  # it answers, with the refusal that a call for no model gets
        else:
            return
        yield Pause(_POLL_SECONDS)


def _until_available(model: str, deadline: float, timeout: float, address: str) -> Steps[None]:
    last: errors.CallError | None = None
    seen = "the server does not know it"
    while True:
        try:
            versions = yield calls.status_call(Model(model))
        except (errors.ModelNotFound, errors.ServerUnavailable, errors.DeadlineExceeded) as error:
            last, seen = error, error.details
        else:
            if any(version.state is State.AVAILABLE for version in versions):
                return
            last = None
            seen = _told(versions)
        if time.monotonic() >= deadline:
            raise errors.DeadlineExceeded(
                f"{model} at {address} was not available within {timeout:g} seconds: {seen}",
                code=last.code if last else None,
                details=seen,
                address=address,
                model=model,
            ) from last
        yield Pause(_POLL_SECONDS)


def _told(versions: Sequence[VersionStatus]) -> str:
    told = [f"version {v.version} is {v.state.name} {v.error}".strip() for v in versions]
    return ", ".join(told) or "the server knows no version of it"
