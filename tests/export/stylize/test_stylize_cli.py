"""`impasto-export stylize`, from the command line to the version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result

from impasto.export.cli import cli
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import load_as_server
from impasto.export.warmup import read_warmup
from toys.hub_modules import TangledModule, write_hub_module


def export(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["stylize", *arguments])


def test_a_module_is_exported_with_the_options_that_are_given(tmp_path: Path) -> None:
    module = write_hub_module(tmp_path / "module", TangledModule())
    models = tmp_path / "models"
    refused = export("--from", str(module), "--models", str(models))
    assert isinstance(refused.exception, ExportError)
    assert "is not known to be Magenta's module" in str(refused.exception)
    assert not models.exists()
    arguments = ["--models", str(models), "--max-pixels", "400", "--allow-unpinned"]
    assert export("--source", "package", *arguments).exit_code == 2
    result = export("--from", str(module), *arguments)
    assert result.exit_code == 0, result.output
    version = ModelRepository(models).latest("stylize")
    assert result.stdout == f"{version.path}\n"
    assert "provenance unknown, from the directory module; licence: not stated" in result.stderr
    assert "its style vector cannot be split off: no strength, no blends" in result.stderr
    assert {
        inputs["content"].shape for name, inputs in read_warmup(version.path) if name == "serving_default"
    } == {(1, 20, 20, 3)}
    style = np.zeros((1, 80, 80, 3), np.uint8)
    with load_as_server(version.path) as served:
        served.run("serving_default", {"content": np.zeros((1, 20, 20, 3), np.uint8), "style": style})
        with pytest.raises(tf.errors.InvalidArgumentError, match="content must have at most 400 pixels"):
            served.run("serving_default", {"content": np.zeros((1, 20, 21, 3), np.uint8), "style": style})


@pytest.mark.parametrize("source", ["hub", "package"])
def test_a_place_where_nothing_is_is_named(tmp_path: Path, source: str) -> None:
    place = str(tmp_path / "nothing")
    result = export("--source", source, "--from", place, "--models", str(tmp_path / "models"))
    assert isinstance(result.exception, ExportError)
    assert place in str(result.exception)
    assert not (tmp_path / "models").exists()
