"""What an operator does to running containers: promote, roll back, restart, scale, switch TLS on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from containers.compose_stack import USER, Stack
from images.pictures import pixels
from impasto.client import Client, Model, TlsOptions
from servers.certificates import Authority

pytestmark = pytest.mark.timeout(900)  # starts and restarts, on a machine that may be busy

CONFIG = "docker/config/models.config"


def dream(stack: Stack, *, version: int | None = None, label: str | None = None) -> bytes:
    with Client(stack.address) as client:
        picture = client.dream(
            pixels(40, 50), steps=4, octaves=[0], model=Model("dream", version=version, label=label)
        )
    return np.asarray(picture).tobytes()


@pytest.fixture
def second_version(stack: Stack) -> None:
    """Version 2 of dream in the repository, not listed yet."""
    from toys import dream_models

    if not (stack.models / "dream/2").exists():
        dream_models.write_dream(stack.models, 2, seed=1)
        stack.give_to_the_containers()


@pytest.mark.usefixtures("second_version")
def test_promote_a_restart_and_rollback_go_through_the_mounted_folder(stack: Stack) -> None:
    first = dream(stack, label="stable")
    assert first == dream(stack, version=1)

    stack.export("impasto-serving", "promote", "dream", "2", "--config", CONFIG)
    second = dream(stack, label="stable")
    assert second == dream(stack, version=2) != first

    stack.compose("restart", "serving")
    stack.up()
    assert dream(stack, label="stable") == second

    stack.export("impasto-serving", "rollback", "dream", "--config", CONFIG)
    assert dream(stack, label="stable") == first
    assert (stack.config / "models.config").stat().st_uid == USER


def test_replicas_have_a_port_each(stack: Stack) -> None:
    try:
        stack.up("--scale", "serving=2", variables={"IMPASTO_PORT": f"{stack.port}-{stack.port + 1}"})
        for port in (stack.port, stack.port + 1):
            with Client(f"127.0.0.1:{port}") as client:
                assert [version.state.name for version in client.status("srcnn")] == ["AVAILABLE"]
    finally:
        stack.up("--scale", "serving=1", "--force-recreate")


@pytest.fixture
def authority(stack: Stack, tmp_path: Path) -> Iterator[Authority]:
    """TLS for the server, in a file of its user alone; afterwards the server is as it was."""
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue("127.0.0.1")
    said = stack.write_config("--force", "--pin", "--tls-cert", str(certificate), "--tls-key", str(key))
    assert f"{stack.config / 'ssl.config'} holds the key: only user {os.getuid()} may read it" in said
    stack.give_to_the_containers()
    yield authority
    stack.up("--force-recreate")


def test_only_the_owner_of_the_tls_file_serves_with_it_and_another_says_so(
    stack: Stack, authority: Authority
) -> None:
    switched_on = {"IMPASTO_SSL_CONFIG": "/config/ssl.config"}
    another_user = {**switched_on, "IMPASTO_UID": str(USER + 1)}
    stack.compose("up", "-d", "--wait", check=False, variables=another_user)
    (container,) = stack.containers("serving")
    assert container["State"]["Health"]["Status"] != "healthy"
    assert re.search(r"ssl\.config.*[Pp]ermission denied", stack.compose("logs", "serving"))

    stack.up(variables=switched_on)
    with Client(stack.address, tls=TlsOptions(ca=authority.certificate)) as client:
        assert [version.state.name for version in client.status("srcnn")] == ["AVAILABLE"]
    with grpc.insecure_channel(stack.address) as channel, pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=3)
