"""Addresses, replicas and retries, against servers that really listen."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest

from impasto.client import Client, Retries, Settings, Timeouts, TlsOptions, errors
from impasto.client._transport.channel import channel_options
from impasto.client.settings.addresses import resolved
from scripted.client_servers import ScriptedServer, aborting, prediction, scripted
from servers.certificates import Authority

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
        ("[::1]", "ipv6:[::1]:8500"),
        ("ipv4:10.0.0.1", "ipv4:10.0.0.1:8500"),
        ("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("ipv6:[::1]:9000", "ipv6:[::1]:9000"),
        ("[::1]:9000", "ipv6:[::1]:9000"),
        ("[::1]:1,[::2]", "ipv6:[::1]:1,[::2]:8500"),
        ("dns:///models:9000", "dns:///models:9000"),
        ("dns:///models", "dns:///models:8500"),
        ("dns:models", "dns:models:8500"),
        ("dns://8.8.8.8/models", "dns://8.8.8.8/models:8500"),
        ("unix:/run/models.sock", "unix:/run/models.sock"),
    ],
)
def test_an_address_becomes_a_grpc_target(address: str, wanted: str) -> None:
    assert resolved(address).target == wanted


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
        "::g",
        "ipv4:///10.0.0.1:1",
        "passthrough:///localhost:8500",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(errors.AddressError, match="host:port, such as localhost:8500"):
        resolved(address)


@pytest.mark.parametrize("address", ["::1", "::1:8500", "2001:db8::1", "[::1]:1,::2", "ipv6:::1"])
def test_an_ipv6_address_without_brackets_is_refused_with_the_way_to_write_it(address: str) -> None:
    with pytest.raises(errors.AddressError, match=r"write an IPv6 address in brackets, such as \[::1\]:8500"):
        Settings(address=address)


@pytest.mark.parametrize(
    "address", ["ipv4:1.2.3.4.5:8500", "ipv4:localhost:1", "ipv4:[::1]:1", "ipv6:10.0.0.1:1"]
)
def test_an_address_of_another_kind_than_its_scheme_says_is_refused(address: str) -> None:
    with pytest.raises(errors.AddressError, match=rf"in server address '.*' is no {address[:4]} address"):
        Settings(address=address)


def test_of_the_names_of_replicas_one_at_least_must_resolve() -> None:
    with pytest.raises(
        errors.AddressError, match=r"none of the names .* resolves, 'no-such-host\.invalid' for"
    ):
        resolved("no-such-host.invalid:1,nor-this.invalid:2")


def test_replicas_of_both_ip_versions_are_refused() -> None:
    with pytest.raises(errors.AddressError, match="mixes IPv4 and IPv6"):
        resolved("127.0.0.1:1,[::1]:2")


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


Metadata = dict[str, str | bytes]


def metadata_received(server: ScriptedServer, received: list[Metadata]) -> None:
    """Let the server keep what each call carries."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        received.append(dict(context.invocation_metadata()))
        return prediction(y=ONE)

    server.answer = answer


def test_every_call_carries_the_token_and_the_metadata() -> None:
    received: list[Metadata] = []
    settings = Settings(token="t-1", metadata={"x-team": "pictures", "trace-bin": b"\0\xff"})
    with scripted(aborting(grpc.StatusCode.OK)) as server:
        metadata_received(server, received)
        with Client(server.address, settings=settings) as client:
            client.predict("m", {})
            client.wait_ready()
    assert len(received) == 2
    for metadata in received:
        assert metadata["authorization"] == "Bearer t-1"
        assert metadata["x-team"] == "pictures"
        assert metadata["trace-bin"] == b"\0\xff"


def test_without_settings_for_it_a_call_carries_no_credentials() -> None:
    received: list[Metadata] = []
    with scripted(aborting(grpc.StatusCode.OK)) as server:
        metadata_received(server, received)
        with Client(server.address) as client:
            client.predict("m", {})
    assert "authorization" not in received[0]


def test_a_token_arrives_over_tls(tmp_path: Path) -> None:
    received: list[Metadata] = []
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue("127.0.0.1")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    with scripted(aborting(grpc.StatusCode.OK), credentials=credentials) as server:
        metadata_received(server, received)
        tls = TlsOptions(ca=authority.certificate)
        with Client(server.address, tls=tls, token="t-2", compression="gzip") as client:
            client.predict("m", {})
    assert received[0]["authorization"] == "Bearer t-2"


