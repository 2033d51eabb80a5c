"""OpenTelemetry's spans and metrics of jobs and calls, by its API alone. Imported only where a program uses it.

Attributes follow the semantic conventions for RPC where these have one, and begin with `impasto.` elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider

from impasto.client._transport.calls import Call
from impasto.client._transport.observing import Attributes, CallRecord, Span
from impasto.client.errors import CallError
from impasto.client.settings.addresses import endpoints

_NAME = "impasto.client"


class _Traced(Span):
    """A span of OpenTelemetry's."""

    def __init__(self, span: trace.Span, *, carried: bool = False) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span)
        if carried:
            carrier: dict[str, str] = {}
            propagate.inject(carrier, self._context)
            self.metadata = tuple((key.lower(), value) for key, value in carrier.items())

    @contextmanager
    def current(self) -> Generator[None]:
        """Let what begins in the block belong to it. A generator must not yield in the block."""
        token = context.attach(self._context)
        try:
            yield
        finally:
            context.detach(token)

    def end(self, error: BaseException | None, attributes: Attributes | None = None) -> None:
        """The work is over. Whoever stops a generator or cancels a task does not make it an error."""
        self._span.set_attributes(attributes or {})
        if error is not None and not isinstance(error, GeneratorExit):
            self._span.set_attribute("error.type", type(error).__name__)
        if isinstance(error, Exception):
            self._span.set_status(Status(StatusCode.ERROR, str(error)))
        self._span.end()


class Telemetry:
    """The tracer and the instruments.

    Args:
        tracers: the program's own if None, also one that it sets later.
        meters: the program's own if None.
    """

    def __init__(self, tracers: TracerProvider | None = None, meters: MeterProvider | None = None) -> None:
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracers)
        meter = metrics.get_meter(_NAME, meter_provider=meters)
        self._calls = meter.create_counter("impasto.client.calls", "{call}", "Calls, each attempt is one.")
        self._retries = meter.create_counter(
            "impasto.client.retries", "{call}", "Calls after the first attempt."
        )
        self._seconds = meter.create_histogram("impasto.client.duration", "s", "The time that a call takes.")
        self._sent = meter.create_histogram("impasto.client.request.size", "By", "The size of a request.")
        self._received = meter.create_histogram(
            "impasto.client.response.size", "By", "The size of an answer."
        )

    def job(self, kind: str, model: str) -> Span:
        """A span in the program's own."""
        attributes = {"impasto.job": kind, "impasto.model": model}
        return _Traced(self._tracer.start_span(f"impasto {kind}", attributes=attributes))

    def chunk(self, call: Call[Any]) -> Span:
        """A span in its job's."""
        attributes = {"impasto.model": call.model, "impasto.signature": call.signature}
        what = call.signature or call.method.rpartition("/")[2]
        return _Traced(self._tracer.start_span(f"{call.model} {what}".strip(), attributes=attributes))

    def call(self, call: Call[Any], address: str, attempt: int) -> Span:
        """A span in its chunk's, of which the server learns."""
        attributes = {
            **_place(call.method, address, call.model, call.signature),
            "impasto.attempt": attempt,
        }
        name = call.method.lstrip("/")
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        return _Traced(span, carried=True)

    def ended(self, record: CallRecord, span: Span) -> None:
        """End the span of a call, and count it."""
        outcome: dict[str, str | int] = {"impasto.version": record.version}
        if record.error is None:
            outcome["rpc.grpc.status_code"] = 0
        elif isinstance(record.error, CallError) and record.error.code is not None:
            outcome["rpc.grpc.status_code"] = record.error.code.value[0]
        sizes = {"impasto.bytes_sent": record.bytes_sent, "impasto.bytes_received": record.bytes_received}
        span.end(record.error, {**outcome, **sizes})
        where = {**_place(record.method, record.server, record.model, record.signature), **outcome}
        if record.error is not None:
            where["error.type"] = type(record.error).__name__
        self._calls.add(1, where)
        if record.attempt > 1:
            self._retries.add(1, where)
        self._seconds.record(record.seconds, where)
        self._sent.record(record.bytes_sent, where)
        if record.error is None:
            self._received.record(record.bytes_received, where)


@functools.lru_cache(maxsize=256)
def _place(method: str, address: str, model: str, signature: str) -> Attributes:
    """The attributes that say what is called and where. Of replicas, the call's own is not known."""
    service, _, name = method.lstrip("/").partition("/")
    replicas = endpoints(address)
    host, port = replicas[0] if len(replicas) == 1 else (address, None)
    return {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": name,
        "server.address": host,
        **({} if port is None else {"server.port": port}),
        "impasto.model": model,
        "impasto.signature": signature,
    }
