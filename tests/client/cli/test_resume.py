"""`--resume` compares what made a result with what would make it now: picture, options, model, version, result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from images.pictures import load, pixels, save
from impasto.client import Client
from impasto.client.cli import exit_codes, index, run
from servers.configurations import model, reload, write_configuration
from servers.model_servers import ModelServer, serving
from servers.official_stubs import official_client

COMMAND = [sys.executable, "-m", "impasto.client"]
of_the_index = pytest.mark.local_server_only("what the client makes of its own index and results")


@pytest.fixture(scope="module")
def models(committed_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two versions of the committed srcnn, and with it under another name."""
    root = tmp_path_factory.mktemp("models")
    for copy in ("srcnn/1", "srcnn/2", "other/2"):
        shutil.copytree(committed_models / "srcnn" / "3", root / copy)
    return root


@pytest.fixture(scope="module")
def server(models: Path, server_kind: str) -> Iterator[ModelServer]:
    """A server of both versions, of which version 1 is `stable`."""
    config = write_configuration(models / "models.config", *_served(models, stable=1))
    with serving(server_kind, config) as server:
        yield server


def _served(models: Path, *, stable: int) -> list[object]:
    return [
        model(models, "srcnn", all_versions=True, labels={"stable": stable, "canary": 2}),
        model(models, "other"),
    ]


