"""Addresses, replicas and retries, against servers that really listen."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest

from client_servers import aborting, prediction, scripted
from impasto.client import Client, Settings, errors
from impasto.client.addresses import target
from impasto.client.channel import channel_options

ONE = np.zeros(1, np.float32)


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("localhost:8500", "dns:///localhost:8500"),
        ("models.example.org", "dns:///models.example.org:8500"),
        ("10.0.0.1", "ipv4:10.0.0.1:8500"),
        ("10.0.0.1:9000", "ipv4:10.0.0.1:9000"),
        ("10.0.0.1:1, 10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("localhost:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("::1", "ipv6:[::1]:8500"),
        ("[::1]:9000", "ipv6:[::1]:9000"),
        ("[::1]:1,[::2]", "ipv6:[::1]:1,[::2]:8500"),
        ("dns:///models:8500", "dns:///models:8500"),
        ("unix:/run/models.sock", "unix:/run/models.sock"),
    ],
)
def test_an_address_becomes_a_grpc_target(address: str, wanted: str) -> None:
    assert target(address) == wanted


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a b",
        ":8500",
        "host:port",
        "host:0",
        "host:70000",
        "host:-1",
        "http://host:8500",
        "a:1,,b:2",
        "[::1",
        "1:2:x",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(errors.AddressError, match="host:port, such as localhost:8500"):
        target(address)


def test_a_name_among_replicas_must_resolve() -> None:
    with pytest.raises(errors.AddressError, match=r"'no-such-host\.invalid' does not resolve"):
        target("no-such-host.invalid:1,127.0.0.1:2")


def test_replicas_of_both_ip_versions_are_refused() -> None:
    with pytest.raises(errors.AddressError, match="mixes IPv4 and IPv6"):
        target("127.0.0.1:1,[::1]:2")


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    answer = prediction(y=ONE)
    with (
        scripted(lambda *_: answer, address=f"unix:{tmp_path}/s") as server,
        Client(server.address) as client,
    ):
        assert client.predict("m", {})["y"].tolist() == [0]


def test_replicas_share_the_calls() -> None:
    answer = prediction(y=ONE)
    with (
        scripted(lambda *_: answer) as one,
        scripted(lambda *_: answer) as two,
        Client(f"{one.address},{two.address}") as client,
    ):
        client.wait_ready()
        before = len(one.methods), len(two.methods)
        while min(len(one.methods) - before[0], len(two.methods) - before[1]) < 3:
            client.predict("m", {})  # until the second connection is up, all go to the first


def test_a_dead_replica_is_not_noticed() -> None:
    answer = prediction(y=ONE)
    with scripted(lambda *_: answer) as dead:
        pass
    with scripted(lambda *_: answer) as alive, Client(f"{dead.address},{alive.address}") as client:
        for _ in range(6):
            client.predict("m", {})
        assert len(alive.methods) == 6


@pytest.mark.parametrize("size", [1, 3_000_000], ids=["small", "3 MB"])
def test_an_unavailable_server_is_asked_again_however_large_the_request(size: int) -> None:
    answer = prediction(y=ONE)

    def busy_at_first(request: bytes, context: grpc.ServicerContext) -> bytes:
        if len(server.methods) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the batch scheduling queue is full")
        return answer

    with scripted(busy_at_first) as server, Client(server.address) as client:
        assert client.predict("m", {"x": np.zeros(size, np.uint8)})["y"].tolist() == [0]
        assert len(server.methods) == 3


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL])
def test_other_failures_are_not_asked_again(code: grpc.StatusCode) -> None:
    with (
        scripted(aborting(code)) as server,
        Client(server.address) as client,
        pytest.raises(errors.CallError),
    ):
        client.predict("m", {})
        assert len(server.methods) == 1


def test_a_long_call_is_not_pinged_more_often_than_servers_allow() -> None:
    # With a ping a minute, a server with gRPC's default settings ended a call of ten minutes after five: "Too many
    # pings". Waiting for that here would take as long.
    allowed_by_default = 300_000
    assert dict(channel_options(Settings()))["grpc.keepalive_time_ms"] > allowed_by_default


def test_messages_beyond_grpcs_default_limit_pass_both_ways() -> None:
    large = np.arange(20_000_000, dtype=np.uint8)

    def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
        assert len(request) > large.size
        return prediction(y=large)

    with scripted(echo) as server, Client(server.address) as client:
        assert np.array_equal(client.predict("m", {"x": large})["y"], large)


def test_a_port_that_is_no_grpc_server_is_unavailable_not_a_hang() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with Client(address, timeout=1) as client, pytest.raises(errors.DeadlineExceeded, match="in time"):
            client.predict("m", {})
