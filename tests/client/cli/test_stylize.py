"""`impasto stylize` on files and folders, good and bad, through a real server with small random networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import load, pixels, save
from impasto.client import Client
from impasto.client.cli import exit_codes, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from servers.model_servers import ModelServer


@pytest.fixture(scope="module")
def server(stylize_server: ModelServer) -> ModelServer:
    return stylize_server


@pytest.fixture(autouse=True)
def at_the_server(server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Photos and paintings in the current folder, and a server in the environment."""
    monkeypatch.setenv(ADDRESS_VARIABLE, server.address)
    monkeypatch.chdir(tmp_path)
    Path("holiday").mkdir()
    save(Path("photo.png"), pixels(40, 50))
    save(Path("holiday/a.png"), pixels(20, 30, seed=3))
    save(Path("holiday/b.png"), pixels(24, 24, seed=4))
    save(Path("waves.png"), pixels(40, 36, seed=1))
    save(Path("stars.png"), pixels(30, 48, seed=2)[::-1].copy())


def read(path: str) -> NDArray[np.uint8]:
    return np.asarray(load(Path(path)))


def painted(server: ModelServer, *arguments: object, **options: object) -> NDArray[np.uint8]:
    with Client(server.address) as client:
        return np.asarray(client.stylize(*arguments, **options))  # type: ignore[arg-type]


def test_a_photo_is_painted_as_the_client_paints_it(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stylize", "photo.png", "--style", "waves.png", "-o", "painted.png"]) == exit_codes.DONE
    np.testing.assert_array_equal(read("painted.png"), painted(server, "photo.png", "waves.png"))
    assert capsys.readouterr().out == "painted.png\n"


def test_every_option_reaches_the_client(server: ModelServer) -> None:
    command = ["stylize", "photo.png", "-o", "painted.png", "-s", "waves.png", "-w", "2", "-s", "stars.png"]
    assert run([*command, "-w", "1", "--strength", "0.6", "--preserve-color", "--max-side", "30"]) == 0
    expected = painted(
        server,
        "photo.png",
        ["waves.png", "stars.png"],
        weights=[2, 1],
        strength=0.6,
        preserve_color=True,
        max_side=30,
    )
    np.testing.assert_array_equal(read("painted.png"), expected)


def test_a_folder_is_painted_with_paintings_that_are_looked_at_once(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stylize", "holiday", "-s", "waves.png", "-s", "stars.png", "-o", "new/painted"]) == 0
    for name in ("a.png", "b.png"):
        expected = painted(server, f"holiday/{name}", ["waves.png", "stars.png"])
        np.testing.assert_array_equal(read(f"new/painted/{name}"), expected)
    shown = capsys.readouterr()
    assert shown.out == "new/painted/a.png\nnew/painted/b.png\n"
    assert shown.err == "2 of 2 pictures done\n"


def test_one_bad_photo_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("holiday/aa-tiny.png"), pixels(15, 90))
    Path("holiday/ab-broken.png").write_bytes(b"no picture")
    command = ["stylize", "holiday", "-s", "waves.png", "-o", "painted", "--json"]
    assert run(command) == exit_codes.FAILED
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert [entry["output"] for entry in report["done"]] == ["painted/a.png", "painted/b.png"]
    assert [entry["error"] for entry in report["failed"]] == ["InvalidInput", "NotAnImage"]
    assert "aa-tiny.png: content is 90 x 15 pixels; it must be at least 16 wide and high" in shown.err


def test_a_photo_that_is_the_style_itself_is_refused_and_the_others_painted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["stylize", "holiday", "-s", "holiday/a.png", "-o", "painted"]) == exit_codes.FAILED
    assert "holiday/a.png: it is the style as well" in capsys.readouterr().err
    assert [path.name for path in Path("painted").glob("*.*g")] == ["b.png"]


