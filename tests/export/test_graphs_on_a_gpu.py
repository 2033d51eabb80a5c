"""A GPU runs every graph that Impasto exports as a whole, by TensorFlow's registry of kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.client.repository.manifest import HostOps
from impasto.export.host_ops import host_ops
from impasto.export.repository import ModelRepository


@pytest.fixture(params=["srcnn", "stylize", "dream", "transfer"])
def graph(request: pytest.FixtureRequest) -> Path:
    """The newest version of a model, of networks that need no download."""
    folder = "committed_models" if request.param == "srcnn" else f"{request.param}_repository"
    models: Path = request.getfixturevalue(folder)
    return ModelRepository(models).version(request.param).path


def test_no_op_on_a_picture_runs_on_the_host(graph: Path) -> None:
    ops = host_ops(graph)
    assert ops is not None
    assert ops == HostOps(pictures=(), others=(), harmless=ops.harmless)
