"""Fixtures of the tests that need a Docker engine: `make test-docker` runs them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers import docker_engine
from containers.compose_stack import Stack


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Skips without an engine, and in `make test`, which starts no containers."""
    if "IMPASTO_TEST_DOCKER" not in os.environ:
        pytest.skip("starts containers; `make test-docker` runs it")
    reason = docker_engine.why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def stack(engine: None, committed_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The server, up and healthy, with srcnn and a tiny dream, pinned; prepared as the README says.

    The configuration is written under umask 077, by a user who is not the server's where root runs the tests.
    """
    from containers import stand_in_image
    from toys import dream_models

    stand_in_image.build()
    stack = Stack(tmp_path_factory.mktemp("stack"))
    shutil.copytree(committed_models / "srcnn/3", stack.models / "srcnn/1")
    dream_models.write_dream(stack.models)
    stack.write_config("--pin", umask=0o077)
    try:
        stack.up()
        stack.give_to_the_containers()
        yield stack
    finally:
        sys.stdout.write(stack.compose("logs", "--no-color", "--tail", "200", check=False))
        stack.down()