@pytest.fixture(autouse=True)
def holiday(server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Three pictures in a folder of the current one, and the server in the environment."""
    monkeypatch.setenv("IMPASTO_SERVER", server.address)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "holiday"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "b.bmp", "c.png")):
        save(folder / name, pixels(20, 24, seed=seed))
    return folder


@pytest.fixture
def upscale(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[list[str], str]]:
    """Runs `impasto upscale holiday -o out`; the names of what was done, and the words to the person."""

    def do(*options: str) -> tuple[list[str], str]:
        capsys.readouterr()
        assert run(["upscale", "holiday", "-o", "out", "--json", *options]) == exit_codes.DONE
        said = capsys.readouterr()
        return [Path(entry["output"]).name for entry in json.loads(said.out)["done"]], said.err

    return do


Upscale = Callable[..., tuple[list[str], str]]


def state(folder: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir()}


def versions() -> dict[str, int]:
    return {name: entry.version for name, entry in index.read_index(Path("out", index.NAME)).items()}


def test_what_would_be_made_again_is_skipped_and_left_as_it_is(upscale: Upscale) -> None:
    assert upscale()[0] == ["a.png", "b.bmp", "c.png"]
    before = state("out")
    for path in Path("holiday").iterdir():
        os.utime(path, (2e9, 2e9))  # a copy, or a checkout: another time, the same pictures
    assert upscale("--resume") == ([], "0 of 3 pictures done, 3 skipped\n")
    assert upscale("--resume", "--tile", "16", "--concurrency", "1")[0] == []
    assert state("out") == before


def test_what_is_not_there_yet_is_done(upscale: Upscale) -> None:
    upscale()
    Path("out/b.bmp").unlink()
    save(Path("holiday/d.png"), pixels(20, 24, seed=9))
    assert upscale("--resume") == (["b.bmp", "d.png"], "2 of 4 pictures done, 2 skipped\n")


def test_other_pixels_under_the_same_name_size_and_time_are_seen(upscale: Upscale, holiday: Path) -> None:
    upscale()
    path = holiday / "b.bmp"
    before, data = path.stat(), bytearray(path.read_bytes())
    data[-40:] = bytes(40)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    done, said = upscale("--resume")

    assert done == ["b.bmp"]
    assert "impasto: done again because its picture has changed: out/b.bmp\n" in said
    assert upscale("--resume")[0] == []


@of_the_index
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-50]),
        lambda path: path.write_bytes(b"hello"),
        lambda path: save(path, pixels(20, 24)),
        lambda path: save(path, np.asarray(load(path))[::-1].copy()),
    ],
    ids=["empty", "cut off", "unreadable", "of another size", "retouched"],
)
@pytest.mark.parametrize("name", ["a.png", "b.bmp"])
def test_a_result_that_is_not_as_it_was_written_is_done_again(
    upscale: Upscale, server: ModelServer, damage: Callable[[Path], object], name: str
) -> None:
    upscale()
    damage(Path("out", name))
    done, said = upscale("--resume")
    assert done == [name]
    assert f"done again because it was changed or damaged: out/{name}" in said
    with Client(server.address) as client:
        assert np.array_equal(
            np.asarray(load(Path("out", name))), np.asarray(client.upscale(f"holiday/{name}"))
        )


def test_a_result_of_which_nothing_is_known_is_done_again(upscale: Upscale) -> None:
    Path("out").mkdir()
    save(Path("out/a.png"), pixels(40, 48))
    done, said = upscale("--resume")
    assert done == ["a.png", "b.bmp", "c.png"]
    assert "done again because nothing tells what made it: out/a.png" in said
    assert upscale("--resume")[0] == []


def test_the_version_that_made_a_result_is_compared_with_the_one_that_would_make_it(
    upscale: Upscale, server: ModelServer, models: Path
) -> None:
    upscale("--label", "stable")
    assert set(versions().values()) == {1}
    assert upscale("--resume", "--label", "stable")[0] == []
    assert upscale("--resume", "--model-version", "1")[0] == []

    with official_client(server.address) as official:
        reload(official, *_served(models, stable=2))
    try:
        done, said = upscale("--resume", "--label", "stable")
    finally:
        with official_client(server.address) as official:
            reload(official, *_served(models, stable=1))
    assert done == ["a.png", "b.bmp", "c.png"]
    assert "done again because version 2 of srcnn is served now: out/a.png, out/b.bmp, out/c.png" in said
    assert set(versions().values()) == {2}
    assert upscale("--resume")[0] == []  # the newest, by its number or by another label: it is the same one
    assert upscale("--resume", "--label", "canary")[0] == []
    assert upscale("--resume", "--model-version", "1")[0] == ["a.png", "b.bmp", "c.png"]


def test_another_model_makes_another_result(upscale: Upscale) -> None:
    upscale()
    assert upscale("--resume", "--model", "other")[0] == ["a.png", "b.bmp", "c.png"]
    assert upscale("--resume", "--model", "other")[0] == []


def test_what_a_run_before_the_last_one_made_is_known_as_well(upscale: Upscale) -> None:
    assert run(["upscale", "holiday/a.png", "-o", "out/"]) == exit_codes.DONE
    assert run(["upscale", "holiday/c.png", "-o", "out/"]) == exit_codes.DONE
    assert upscale("--resume")[0] == ["b.bmp"]


def test_pictures_in_folders_of_the_folder_are_resumed_too(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a/photos", "b/photos"):
        Path(folder).mkdir(parents=True)
        save(Path(folder, "1.png"), pixels(20, 24))
    command = ["upscale", "a/photos", "b/photos", "-o", "out", "--resume"]
    assert run(command) == exit_codes.DONE
    save(Path("b/photos/1.png"), pixels(20, 24, seed=1))
    capsys.readouterr()
    assert run(command) == exit_codes.DONE
    assert capsys.readouterr().out == "out/b/photos/1.png\n"


def test_one_picture_with_a_name_of_its_own_is_kept_in_mind_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = ["upscale", "holiday/a.png", "-o", "large.png"]
    assert run(one) == exit_codes.DONE
    assert not Path(index.NAME).exists()  # nobody wants it in the current folder
    assert run([*one, "--resume"]) == exit_codes.DONE
    assert capsys.readouterr().out == "large.png\nlarge.png\n"
    assert run([*one, "--resume"]) == exit_codes.DONE
    assert capsys.readouterr() == ("", "0 of 1 pictures done, 1 skipped\n")


def test_a_picture_that_can_be_read_only_once_is_read_once_and_always_done() -> None:
    os.mkfifo("pipe.png")
    data = Path("holiday/a.png").read_bytes()
    for _ in range(2):
        writer = threading.Thread(target=lambda: Path("pipe.png").write_bytes(data))
        writer.start()
        assert run(["upscale", "pipe.png", "-o", "out/", "--resume"]) == exit_codes.DONE
        writer.join()
    assert load(Path("out/pipe.png")).size == (48, 40)


def test_a_killed_run_loses_no_result_and_the_next_one_completes_it(
    holiday: Path, server: ModelServer, upscale: Upscale
) -> None:
    for number in range(20):
        save(holiday / f"{number}.png", pixels(60, 80, seed=number))
    process = subprocess.Popen([*COMMAND, "upscale", "holiday", "-o", "out", "--concurrency", "1"])
    while len(list(Path("out").glob("[!.]*"))) < 3 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = state("out")

    done, _ = upscale("--resume")

    skipped = {path.name for path in holiday.iterdir()} - set(done)
    assert skipped  # the first at least
    after = state("out")
    assert all(after[name] == made[name] for name in skipped)
    with Client(server.address) as client:
        for path in holiday.iterdir():
            expected = np.asarray(client.upscale(path))
            assert np.array_equal(np.asarray(load(Path("out", path.name))), expected)
    assert upscale("--resume")[0] == []


@of_the_index
def test_two_runs_into_one_folder_at_once_both_leave_what_they_made(tmp_path: Path, upscale: Upscale) -> None:
    for part in ("one", "two"):
        (tmp_path / part).mkdir()
        for number in range(12):
            save(tmp_path / part / f"{part}-{number}.png", pixels(12, 14, seed=number))
    processes = [
        subprocess.Popen([*COMMAND, "upscale", part, "-o", "out", "-q"], stdout=subprocess.DEVNULL)
        for part in ("one", "two")
    ]
    assert [process.wait() for process in processes] == [exit_codes.DONE] * 2
    assert len(index.read_index(Path("out", index.NAME))) == 24
    assert run(["upscale", "one", "two", "-o", "out", "--resume", "--json", "-q"]) == exit_codes.DONE


@of_the_index
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff\xfe",
        b"[]",
        b"null",
        b"[" * 200_000,
        b'{"impasto": ' + b"9" * 10_000 + b"}",
        b'{"impasto": 1}',
        b'{"impasto": 1, "results": [1]}',
        b'{"impasto": 99, "results": {}}',
        b'{"name": "of another program"}',
        b'{"impasto": 1, "results": {' + b",".join(b'"%d":{}' % n for n in range(100_000)) + b"}}",
    ],
)
def test_an_index_that_is_none_is_ignored_with_a_note_and_written_anew(
    upscale: Upscale, content: bytes
) -> None:
    upscale()
    Path("out", index.NAME).write_bytes(content)
    done, said = upscale("--resume")
    assert done == ["a.png", "b.bmp", "c.png"]
    assert f"impasto: out/{index.NAME} is ignored and written anew: it is" in said
    assert upscale("--resume")[0] == []


@of_the_index
@pytest.mark.parametrize("field", ["input", "options", "model", "version", "result"])
@pytest.mark.parametrize("value", [None, True, -1, 1e400, 2**70, "x", "../../secret", [], {}, {"bytes": "1"}])
def test_an_entry_that_is_none_is_as_if_it_were_not_there(
    upscale: Upscale, field: str, value: object
) -> None:
    upscale()
    file = Path("out", index.NAME)
    kept = json.loads(file.read_text())
    kept["results"]["b.bmp"][field] = value
    kept["results"]["../../etc/passwd"] = {"input": "/etc/passwd"}
    file.write_text(json.dumps(kept))
    assert upscale("--resume")[0] == ["b.bmp"]
    assert upscale("--resume")[0] == []
    assert "etc" not in file.read_text()


@of_the_index
def test_a_link_in_place_of_the_index_is_neither_followed_nor_written_through(upscale: Upscale) -> None:
    upscale()
    file = Path("out", index.NAME)
    file.rename("precious.json")
    before = Path("precious.json").read_bytes()
    file.symlink_to("../precious.json")
    done, said = upscale("--resume")
    assert len(done) == 3
    assert "is ignored and written anew: it is a link" in said
    assert Path("precious.json").read_bytes() == before
    assert not file.is_symlink()


@of_the_index
def test_a_pipe_in_place_of_the_index_stops_nobody(upscale: Upscale) -> None:
    Path("out").mkdir()
    os.mkfifo(Path("out", index.NAME))
    done, said = upscale("--resume")
    assert len(done) == 3
    assert "it is not a regular file" in said


@of_the_index
def test_where_no_index_can_be_written_the_pictures_are_and_a_line_says_so(upscale: Upscale) -> None:
    Path("out", index.NAME, "full").mkdir(parents=True)
    done, said = upscale()
    assert len(done) == 3
    assert (
        said.count(f"cannot write out/{index.NAME}: Is a directory; --resume will do these pictures again")
        == 1
    )
