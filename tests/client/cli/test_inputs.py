"""Nothing that a command reads is ever replaced: pictures, guides, styles, masks; said before any work.

No server listens where these commands are sent, so whatever they refuse they refuse before they ask for one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from images.pictures import pixels, save
from impasto.client.cli import exit_codes, run
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "what the command line makes of its arguments"

INPUTS = ["photo.png", "out-00002.png", "frames/frame-00002.png", "guide.gif"]


@pytest.fixture(autouse=True)
def inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMPASTO_SERVER", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    Path("frames").mkdir()
    Path("holiday").mkdir()
    for number, name in enumerate((*INPUTS, "holiday/a.png", "holiday/b.png")):
        save(Path(name), pixels(40, 48, seed=number))
    Path("links").mkdir()
    Path("links/out-00002.png").symlink_to("../photo.png")
    Path("links/point").symlink_to("../photo.png")


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("dream out-00002.png -o out.png --every 1", "a picture on the way"),
        ("dream photo.png -o links/out.png --every 2", "a picture on the way"),
        ("dream photo.png --guide out-00002.png -o out.png --every 2", "a picture on the way"),
        ("dream photo.png --guide out-00002.png -o out-00002.png", "the result"),
        ("dream photo.png --guide guide.gif -o guide.gif --zoom 2", "the result"),
        ("dream frames/frame-00002.png -o frames --zoom 2", "the result"),
        ("dream photo.png --guide frames/frame-00002.png -o frames --zoom 2", "the result"),
        ("transfer photo.png -s out-00002.png -o out.png --every 1", "a picture on the way"),
        ("transfer photo.png -s guide.gif --mask out-00002.png -o out.png --every 2", "a picture on the way"),
        (
            "transfer photo.png -s guide.gif --start out-00002.png -o out.png --every 2",
            "a picture on the way",
        ),
    ],
)
def test_nothing_that_is_read_is_replaced(
    command: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    assert run([*command.split(), "--overwrite"]) == exit_codes.USAGE
    assert f"{what} would replace the input" in capsys.readouterr().err
    assert everything() == before


def test_the_guide_of_a_folder_is_not_replaced_by_one_of_its_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("out").mkdir()
    save(Path("out/a.png"))
    before = everything()
    command = ["dream", "holiday", "--guide", "out/a.png", "-o", "out", "--overwrite"]
    assert run(command) == exit_codes.USAGE
    assert "the result would replace the input out/a.png" in capsys.readouterr().err
    assert everything() == before


def test_who_goes_on_from_a_checkpoint_keeps_the_inputs_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("point").write_bytes(b"of an earlier run")
    before = everything()
    command = ["dream", "out-00002.png", "-o", "out.png", "--every", "1", "--checkpoint", "point"]
    assert run(command) == exit_codes.USAGE
    assert "a picture on the way would replace the input out-00002.png" in capsys.readouterr().err
    assert everything() == before


@pytest.mark.parametrize("name", ["out.png", "./out.png", "photo.png", "guide.gif", "links/point"])
@pytest.mark.parametrize("command", [["dream", "--guide"], ["transfer", "-s"]], ids=["dream", "transfer"])
def test_a_checkpoint_is_neither_the_result_nor_an_input(
    name: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    command = [*command, "guide.gif", "photo.png", "-o", "out.png", "--checkpoint", name, "--overwrite"]
    assert run(command) == exit_codes.USAGE
    assert "--checkpoint" in capsys.readouterr().err
    assert everything() == before


def test_a_checkpoint_is_no_picture_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    Path("new").mkdir()
    command = ["dream", "photo.png", "-o", "new/out.png", "--every", "2", "--checkpoint", "new/out-00004.png"]
    assert run(command) == exit_codes.USAGE
    assert "--checkpoint new/out-00004.png is where a picture on the way goes" in capsys.readouterr().err


def test_an_input_between_the_pictures_on_the_way_is_in_nobodys_way(dream_server: ModelServer) -> None:
    Path("out-00002.png").rename("out-00003.png")
    before = Path("out-00003.png").read_bytes()
    command = ["dream", "out-00003.png", "-o", "out.png", "--every", "2", "--steps", "4", "--octaves", "0"]
    assert run([*command, "--overwrite", "--server", dream_server.address]) == exit_codes.DONE
    assert Path("out-00003.png").read_bytes() == before
    assert Path("out-00004.png").exists()
