"""The port of a server that is still loading: known, held, and closed, as TensorFlow Serving's is closed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from impasto.client import Client
from impasto.client.errors import ServerUnavailable
from impasto.serving import (
    AddressError,
    ConfigError,
    ConfigFile,
    GrpcOptions,
    LocalServer,
    LocalServerError,
    ServerOptions,
    SingleModel,
)
from servers.certificates import Authority
from servers.configurations import QUICK, model, states, wait_for, write_configuration
from servers.official_stubs import official_client, outputs
from toys import toy_models

X = np.zeros(1, np.float32)
FOREVER = 2**31 - 1


def damage(version: Path) -> Path:
    """Keeps a version's graph aside, so that it does not load until it is mended."""
    return (version / "saved_model.pb").rename(version / "aside")


def mend(version: Path) -> None:
    (version / "aside").rename(version / "saved_model.pb")


@contextlib.contextmanager
def starting(server: LocalServer) -> Iterator[list[BaseException]]:
    """A server that starts in another thread, once its port is known; the list gets what the start raises."""
    raised: list[BaseException] = []

    def start() -> None:
        try:
            server.start()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    try:
        wait_for(lambda: server.port or raised, "the port should be known")
        yield raised
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A version that does not load until it is mended."""
    version = toy_models.constant(tmp_path / "models", 1)
    damage(version)
    return version


def patient(damaged: Path, **options: object) -> LocalServer:
    """A server that tries the damaged version for ever."""
    root = damaged.parent.parent
    return LocalServer(
        root,
        options=ServerOptions(max_num_load_retries=FOREVER, load_retry_interval_micros=20_000),
        **options,  # type: ignore[arg-type]  # mypy cannot match the dict's keys
    )


def test_whoever_connects_is_refused_until_the_models_are_loaded(damaged: Path) -> None:
    server = patient(damaged)
    with starting(server) as raised:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port)).close()
        with Client(server.address) as client:
            with pytest.raises(ServerUnavailable):
                client.wait_ready(timeout=0.5)
            mend(damaged)
            client.wait_ready(models=["constant"])
            assert client.predict("constant", {"x": X})["y"] == [1]
    assert raised == []


def test_a_unix_socket_is_closed_until_the_models_are_loaded(damaged: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = patient(damaged, grpc_options=GrpcOptions(socket_path=path))
    with starting(server):
        wait_for(path.exists, "the socket should be held")
        with socket.socket(socket.AF_UNIX) as caller, pytest.raises(ConnectionRefusedError):
            caller.connect(str(path))
        mend(damaged)
        with Client(f"unix:{path}") as client:
            client.wait_ready(models=["constant"])
            assert client.predict("constant", {"x": X})["y"] == [1]


def test_a_unix_socket_in_use_is_replaced_only_when_the_models_are_loaded(
    damaged: Path, tmp_path: Path, toy_repository: Path
) -> None:
    options = GrpcOptions(socket_path=tmp_path / "socket")
    with (
        LocalServer(toy_repository, only=["half"], grpc_options=options),
        starting(patient(damaged, grpc_options=options)),
    ):
        assert "half" in served_at(options)
        mend(damaged)
        wait_for(lambda: "constant" in served_at(options), "the new server should listen on the socket")


def served_at(options: GrpcOptions) -> set[str]:
    with official_client(f"unix:{options.socket_path}") as client:
        return {name for name in ("half", "constant") if states(client, name)}


def test_no_other_program_gets_the_port_while_the_models_load(damaged: Path) -> None:
    server = patient(damaged)
    with starting(server):
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((server.host, server.port))
        mend(damaged)
        with Client(server.address) as client:
            client.wait_ready(models=["constant"])


def test_a_name_with_several_addresses_is_held_at_one_port(damaged: Path) -> None:
    mend(damaged)
    with LocalServer(damaged.parent.parent, host="localhost") as server:
        for _, _, _, _, address in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM):
            with contextlib.suppress(OSError):  # a machine without IPv6
                socket.create_connection((str(address[0]), server.port)).close()
        with Client(f"localhost:{server.port}") as client:
            assert client.predict("constant", {"x": X})["y"] == [1]


def test_every_address_of_the_machine_can_be_listened_on(damaged: Path) -> None:
    mend(damaged)
    with (
        LocalServer(damaged.parent.parent, host="0.0.0.0") as server,
        Client(f"127.0.0.1:{server.port}") as client,
    ):
        assert client.predict("constant", {"x": X})["y"] == [1]


def test_a_taken_port_is_reported_before_a_model_is_loaded(damaged: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        # A load would fail with another error.
        with pytest.raises(AddressError, match="Address already in use"):
            LocalServer(damaged.parent.parent, port=taken.getsockname()[1]).start()


@pytest.mark.parametrize("kind", ["no folder", "too long", "a file"])
def test_a_socket_that_cannot_be_made_is_reported_before_a_model_is_loaded(
    damaged: Path, tmp_path: Path, kind: str
) -> None:
    path = {
        "no folder": tmp_path / "absent" / "s",
        "too long": tmp_path / ("x" * 120),
        "a file": tmp_path / "f",
    }
    (tmp_path / "f").write_text("mine")
    with pytest.raises(AddressError, match="cannot listen on the socket"):
        LocalServer(damaged.parent.parent, grpc_options=GrpcOptions(socket_path=path[kind])).start()
    assert (tmp_path / "f").read_text() == "mine"


def test_keys_that_do_not_belong_together_are_reported_before_a_model_is_loaded(
    damaged: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    texts = [
        Authority(tmp_path / name, "ca").ssl_config("127.0.0.1").read_text().splitlines()
        for name in ("one", "two")
    ]
    mixed = [line for line in texts[0] if line.startswith("server_key")]
    mixed += [line for line in texts[1] if not line.startswith("server_key")]
    file = tmp_path / "ssl.config"
    file.write_text("\n".join(mixed))
    with pytest.raises(ConfigError, match="gRPC refuses its key and certificates"):
        LocalServer(damaged.parent.parent, grpc_options=GrpcOptions(ssl_config_file=file)).start()


@pytest.mark.parametrize(
    "content",
    [
        b"server_key: MIIEsesame",
        b'server_key: "MIIEsesame',
        b"-----BEGIN PRIVATE KEY-----\nMIIEsesame",
        b'server_key: "a" MIIEsesame: 3',
        b'server_key: "\\xzzsesame"',
        b'server_key: "sesame\xff"',
    ],
)
def test_a_key_that_cannot_be_read_is_not_shown_by_the_error(
    damaged: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "ssl.config").write_bytes(content)
    with pytest.raises(ConfigError, match=r"ssl\.config cannot be read as a text SSLConfig \(") as raised:
        LocalServer(
            damaged.parent.parent, grpc_options=GrpcOptions(ssl_config_file=tmp_path / "ssl.config")
        ).start()
    assert "sesame" not in "".join(traceback.format_exception(raised.value))


def test_a_start_that_fails_leaves_neither_port_nor_socket(damaged: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = LocalServer(damaged.parent.parent, grpc_options=GrpcOptions(socket_path=path))
    with pytest.raises(LocalServerError, match="did not become available"):
        server.start()
    assert not path.exists()
    with socket.socket() as other:
        other.bind((server.host, server.port))


@pytest.mark.parametrize("kind", ["base path", "listed", "no folder"])
def test_a_listed_model_without_a_version_keeps_the_port_closed(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = toy_models.constant(tmp_path / "shelf", 7)
    if kind != "no folder":
        (tmp_path / "constant").mkdir()
    file = write_configuration(tmp_path / "models.config", model(tmp_path, "constant"))
    source = SingleModel("constant", str(tmp_path / "constant")) if kind == "base path" else ConfigFile(file)
    server = LocalServer(source, options=ServerOptions(file_system_poll_wait_seconds=QUICK))
    with starting(server) as raised:
        wait_for(
            lambda: "the port stays closed until there is a version of constant" in caplog.text, "a word"
        )
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port)).close()
        shutil.copytree(shelf, tmp_path / "constant" / "7")
        with official_client(server.address) as client:
            wait_for(lambda: is_served(server), "the model should be served")
            assert outputs(client.predict("constant", {"x": X}))["y"].tolist() == [7]
    assert raised == []


def is_served(server: LocalServer) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection((server.host, server.port)).close()
        return True
    return False


def test_a_server_that_is_stopped_while_it_waits_says_so(damaged: Path) -> None:
    server = patient(damaged)
    with starting(server) as raised:
        server.stop()
        wait_for(lambda: raised, "the start should end")
        assert isinstance(raised[0], LocalServerError)
        assert "stopped before it had started" in str(raised[0])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port)).close()