def test_a_single_photo_as_its_own_style_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stylize", "photo.png", "-s", "photo.png", "-o", "painted.png"]) == exit_codes.FAILED
    assert "it is the style as well" in capsys.readouterr().err
    assert not Path("painted.png").exists()


def test_a_contact_sheet_shows_the_photo_and_it_in_every_style(server: ModelServer) -> None:
    command = ["stylize", "photo.png", "-s", "waves.png", "-s", "stars.png", "--sheet", "-o", "sheet.png"]
    assert run(command) == exit_codes.DONE
    sheet = load(Path("sheet.png"))
    # Two rows of two: the photo and waves, then stars.
    height = round(384 * 40 / 50)
    assert sheet.size == (2 * (384 + 12) + 12, 2 * (height + 26 + 12) + 12)
    corners = {"waves": (12 + 384 + 12, 12), "stars": (12, 12 + height + 26 + 12)}
    for name, (left, top) in corners.items():
        panel = np.asarray(sheet.crop((left, top, left + 384, top + height)).resize((50, 40))).astype(int)
        expected = painted(server, "photo.png", f"{name}.png").astype(int)
        assert np.abs(panel - expected)[:, :30].mean() < 12  # farther right is the painting
        painting = load(Path(f"{name}.png"))
        small = painting.resize(
            (115, round(115 * painting.height / painting.width)), Image.Resampling.LANCZOS
        )
        right, bottom = left + 384 - 3, top + height - 3
        inset = sheet.crop((right - small.width, bottom - small.height, right, bottom))
        np.testing.assert_array_equal(np.asarray(inset), np.asarray(small))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.png", "-o", "out.png"], "Missing option '-s' / '--style'"),
        (["photo.png", "-s", "nope.png", "-o", "out.png"], "'nope.png' does not exist"),
        (["photo.png", "-s", "waves.png", "-w", "1", "-w", "2", "-o", "out.png"], "2 --weight for 1 --style"),
        (["photo.png", "-s", "waves.png", "-w", "0", "-o", "out.png"], "--weight: they sum to zero"),
        (["photo.png", "-s", "waves.png", "-w", "-1", "-o", "out.png"], "-1"),
        (["photo.png", "-s", "waves.png", "-w", "inf", "-o", "out.png"], "inf is not in the range"),
        (["photo.png", "-s", "waves.png", "--strength", "nan", "-o", "out.png"], "'nan' is not a number"),
        (["photo.png", "-s", "waves.png", "-o", "out.2024"], "no picture can be written as '.2024'"),
        (["photo.png", "-s", "waves.png", "--strength", "1.1", "-o", "out.png"], "--strength"),
        (["photo.png", "-s", "waves.png", "--max-side", "9", "-o", "out.png"], "--max-side"),
        (["holiday", "-s", "waves.png", "--sheet", "-o", "out.png"], "--sheet is for one picture"),
        (["photo.png", "-s", "waves.png", "-w", "1", "--sheet", "-o", "out.png"], "--weight has no meaning"),
        (
            ["photo.png", "-s", "waves.png", "-o", "waves.png", "--overwrite"],
            "would replace the input waves.png",
        ),
        (
            ["photo.png", "-s", "waves.png", "-o", "out.png", "--label", "a", "--model-version", "1"],
            "give one of them",
        ),
    ],
)
def test_a_wrong_command_line_is_2_and_says_why(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("waves.png").read_bytes()
    assert run(["stylize", *arguments]) == exit_codes.USAGE
    assert message in capsys.readouterr().err
    assert not Path("out.png").exists()
    assert Path("waves.png").read_bytes() == before


def test_a_model_that_is_not_there_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["stylize", "photo.png", "-s", "waves.png", "-o", "out.png", "--model", "nope"]
    assert run(command) == exit_codes.REFUSED
    assert "nope" in capsys.readouterr().err


def test_models_says_which_source_is_inside(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == exit_codes.DONE
    assert "\nstylize: package, random; licence: none needed\n" in capsys.readouterr().out