def test_gzip_requests_are_read_by_a_server() -> None:
    sent = np.arange(100_000, dtype=np.int32)
    requests: list[bytes] = []

    def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
        requests.append(request)
        return prediction(y=sent)

    with scripted(echo) as server:
        for compression in ("none", "gzip"):
            with Client(server.address, compression=compression) as client:
                assert np.array_equal(client.predict("m", {"x": sent})["y"], sent)
    assert requests[0] == requests[1]


def test_gzip_is_what_is_sent_and_only_if_it_is_wanted() -> None:
    only_identity = [("grpc.compression_enabled_algorithms_bitset", 1)]
    with scripted(lambda *_: prediction(y=ONE), options=only_identity) as server:
        with Client(server.address) as client:
            assert client.predict("m", {})["y"].tolist() == [0]
        with (
            Client(server.address, compression="gzip") as client,
            pytest.raises(errors.CallUnsupported, match="gzip"),
        ):
            client.predict("m", {"x": np.zeros(100_000, np.uint8)})


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_an_unavailable_server_is_asked_as_often_as_the_settings_say(attempts: int) -> None:
    retries = Retries(attempts=attempts, first_pause=0.01, longest_pause=0.02)
    with (
        scripted(aborting(grpc.StatusCode.UNAVAILABLE)) as server,
        Client(server.address, retries=retries) as client,
    ):
        with pytest.raises(errors.ServerUnavailable):
            client.predict("m", {})
        assert len(server.methods) == attempts


def test_messages_beyond_the_settings_limit_are_refused_both_ways() -> None:
    answer = prediction(y=np.zeros(20_000, np.uint8))
    with scripted(lambda *_: answer) as server, Client(server.address, max_message_bytes=10_000) as client:
        with pytest.raises(errors.MessageTooLarge, match="max_message_bytes if you lowered it"):
            client.predict("m", {})
        assert len(server.methods) == 1
        with pytest.raises(errors.MessageTooLarge, match="max_message_bytes if you lowered it"):
            client.predict("m", {"x": np.zeros(20_000, np.uint8)})
        assert len(server.methods) == 1


def test_pings_follow_the_settings() -> None:
    options = dict(channel_options(Settings(keepalive=400)))
    assert options["grpc.keepalive_time_ms"] == 400_000
    assert dict(channel_options(Settings(keepalive=math.inf)))["grpc.keepalive_time_ms"] == 2**31 - 1


def test_each_kind_of_call_has_the_timeout_of_its_kind() -> None:
    remaining: list[tuple[str, float]] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        remaining.append((server.methods[-1].rpartition("/")[2], context.time_remaining()))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "enough")
        raise AssertionError("abort raises")

    timeouts = Timeouts(status=100, predict=200, upscale=300, stylize=400, dream=500, transfer=600)
    picture, painting = np.zeros((80, 80, 3), np.uint8), np.ones((80, 80, 3), np.uint8)
    wanted: dict[str, Callable[[Client], object]] = {
        "status": lambda client: client.status("m"),
        "metadata": lambda client: client.metadata("m"),
        "predict": lambda client: client.predict("m", {}),
        "upscale": lambda client: client.upscale(picture),
        "stylize": lambda client: client.stylize(picture, painting),
        "dream": lambda client: client.dream(picture),
        "transfer": lambda client: client.transfer(picture, painting),
    }
    with scripted(answer) as server, Client(server.address, timeout=timeouts) as client:
        for name, call in wanted.items():
            remaining.clear()
            with pytest.raises(errors.ImpastoError):
                call(client)
            limit = getattr(timeouts, "status" if name == "metadata" else name)
            for method, seconds in remaining:
                expected = limit if method == "Predict" else timeouts.status
                assert seconds == pytest.approx(expected, abs=30), (name, method)
            assert remaining


def test_a_calls_own_timeout_goes_before_its_kinds_and_may_be_endless() -> None:
    remaining: list[float | None] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        remaining.append(context.time_remaining())
        return prediction(y=ONE)

    with scripted(answer) as server, Client(server.address, timeout=5000) as client:
        client.predict("m", {})
        client.predict("m", {}, timeout=1000)
        client.predict("m", {}, timeout=math.inf)
    with scripted(answer) as server, Client(server.address, timeout=math.inf) as client:
        client.predict("m", {})
    own, given, endless, by_settings = remaining
    assert own == pytest.approx(5000, abs=60)  # on the wire, gRPC rounds it up
    assert given == pytest.approx(1000, abs=60)
    assert endless is None or endless > 1e6
    assert by_settings is None or by_settings > 1e6
