"""What an application sees of its client's calls: the hook's records, and the log's lines."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from images.pictures import pixels
from impasto.client import AsyncClient, CallRecord, Client, Model, Retries, Upscale, Waiting, errors
from impasto.client._transport.patience import Patience
from processes.forked import child
from scripted.client_servers import aborting, prediction, scripted
from scripted.enlarging import describing
from scripted.outages import Outages
from servers.model_servers import ModelServer

TERMS = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
PREDICT = "tensorflow.serving.PredictionService/Predict"
ONCE = Retries(attempts=1)
TWICE = Retries(attempts=2, first_pause=0.01)
ESCAPE = "\x1b]0;owned\x07"

DOUBLED = np.full((1, 64, 64, 3), 7, np.uint8)
PICTURE = pixels(32, 54)
"""In tiles of 32 pixels, two."""


def answer(*_: object) -> bytes:
    return prediction(image=DOUBLED)


def test_the_hook_is_told_of_a_call_what_there_is_to_know(toy_server: ModelServer) -> None:
    seen: list[CallRecord] = []
    with Client(toy_server.address, on_call=seen.append) as client:
        client.predict("add", TERMS)
        client.predict(Model("constant", 10), {"x": TERMS["a"]}, signature="serving_default")
        client.status("add")
        client.metadata("constant")
    add, constant, status, metadata = seen
    assert (add.model, add.version, add.signature, add.method) == ("add", 1, "serving_default", PREDICT)
    assert (add.server, add.attempt, add.error, add.status) == (toy_server.address, 1, None, "OK")
    assert add.bytes_sent > 16 and add.bytes_received > 8
    assert add.seconds > 0
    assert constant.version == 10
    assert status.method == "tensorflow.serving.ModelService/GetModelStatus"
    assert (metadata.version, metadata.signature) == (10, "")  # the newest is the one that answers


def test_the_asynchronous_client_tells_the_same_in_its_event_loop(toy_server: ModelServer) -> None:
    seen: list[tuple[CallRecord, int]] = []

    def note(record: CallRecord) -> None:
        asyncio.get_running_loop()
        seen.append((record, threading.get_ident()))

    async def ask() -> None:
        async with AsyncClient(toy_server.address, on_call=note) as client:
            await asyncio.gather(*(client.predict("add", TERMS) for _ in range(5)))
            await client.predict("echo", {"x": np.ones(1 << 19, np.float32)}, signature="float32")

    asyncio.run(ask())
    assert [(record.model, record.version) for record, _ in seen] == [("add", 1)] * 5 + [("echo", 1)]
    assert seen[-1][0].bytes_received > 1 << 20
    assert {thread for _, thread in seen} == {threading.get_ident()}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_attempt_is_a_call_of_its_own(asynchronous: bool) -> None:
    seen: list[CallRecord] = []
    with scripted(Outages(answer, [0])) as server:
        if asynchronous:

            async def ask() -> None:
                async with AsyncClient(server.address, retries=TWICE, on_call=seen.append) as client:
                    await client.predict(Model("m", 3), {})

            asyncio.run(ask())
        else:
            with Client(server.address, retries=TWICE, on_call=seen.append) as client:
                client.predict(Model("m", 3), {})
    first, second = seen
    assert (first.attempt, first.status, first.bytes_received) == (1, "UNAVAILABLE", 0)
    assert isinstance(first.error, errors.ServerUnavailable)
    assert first.version == 3  # the one that was asked for
    assert (second.attempt, second.status) == (2, "OK")
    assert first.bytes_sent == second.bytes_sent > 0


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_answer_that_cannot_be_read_is_a_call_that_failed(asynchronous: bool) -> None:
    seen: list[CallRecord] = []

    async def ask(address: str) -> None:
        async with AsyncClient(address, on_call=seen.append) as client:
            await client.predict("m", {})

    with scripted(lambda *_: b"\xff\xff\xff") as server, pytest.raises(errors.DecodeError) as raised:
        if asynchronous:
            asyncio.run(ask(server.address))
        else:
            with Client(server.address, on_call=seen.append) as client:
                client.predict("m", {})
    (record,) = seen
    assert record.error is raised.value
    assert (record.status, record.bytes_received) == ("DecodeError", 3)


def test_a_cancelled_call_is_told_of_too() -> None:
    seen: list[CallRecord] = []
    begun, over = threading.Event(), threading.Event()

    def wait(*_: object) -> bytes:
        begun.set()
        over.wait(240)
        return answer()

    async def ask(address: str) -> None:
        async with AsyncClient(address, on_call=seen.append) as client:
            task = asyncio.create_task(client.predict("m", {}))
            await asyncio.to_thread(begun.wait, 240)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with scripted(wait) as server:
        asyncio.run(ask(server.address))
        over.set()
    (record,) = seen
    assert isinstance(record.error, asyncio.CancelledError)
    assert record.status == "CancelledError"


def test_what_a_hook_raises_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: CallRecord) -> None:
        raise LookupError("the hook's own")

    with scripted(describing(answer)) as server, Client(server.address, on_call=fail) as client:
        assert (np.asarray(client.upscale(PICTURE, tile=32)) == 7).all()
    assert [(record.levelname, record.name) for record in caplog.records] == [("ERROR", "impasto.client")] * 3
    assert "LookupError: the hook's own" in caplog.text
    assert "on_call" in caplog.text


def test_threads_tell_of_their_calls_themselves(toy_server: ModelServer) -> None:
    seen: list[tuple[int, CallRecord]] = []
    made: list[int] = []

    def ask(client: Client) -> None:
        made.append(threading.get_ident())
        client.predict("add", TERMS)

    with (
        Client(
            toy_server.address, on_call=lambda record: seen.append((threading.get_ident(), record))
        ) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(ask, [client] * 20))
    assert sorted(thread for thread, _ in seen) == sorted(made)
    assert {record.attempt for _, record in seen} == {1}


def test_a_forked_child_tells_of_its_own_calls(toy_server: ModelServer) -> None:
    seen: list[CallRecord] = []

    def work() -> list[str]:
        client.predict("add", TERMS)
        return [record.status for record in seen]

    with Client(toy_server.address, on_call=seen.append) as client:
        assert child(work) == "['OK']"
    assert not seen


def test_the_calls_of_a_map_are_told_of(committed_server: ModelServer) -> None:
    seen: list[CallRecord] = []
    with Client(committed_server.address, on_call=seen.append) as client:
        outcomes = list(client.map(Upscale(pixels(20, 20, seed=seed)) for seed in range(6)))
    assert all(outcome.error is None for outcome in outcomes)
    assert [(record.model, record.status) for record in seen] == [("srcnn", "OK")] * (1 + 6)
    assert [record.signature for record in seen].count("describe") == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_call_is_a_line_at_the_level_debug(
    caplog: pytest.LogCaptureFixture, toy_server: ModelServer, asynchronous: bool
) -> None:
    async def ask() -> None:
        async with AsyncClient(toy_server.address) as client:
            await client.predict("add", TERMS)

    with caplog.at_level(logging.DEBUG, "impasto.client"):
        if asynchronous:
            asyncio.run(ask())
        else:
            with Client(toy_server.address) as client:
                client.predict("add", TERMS)
    (record,) = [record for record in caplog.records if record.name == "impasto.client"]
    line = record.getMessage()
    assert line.startswith(f"Predict add version 1 serving_default at {toy_server.address}: attempt 1, OK, ")
    assert " ms, " in line and " bytes sent, " in line and line.endswith(" received")


def test_lines_are_escaped_and_hold_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, "impasto.client"),
        scripted(aborting(grpc.StatusCode.NOT_FOUND, f"gone {ESCAPE}")) as server,
        Client(server.address, token="hush-hush", metadata={"x-key": "hush-too"}) as client,
        pytest.raises(errors.ModelNotFound),
    ):
        client.predict(f"m{ESCAPE}", {}, signature="one\ntwo")
    assert "Predict m\\x1b]0;owned\\x07 one\\ntwo" in caplog.text
    assert "NOT_FOUND" in caplog.text
    assert "\x1b" not in caplog.text
    assert "hush" not in caplog.text


def test_a_wait_is_a_warning_and_its_end_an_info(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "impasto.client"),
        scripted(describing(Outages(answer, range(1, 7)))) as server,
        Client(server.address, retries=ONCE) as client,
    ):
        client.upscale(PICTURE, tile=32)
    begun, ended = caplog.records
    assert begun.levelname == "WARNING"
    assert begun.getMessage().startswith(f"a job is waiting for {server.address}, which does not answer: ")
    assert "the test's outage" in begun.getMessage()
    assert ended.levelname == "INFO"
    assert ended.getMessage().startswith("a job goes on after ")
    assert ended.getMessage().endswith(f" s of waiting for {server.address}")


def test_a_wait_that_is_in_vain_is_not_said_to_go_on(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience(300)
    waiting = Waiting("here:1", errors.ServerUnavailable(f"away {ESCAPE}"), time.monotonic(), 300)
    with caplog.at_level(logging.INFO, "impasto.client"):
        for part in ("one", "other", "one"):
            patience.waits(part, waiting)
        patience.answered("one")
        patience.ended("other")
    begun, ended = caplog.records  # of several parts that wait for one server, once
    assert (begun.levelname, ended.levelname) == ("WARNING", "INFO")
    assert ended.getMessage() == "a job ends after 0 s of waiting for here:1"
    assert "\x1b" not in caplog.text
