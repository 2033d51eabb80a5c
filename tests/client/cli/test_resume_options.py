"""`--resume` knows the options that change a result, and the paintings and guides that it was made with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from images.pictures import pixels, save
from impasto.client.cli import exit_codes, run
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "what the command line keeps in mind; test_resume.py asks both servers for their versions"

Run = Callable[..., list[str]]


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on a folder of two photos with `--resume`; the results that it made."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for seed, name in enumerate(("in/a.png", "in/b.png", "one.png", "two.png")):
        save(Path(name), pixels(36, 40, seed=seed))

    def do(server: ModelServer, command: str) -> list[str]:
        words = [*command.split(), "in", "-o", "out", "--resume", "--server", server.address]
        assert run(words) == exit_codes.DONE
        return capsys.readouterr().out.split()

    return do


BOTH = ["out/a.png", "out/b.png"]


def test_of_stylize(resumed: Run, stylize_server: ModelServer) -> None:
    first = "stylize -s one.png --strength 0.5"
    assert resumed(stylize_server, first) == BOTH
    assert resumed(stylize_server, first) == []
    for other in (
        "stylize -s one.png --strength 0.6",
        "stylize -s one.png --strength 0.6 --preserve-color",
        "stylize -s one.png --strength 0.6 --preserve-color --max-side 20",
        "stylize -s one.png -s two.png --strength 0.6",
        "stylize -s two.png -s one.png -w 1 -w 3 --strength 0.6",
    ):
        assert resumed(stylize_server, other) == BOTH
        assert resumed(stylize_server, other) == []


def test_a_painting_counts_by_what_it_shows_and_not_by_its_name(
    resumed: Run, stylize_server: ModelServer
) -> None:
    assert resumed(stylize_server, "stylize -s one.png") == BOTH
    Path("one.png").rename("waves.png")
    assert resumed(stylize_server, "stylize -s waves.png") == []
    Path("waves.png").write_bytes(Path("two.png").read_bytes())
    assert resumed(stylize_server, "stylize -s waves.png") == BOTH


def test_of_dream(resumed: Run, dream_server: ModelServer) -> None:
    for command in (
        "dream --steps 2 --octaves 0",
        "dream --steps 3 --octaves 0",
        "dream --steps 3 --octaves 0 --guide one.png",
        "dream --steps 3 --octaves 0 --guide two.png",
    ):
        assert resumed(dream_server, command) == BOTH
        assert resumed(dream_server, command) == []


def test_of_transfer(resumed: Run, transfer_server: ModelServer) -> None:
    short = "transfer --epochs 1 --steps-per-epoch 1 -s one.png"
    for command in (short, f"{short} --start two.png", f"{short} --start two.png --mask one.png"):
        assert resumed(transfer_server, command) == BOTH
        assert resumed(transfer_server, command) == []
    Path("two.png").write_bytes(Path("in/a.png").read_bytes())
    assert resumed(transfer_server, f"{short} --start two.png --mask one.png") == BOTH
