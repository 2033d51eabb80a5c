"""A connection that breaks under a call is no word of the server: the call is sent again."""

from __future__ import annotations

import asyncio

import grpc
import numpy as np
import pytest

from impasto.client import AsyncClient, Client, Retries, errors
from impasto.client._transport.failures import kind_of
from scripted.client_servers import aborting, prediction, scripted
from scripted.raw_http2 import (
    DATA,
    Act,
    Stream,
    answering,
    closing,
    garbling,
    going_away,
    killed,
    raw_server,
    resetting,
)

ANSWER = answering(prediction(y=np.array([7], np.uint8)))


def begun(then: Act) -> Act:
    """The answer begins, and then this happens."""

    def act(stream: Stream) -> None:
        stream.headers({":status": "200", "content-type": "application/grpc"})
        stream.send(DATA, b"\0\0\0\0\x09half")
        then(stream)

    return act


BREAKS = {
    "closed": closing,
    "killed": killed,
    "garbled": garbling,
    "GOAWAY 0": going_away(0),
    "GOAWAY 2": going_away(2),
    "RST_STREAM 0": resetting(0),
    "RST_STREAM 2": resetting(2),
    "RST_STREAM 5": resetting(5),
    "RST_STREAM 7": resetting(7),
    "RST_STREAM 10": resetting(10),
}
IN_THE_ANSWER = {
    "garbled": garbling,
    "RST_STREAM 0": resetting(0),
    "RST_STREAM 2": resetting(2),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_call_under_which_the_connection_breaks_is_sent_again(name: str) -> None:
    with raw_server([BREAKS[name], BREAKS[name], ANSWER]) as server, Client(server.address) as client:
        assert client.predict("m", {})["y"].tolist() == [7]
        assert server.calls == 3


@pytest.mark.parametrize("name", BREAKS)
def test_it_is_sent_again_by_the_asynchronous_client_too(name: str) -> None:
    async def call(address: str) -> list[int]:
        async with AsyncClient(address) as client:
            return (await client.predict("m", {}))["y"].tolist()

    with raw_server([BREAKS[name], ANSWER]) as server:
        assert asyncio.run(call(server.address)) == [7]
        assert server.calls == 2


@pytest.mark.parametrize("name", IN_THE_ANSWER)
def test_a_break_in_the_middle_of_the_answer_is_one_too(name: str) -> None:
    with raw_server([begun(IN_THE_ANSWER[name]), ANSWER]) as server, Client(server.address) as client:
        assert client.predict("m", {})["y"].tolist() == [7]


# What the server says it has not seen, gRPC sends once more than its policy has it.
SEEN = [name for name in BREAKS if not name.startswith("GOAWAY") and name != "RST_STREAM 7"]


@pytest.mark.parametrize("name", SEEN)
def test_a_connection_that_always_breaks_is_named_after_the_settings_attempts(
    name: str,
) -> None:
    retries = Retries(attempts=3, first_pause=0.01)
    with raw_server([BREAKS[name]]) as server, Client(server.address, retries=retries) as client:
        with pytest.raises(errors.ConnectionLost, match="broke under the call to m") as caught:
            client.predict("m", {})
        assert server.calls == 3
    assert isinstance(caught.value, errors.ServerUnavailable)


def test_no_further_attempt_begins_after_the_timeout() -> None:
    retries = Retries(attempts=5, first_pause=30, longest_pause=30)
    with raw_server([resetting(2)]) as server, Client(server.address, retries=retries) as client:
        with pytest.raises(errors.ConnectionLost):
            client.predict("m", {}, timeout=20)
        assert server.calls == 1


@pytest.mark.parametrize("code", [1, 3, 6, 9])
def test_a_stream_reset_because_an_end_speaks_http2_badly_is_not_tried_again(code: int) -> None:
    with raw_server([resetting(code), ANSWER]) as server, Client(server.address) as client:
        with pytest.raises(errors.ServerFault):
            client.predict("m", {})
        assert server.calls == 1


UNAVAILABLE, UNKNOWN, INTERNAL = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
)
RECORDED = [
    # grpcio 1.62 and 1.71
    (UNAVAILABLE, "Socket closed"),
    (UNAVAILABLE, "recvmsg:Connection reset by peer"),
    (UNAVAILABLE, "sendmsg: Broken pipe (32)"),
    (UNAVAILABLE, "GOAWAY received; Error code: 0; Debug Text: debug words"),
    (UNAVAILABLE, "Received RST_STREAM with error code 7"),
    (UNKNOWN, "Stream removed"),
    (INTERNAL, "Received RST_STREAM with error code 0"),
    (INTERNAL, "Received RST_STREAM with error code 2"),
    # grpcio 1.85
    (UNAVAILABLE, "Stream removed (Socket closed)"),
    (UNAVAILABLE, "Stream removed (recvmsg:Connection reset by peer (104))"),
    (UNAVAILABLE, "Stream removed (GOAWAY received; Error code: 2; Debug Text: debug words)"),
    (UNKNOWN, "Stream removed (recvmsg:Connection reset by peer (104))"),
    (
        UNKNOWN,
        "Stream removed (Failed parsing HTTP/2 (Frame size 16777215 is larger than max frame size 4194304))",
    ),
    (INTERNAL, "Stream removed (RST_STREAM (Received RST_STREAM with error code 10))"),
]


@pytest.mark.parametrize(("code", "words"), RECORDED)
def test_the_words_of_other_releases_are_known(code: grpc.StatusCode, words: str) -> None:
    expected = errors.ServerUnavailable if "code 7" in words else errors.ConnectionLost
    assert kind_of(code, words) is expected


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (UNKNOWN, "a Stream removed from the model", errors.ServerFault),
        (INTERNAL, "the model could not read Socket closed", errors.ServerFault),
        (INTERNAL, "Stream removed (RST_STREAM (Received RST_STREAM with error code 1))", errors.ServerFault),
        (UNAVAILABLE, "failed to connect to all addresses; last error: recvmsg:x", errors.ServerUnavailable),
        (UNAVAILABLE, "The batch scheduling queue is full", errors.ServerUnavailable),
        (grpc.StatusCode.ABORTED, "Stream removed", errors.CallAborted),
        (grpc.StatusCode.NOT_FOUND, "Socket closed", errors.ModelNotFound),
    ],
)
def test_other_words_mean_what_their_status_says(
    code: grpc.StatusCode, words: str, kind: type[errors.CallError]
) -> None:
    assert kind_of(code, words) is kind


@pytest.mark.parametrize("code", [UNKNOWN, INTERNAL])
def test_a_failure_of_the_server_is_not_tried_again(code: grpc.StatusCode) -> None:
    with scripted(aborting(code, "the model failed")) as server, Client(server.address) as client:
        with pytest.raises(errors.ServerFault):
            client.predict("m", {})
        assert len(server.methods) == 1
