"""The files that a person points at: what is read, what is left out, what is named twice, and the results' names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from images.pictures import pixels, save
from impasto.client.cli import exit_codes, index, run
from impasto.client.pictures import readable_extensions
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "what the command line makes of its arguments"

# Each format that Pillow can write and is read here, by the names that cameras, browsers and old programs give.
KINDS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".mpo": "MPO",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".dib": "DIB",
    ".tga": "TGA",
    ".webp": "WEBP",
    ".pcx": "PCX",
    ".ico": "ICO",
    ".sgi": "SGI",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
}
KEPT = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}
AS_JPEG = {".jpe", ".jfif", ".mpo"}


@pytest.fixture(autouse=True)
def at_the_server(committed_server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMPASTO_SERVER", committed_server.address)
    monkeypatch.chdir(tmp_path)


def pictures(*names: str) -> None:
    for seed, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        save(Path(name), pixels(8, 10, seed=seed))


def files(folder: str) -> set[str]:
    """The results in a folder and the folders of it."""
    found = {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}
    return found - {index.NAME}


def test_every_format_that_pillow_reads_is_read_of_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in").mkdir()
    read = {suffix: kind for suffix, kind in KINDS.items() if suffix in readable_extensions()}
    assert len(read) > 20
    for suffix, kind in read.items():
        Image.fromarray(pixels(32, 32)).save(f"in/of{suffix[1:]}{suffix}", kind)
    assert run(["upscale", "in", "-o", "out"]) == exit_codes.DONE
    wanted = {
        suffix: suffix if suffix in KEPT else ".jpg" if suffix in AS_JPEG else ".png" for suffix in read
    }
    assert files("out") == {f"of{suffix[1:]}{result}" for suffix, result in wanted.items()}
    for suffix, result in wanted.items():
        with Image.open(f"out/of{suffix[1:]}{result}") as image:
            assert image.format == Image.registered_extensions()[result]
            assert image.size[0] >= 64
    assert capsys.readouterr().err == f"{len(read)} of {len(read)} pictures done\n"


def test_files_that_are_not_read_are_named_with_the_reason_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures("in/a.png")
    left = ["b.heic", "c.HEIF", "d.svg", "e.cr2", "f.nef", "g.dng", "notes.txt", "README", "z.eps", "z.psb"]
    for name in (*left, ".DS_Store", ".impasto.json", "Thumbs.db", "desktop.ini"):
        Path("in", name).write_bytes(b"junk")
    Path("in/gone.png").symlink_to("nowhere.png")
    Path("in/loop.png").symlink_to("loop.png")
    os.mkfifo("in/pipe.png")
    Path("in/folder.png").mkdir()
    left += ["gone.png", "loop.png", "pipe.png"]

    assert run(["upscale", "in", "-o", "out", "--json"]) == exit_codes.DONE

    said = capsys.readouterr()
    report = json.loads(said.out)
    assert [entry["output"] for entry in report["done"]] == ["out/a.png"]
    reasons = {Path(entry["input"]).name: entry["reason"] for entry in report["left_out"]}
    assert sorted(reasons) == sorted(left)
    assert all(f"in/{name}" in said.err for name in left)
    assert "heif-convert" in reasons["b.heic"]
    assert "Inkscape" in reasons["d.svg"]
    assert reasons["e.cr2"] == ".cr2" + reasons["f.nef"][4:]
    assert reasons["notes.txt"] == reasons["README"] == "not a picture by its extension"
    assert (reasons["gone.png"], reasons["pipe.png"]) == ("a link to nothing", "not a regular file")
    assert said.err.splitlines()[-1] == f"1 of {1 + len(left)} files done, {len(left)} left out"


def test_a_folder_with_nothing_that_can_be_read_is_an_error_that_names_what_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("in").mkdir()
    for name in ("a.heic", "b.heic", "c.svg", ".hidden.png"):
        Path("in", name).write_bytes(b"junk")
    assert run(["upscale", "in", "-o", "out"]) == exit_codes.USAGE
    said = capsys.readouterr().err
    assert said.startswith(
        "impasto: no picture in the folder in can be read; left out in/a.heic, in/b.heic: .heic"
    )
    assert "left out in/c.svg: .svg cannot be read here; render it" in said
    assert not Path("out").exists()


def test_of_very_many_files_that_are_left_out_the_first_are_named_and_json_has_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures("in/a.png")
    for number in range(40):
        Path(f"in/{number:03}.cr2").write_bytes(b"junk")
    assert run(["upscale", "in", "-o", "out", "--json"]) == exit_codes.DONE
    said = capsys.readouterr()
    assert "in/009.cr2 and 30 more: .cr2" in said.err
    assert len(json.loads(said.out)["left_out"]) == 40


def test_what_is_left_out_is_not_said_where_nobody_wants_words(capsys: pytest.CaptureFixture[str]) -> None:
    pictures("in/a.png")
    Path("in/a.heic").write_bytes(b"junk")
    assert run(["upscale", "in", "in", "-o", "out", "-q"]) == exit_codes.DONE
    assert capsys.readouterr().err == ""


def test_a_file_that_is_named_by_itself_is_read_whatever_its_name_is() -> None:
    pictures("a.png")
    Path("a.png").rename("a.txt")
    assert run(["upscale", "a.txt", "-o", "out/"]) == exit_codes.DONE
    assert files("out") == {"a.png"}


@pytest.mark.parametrize(
    ("inputs", "done"),
    [
        (["in/a.png", "./in/a.png"], ["out/a.png"]),
        (["in/a.png", "in/../in/a.png", "in/b.png"], ["out/a.png", "out/b.png"]),
        (["in", "in/a.png"], ["out/a.png", "out/b.png"]),
        (["in/b.png", "in"], ["out/b.png", "out/a.png"]),
        (["in", "./in/"], ["out/a.png", "out/b.png"]),
        (["in", "way"], ["out/a.png", "out/b.png"]),
        (["link.png", "in/a.png"], ["out/link.png"]),
    ],
)
def test_a_file_that_is_named_twice_is_done_once_and_said(
    capsys: pytest.CaptureFixture[str], inputs: list[str], done: list[str]
) -> None:
    pictures("in/a.png", "in/b.png")
    Path("way").symlink_to("in")
    Path("link.png").symlink_to("in/a.png")
    assert run(["upscale", *inputs, "-o", "out/"]) == exit_codes.DONE
    said = capsys.readouterr()
    assert said.out.splitlines() == done
    assert "it is done once" in said.err
    assert files("out") == {Path(name).name for name in done}


def test_one_picture_that_is_named_twice_may_go_to_a_file() -> None:
    pictures("a.png")
    assert run(["upscale", "a.png", "./a.png", "-o", "large.png"]) == exit_codes.DONE
    assert Path("large.png").is_file()


def test_two_hard_links_are_two_pictures() -> None:
    pictures("in/a.png")
    Path("in/b.png").hardlink_to("in/a.png")
    assert run(["upscale", "in", "-o", "out"]) == exit_codes.DONE
    assert files("out") == {"a.png", "b.png"}


@pytest.mark.parametrize(
    ("there", "inputs", "results"),
    [
        # Two folders of one name keep what tells them apart, also where no two pictures have one name.
        (
            ["a/photos/1.png", "b/photos/1.png"],
            ["a/photos", "b/photos"],
            ["a/photos/1.png", "b/photos/1.png"],
        ),
        (
            ["a/photos/1.png", "b/photos/2.png"],
            ["a/photos", "b/photos"],
            ["a/photos/1.png", "b/photos/2.png"],
        ),
        (["x/a/p/1.png", "x/b/p/1.png"], ["x/a/p", "./x/b/../b/p/"], ["a/p/1.png", "b/p/1.png"]),
        # All pictures of a folder stay together; a folder whose names are its own needs no folder.
        (
            ["a/1.png", "a/2.png", "b/1.png", "c/3.png"],
            ["a", "b", "c"],
            ["a/1.png", "a/2.png", "b/1.png", "3.png"],
        ),
        (["a/p/1.png", "b/p/1.png"], ["a/p/1.png", "b/p/1.png"], ["a/p/1.png", "b/p/1.png"]),
        (["a/p/1.png", "b/p/2.png"], ["a/p/1.png", "b/p/2.png"], ["1.png", "2.png"]),
        (["a/1.PNG", "b/1.png"], ["a", "b"], ["a/1.PNG", "b/1.png"]),
        (["a/1.gif", "b/1.png"], ["a", "b"], ["a/1.png", "b/1.png"]),
        # In one folder the picture whose own name it is has it.
        (["a/1.gif", "a/1.png"], ["a"], ["1.gif.png", "1.png"]),
        (["a/1.gif", "a/1.tga"], ["a"], ["1.gif.png", "1.tga.png"]),
        (["a/1.jfif", "a/1.jpg", "a/1.gif"], ["a"], ["1.jfif.jpg", "1.jpg", "1.png"]),
    ],
)
def test_no_result_is_lost_and_their_names_can_be_foretold(
    there: list[str], inputs: list[str], results: list[str]
) -> None:
    for seed, name in enumerate(there):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        kind = Image.registered_extensions().get(Path(name).suffix.lower(), "JPEG")
        Image.fromarray(pixels(8, 10 + seed, seed=seed)).save(name, kind)
    assert run(["upscale", *inputs, "-o", "out"]) == exit_codes.DONE
    assert files("out") == set(results)
    for seed, name in enumerate(results):  # each from its own picture
        with Image.open(Path("out", name)) as image:
            assert image.width == 2 * (10 + seed)


def test_a_folder_beside_the_current_one_keeps_its_name_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures("here/photo.png", "photos/photo.png", "here/photos/photo.png")
    monkeypatch.chdir(tmp_path / "here")
    assert run(["upscale", "photo.png", "../photos", "photos", "-o", "out"]) == exit_codes.DONE
    assert files("out") == {
        "here/photo.png",
        f"{tmp_path.name}/photos/photo.png",
        "here/photos/photo.png",
    }
