"""OpenTelemetry: a span for each job, chunk and call, the trace's context in the metadata, and metrics of calls."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from PIL import Image

from images.pictures import pixels
from impasto.client import AsyncClient, Client, Dream, Retries, Upscale, errors
from impasto.client._transport import observing
from impasto.client._transport.asynchronous import in_thread
from impasto.client._transport.tracing import Telemetry
from processes import traced_program
from processes.forked import child
from processes.scripts import run_script
from scripted.client_servers import aborting, prediction, scripted
from scripted.enlarging import describing, description
from scripted.outages import Outages
from servers.model_servers import ModelServer

PREDICT = "tensorflow.serving.PredictionService/Predict"
TERMS = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
TWICE = Retries(attempts=2, first_pause=0.01)
DOUBLED = np.full((1, 64, 64, 3), 7, np.uint8)
PICTURE = pixels(32, 54)
"""In tiles of 32 pixels, two."""


@dataclass
class Traced:
    """What OpenTelemetry has been told."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    tracers: TracerProvider = field(default_factory=TracerProvider)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name == name]

    def inside(self, parent: ReadableSpan) -> list[ReadableSpan]:
        return [
            span for span in self.spans() if span.parent and span.parent.span_id == parent.context.span_id
        ]

    def tree(self, parent: ReadableSpan) -> Any:
        return [parent.name, *(self.tree(span) for span in self.inside(parent))]

    def points(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    """OpenTelemetry for this test alone: a process can set its own up only once."""
    found = Traced()
    found.tracers.add_span_processor(SimpleSpanProcessor(found.exporter))
    meters = MeterProvider([found.reader])
    telemetry = Telemetry(found.tracers, meters)
    monkeypatch.setattr(observing, "loaded", lambda: telemetry)
    yield found
    meters.shutdown()
    found.tracers.shutdown()


def answer(*_: object) -> bytes:
    return prediction(image=DOUBLED)


async def run_by_async_client(address: str, job: Any) -> None:
    async with AsyncClient(address, retries=TWICE) as client:
        await client.run(job)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_job_its_chunks_and_their_calls_are_children_of_one_another(
    traced: Traced, asynchronous: bool
) -> None:
    job = Upscale(PICTURE, tile=32)
    with (
        scripted(describing(Outages(answer, [1]))) as server,
        traced.tracers.get_tracer("app").start_as_current_span("app"),
    ):
        if asynchronous:
            asyncio.run(run_by_async_client(server.address, job))
        else:
            with Client(server.address, retries=TWICE) as client:
                client.run(job)
    (app,) = traced.named("app")
    chunks = ["srcnn serving_default", [PREDICT]], ["srcnn serving_default", [PREDICT], [PREDICT]]
    assert traced.tree(app) == ["app", ["impasto upscale", ["srcnn describe", [PREDICT]], *chunks]]


def test_spans_have_the_attributes_of_the_conventions_and_our_own(traced: Traced) -> None:
    with (
        scripted(describing(Outages(answer, [0]))) as server,
        Client(server.address, retries=TWICE) as client,
    ):
        client.upscale(pixels(32, 32))
        host, port = server.address.split(":")
    _, failed, done = traced.named(PREDICT)  # the first asks what the model is
    common = {
        "rpc.system": "grpc",
        "rpc.service": "tensorflow.serving.PredictionService",
        "rpc.method": "Predict",
        "server.address": host,
        "server.port": int(port),
        "impasto.model": "srcnn",
        "impasto.signature": "serving_default",
        "impasto.version": 0,  # this server does not say
    }
    assert failed.kind is done.kind is SpanKind.CLIENT
    sent = (failed.attributes or {})["impasto.bytes_sent"]
    assert isinstance(sent, int) and sent > 32 * 32 * 3
    assert dict(failed.attributes or {}) == {
        **common,
        "rpc.grpc.status_code": grpc.StatusCode.UNAVAILABLE.value[0],
        "error.type": "ServerUnavailable",
        "impasto.attempt": 1,
        "impasto.bytes_sent": sent,
        "impasto.bytes_received": 0,
    }
    assert failed.status.status_code is StatusCode.ERROR
    assert dict(done.attributes or {}) == {
        **common,
        "rpc.grpc.status_code": 0,
        "impasto.attempt": 2,
        "impasto.bytes_sent": sent,
        "impasto.bytes_received": len(answer()),
    }
    (chunk,) = traced.named("srcnn serving_default")
    (job,) = traced.named("impasto upscale")
    assert dict(job.attributes or {}) == {"impasto.job": "upscale", "impasto.model": "srcnn"}
    assert {span.status.status_code for span in (done, chunk, job)} == {StatusCode.UNSET}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_server_gets_the_context_of_the_calls_own_span(traced: Traced, asynchronous: bool) -> None:
    sent: list[dict[str, str | bytes]] = []

    def look(request: bytes, context: grpc.ServicerContext) -> bytes:
        sent.append(dict(context.invocation_metadata()))
        return describing(answer)(request, context)

    with scripted(look) as server:
        if asynchronous:
            asyncio.run(run_by_async_client(server.address, Upscale(PICTURE, tile=32)))
        else:
            with Client(server.address, metadata={"x-team": "pictures"}) as client:
                client.upscale(PICTURE, tile=32)
    calls = traced.named(PREDICT)
    assert [metadata["traceparent"] for metadata in sent] == [
        f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
        for span in calls
    ]
    assert len({span.context.trace_id for span in calls}) == 1
    assert asynchronous or {metadata["x-team"] for metadata in sent} == {"pictures"}


def test_calls_are_counted_and_measured(traced: Traced) -> None:
    with (
        scripted(describing(Outages(answer, [0]))) as server,
        Client(server.address, retries=TWICE) as client,
    ):
        client.upscale(PICTURE, tile=32)
    points = traced.points()
    by_status: Counter[int] = Counter()
    for point in points["impasto.client.calls"]:
        by_status[point.attributes["rpc.grpc.status_code"]] += point.value
    assert by_status == {0: 1 + 2, grpc.StatusCode.UNAVAILABLE.value[0]: 1}
    (retry,) = points["impasto.client.retries"]
    assert retry.value == 1
    assert (retry.attributes["impasto.model"], retry.attributes["rpc.method"]) == ("srcnn", "Predict")
    assert sum(point.count for point in points["impasto.client.duration"]) == 4
    assert all(point.sum > 0 for point in points["impasto.client.duration"])
    assert sum(point.count for point in points["impasto.client.request.size"]) == 4
    assert sum(point.sum for point in points["impasto.client.response.size"]) == 2 * len(answer()) + len(
        description()
    )


def test_a_job_that_fails_says_so_and_one_that_is_stopped_does_not(traced: Traced) -> None:
    with (
        scripted(aborting(grpc.StatusCode.NOT_FOUND)) as server,
        Client(server.address) as client,
        pytest.raises(errors.ModelNotFound),
    ):
        client.upscale(PICTURE)
    (job,) = traced.named("impasto upscale")
    assert job.status.status_code is StatusCode.ERROR
    assert (job.attributes or {})["error.type"] == "ModelNotFound"
    traced.exporter.clear()
    with scripted(describing(answer)) as server, Client(server.address) as client:
        steps = client.iterate(Upscale(PICTURE, tile=32))
        next(steps)
        next(steps)
        steps.close()
    (job,) = traced.named("impasto upscale")
    assert job.status.status_code is StatusCode.UNSET
    assert "error.type" not in (job.attributes or {})


@pytest.mark.parametrize("asynchronous", [False, True])
def test_between_its_steps_a_job_is_not_the_current_span_of_whoever_iterates(
    traced: Traced, asynchronous: bool
) -> None:
    tracer = traced.tracers.get_tracer("app")

    async def iterate(address: str) -> None:
        async with AsyncClient(address) as client:
            async for _ in client.iterate(Upscale(PICTURE, tile=32)):
                tracer.start_span("mine").end()

    with scripted(describing(answer)) as server, tracer.start_as_current_span("app"):
        if asynchronous:
            asyncio.run(iterate(server.address))
        else:
            with Client(server.address) as client:
                for _ in client.iterate(Upscale(PICTURE, tile=32)):
                    tracer.start_span("mine").end()
    (app,) = traced.named("app")
    assert sorted(span.name for span in traced.inside(app)) == ["impasto upscale", "mine", "mine", "mine"]


def test_a_dream_is_one_trace_and_says_which_version_answers(
    traced: Traced, dream_server: ModelServer
) -> None:
    with Client(dream_server.address) as client:
        client.run(Dream(pixels(48, 64), steps=3))
    (job,) = traced.named("impasto dream")
    chunks = traced.inside(job)
    assert {span.name for span in chunks} >= {"dream open", "dream ascend", "dream close"}
    assert all(len(traced.inside(chunk)) == 1 for chunk in chunks)
    calls = traced.named(PREDICT)
    assert len(calls) == len(chunks)
    assert {(span.attributes or {})["impasto.version"] for span in calls} == {1}


def test_the_jobs_of_a_map_are_children_of_the_span_that_began_it(
    traced: Traced, committed_server: ModelServer
) -> None:
    with Client(committed_server.address) as client:
        client.describe_upscale()  # which the first of them would do
        with traced.tracers.get_tracer("app").start_as_current_span("app"):
            outcomes = list(client.map(Upscale(pixels(20, 20, seed=seed)) for seed in range(5)))
        assert all(outcome.error is None for outcome in outcomes)
    (app,) = traced.named("app")
    job = ["impasto upscale", ["srcnn serving_default", [PREDICT]]]
    assert traced.tree(app) == ["app", *[job] * 5]


def test_tasks_at_once_do_not_take_one_anothers_spans(traced: Traced, committed_server: ModelServer) -> None:
    tracer = traced.tracers.get_tracer("app")

    async def upscale(client: AsyncClient, number: int) -> None:
        with tracer.start_as_current_span(f"task {number}"):
            await client.upscale(pixels(20, 20, seed=number))

    async def ask() -> None:
        async with AsyncClient(committed_server.address) as client:
            await client.describe_upscale()  # which the first of them would do
            await asyncio.gather(*(upscale(client, number) for number in range(6)))

    asyncio.run(ask())
    for number in range(6):
        (task,) = traced.named(f"task {number}")
        job = ["impasto upscale", ["srcnn serving_default", [PREDICT]]]
        assert traced.tree(task) == [f"task {number}", job]


def test_threads_each_have_their_own_and_may_take_the_programs_along(
    traced: Traced, toy_server: ModelServer
) -> None:
    tracer = traced.tracers.get_tracer("app")
    with Client(toy_server.address) as client, ThreadPoolExecutor(4) as pool:

        def ask(number: int) -> None:
            with tracer.start_as_current_span(f"thread {number}"):
                client.predict("add", TERMS)

        list(pool.map(ask, range(8)))
        with tracer.start_as_current_span("app"):
            here = contextvars.copy_context()
            pool.submit(here.run, client.predict, "add", TERMS).result()
    for number in range(8):
        (thread,) = traced.named(f"thread {number}")
        assert traced.tree(thread) == [f"thread {number}", ["add serving_default", [PREDICT]]]
    (app,) = traced.named("app")
    assert traced.tree(app) == ["app", ["add serving_default", [PREDICT]]]


def test_what_an_asynchronous_job_does_in_threads_has_the_tasks_context() -> None:
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")

    async def ask() -> int:
        number.set(7)
        return await in_thread(lambda: number.get(0))

    assert asyncio.run(ask()) == 7


def test_a_forked_child_traces_its_own_calls(traced: Traced, toy_server: ModelServer) -> None:
    def work() -> list[str]:
        traced.exporter.clear()
        client.predict("add", TERMS)
        return [span.name for span in traced.spans()]

    with Client(toy_server.address) as client:
        client.predict("add", TERMS)
        assert child(work) == str([PREDICT, "add serving_default"])
    assert len(traced.spans()) == 2


def test_a_program_may_set_it_up_when_its_client_is_there_already(toy_server: ModelServer) -> None:
    run = run_script(traced_program, toy_server.address)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"early": [], "spans": [PREDICT, "add serving_default"]}


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from impasto.client import Client
with Client(sys.argv[1]) as client:
    client.upscale(bytes.fromhex(sys.argv[2]))
assert [name for name in sys.modules if name.startswith("opentelemetry")] == ["opentelemetry"]
"""


def test_without_it_everything_goes_on_without_it() -> None:
    file = io.BytesIO()
    Image.fromarray(pixels(32, 32)).save(file, "PNG")
    with scripted(describing(answer)) as server:
        command = [sys.executable, "-c", WITHOUT, server.address, file.getvalue().hex()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
