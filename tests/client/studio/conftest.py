"""One model server with a model of each kind, and a Studio before it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.model_servers import ModelServer, serving

if TYPE_CHECKING:
    from processes.studio_process import Running

if any(importlib.util.find_spec(package) is None for package in ("starlette", "uvicorn")):
    collect_ignore_glob = ["test_*.py", "browser/*"]


@pytest.fixture(scope="session")
def studio_models(
    tmp_path_factory: pytest.TempPathFactory,
    committed_models: Path,
    dream_repository: Path,
    stylize_repository: Path,
    transfer_repository: Path,
) -> Path:
    """A repository with srcnn and the tiny models of the other kinds."""
    root = tmp_path_factory.mktemp("studio") / "models"
    root.mkdir()
    for repository, name in (
        (committed_models, "srcnn"),
        (dream_repository, "dream"),
        (stylize_repository, "stylize"),
        (transfer_repository, "transfer"),
    ):
        shutil.copytree(repository / name, root / name)
    return root


@pytest.fixture(scope="session")
def studio_server(studio_models: Path) -> Iterator[ModelServer]:
    """A local server over them: what is tested here is before it."""
    with serving("local", studio_models, enable_model_warmup="false") as server:
        yield server


@pytest.fixture(scope="module")
def studio(studio_server: ModelServer) -> Iterator[Running]:
    """A Studio before that server; a tab may be gone for a second."""
    from processes.studio_process import running

    with running(studio_server.address, tab_seconds=1.0, megapixels=1.0) as found:
        yield found
