"""Checks of a replica as a whole, before any model is called."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from impasto.client import errors
from impasto.client._transport import calls
from impasto.client.checking.findings import Finding, failed, passed, warned
from impasto.client.checking.probe import Probe

_NOBODY_THERE: Final = (
    errors.ServerUnavailable,
    errors.TlsError,
    errors.DeadlineExceeded,
    errors.CallUnsupported,
)
_SERVING: Final = b"\x08\x01"
"""A HealthCheckResponse with the status SERVING."""


def reachable(probe: Probe) -> Finding:
    """Check that a model server answers. Raises CallError if none does."""
    started = time.perf_counter()
    try:
        probe.ask(calls.ping_call())
    except (*_NOBODY_THERE, errors.DecodeError):
        raise
    except errors.CallError:
        pass  # the refusal that a call for no model gets: it answers
    return passed("reachable", f"answers in {1000 * (time.perf_counter() - started):.0f} ms")


def unreachable(error: errors.CallError) -> list[Finding]:
    """The findings about a replica that does not answer."""
    if isinstance(error, errors.TlsError):
        remedy = "--tls-ca, --tls-server-name, --tls/--no-tls here, or --ssl_config_file of the server"
        return [failed("tls", str(error), remedy)]
    return [failed("reachable", str(error), "--server")]


def tls(probe: Probe) -> Finding:
    """Say how the connection is protected. It stands, so it is as the settings ask."""
    asked = probe.settings.tls
    if asked is None:
        return passed("tls", "plain text, as asked")
    own = ", with this client's certificate" if asked.certificate is not None else ""
    return passed("tls", f"encrypted, and the server's certificate is trusted{own}")


def health(probe: Probe) -> Iterator[Finding]:
    """Check that the health service answers, which probes and load balancers ask."""
    try:
        answer = probe.health()
    except errors.CallUnsupported:
        yield warned(
            "health", "there is no health service to probe", "--enable_grpc_healthcheck_service=true"
        )
        return
    if answer == _SERVING:
        yield passed("health", "SERVING")
    else:
        yield failed(
            "health", f"the health service does not say SERVING, but {answer[:20].hex() or 'nothing'}"
        )
