"""`impasto upscale` on files and folders, good and bad, through a real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from images.pictures import bomb, load, pixels, save, srgb_profile
from impasto.client import Client, Model
from impasto.client.cli import exit_codes, index, run
from impasto.client.pictures import PictureWarning, encode_picture
from processes.terminals import terminal
from scripted.client_servers import prediction, scripted
from scripted.enlarging import Enlarging, asks_what_it_is, description
from servers.model_servers import ModelServer

pytestmark = pytest.mark.usefixtures("at_the_committed_server")


def names(folder: Path) -> list[str]:
    """All files of a folder but the index of results."""
    return sorted({entry.name for entry in folder.iterdir()} - {index.NAME})


def test_a_file_becomes_a_file_as_the_client_makes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], committed_server: ModelServer
) -> None:
    save(tmp_path / "photo.png")
    assert run(["upscale", "photo.png", "-o", "large.png"]) == exit_codes.DONE
    with Client(committed_server.address) as client:
        assert np.array_equal(
            np.asarray(load(tmp_path / "large.png")), np.asarray(client.upscale("photo.png"))
        )
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("large.png\n", "")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_png_that_is_written_while_its_tiles_come_is_the_file_of_the_whole_picture(
    tmp_path: Path, mode: str, committed_server: ModelServer
) -> None:
    image = Image.fromarray(pixels(61, 47, 4)).convert(mode)
    exif = Image.Exif()
    exif[315] = "Ada"
    image.save(
        "photo.png", dpi=(300, 300), exif=exif, icc_profile=srgb_profile()
    )  # which gray pixels cannot have
    with Client(committed_server.address) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        whole = client.upscale("photo.png", tile=24)
    for options in ({}, {"strip": True}, {"compress": "fast"}):
        words = [f"--{name}{'' if value is True else f'={value}'}" for name, value in options.items()]
        command = ["upscale", "photo.png", "-o", "large.png", "--tile", "24", "--overwrite", *words]
        assert run(command) == exit_codes.DONE
        assert Path("large.png").read_bytes() == bytes(encode_picture(whole, ".png", **options))


def test_a_folder_and_files_go_to_a_folder_under_their_own_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "holiday" / "deeper").mkdir(parents=True)
    save(tmp_path / "holiday" / "a.png")
    save(tmp_path / "holiday" / "b.JPG")
    save(tmp_path / "holiday" / ".hidden.png")
    save(tmp_path / "holiday" / "deeper" / "c.png")
    (tmp_path / "holiday" / "notes.txt").write_text("no picture")
    save(tmp_path / "scan.gif")

    assert run(["upscale", "holiday", "scan.gif", "-o", "new/large"]) == exit_codes.DONE

    assert names(tmp_path / "new" / "large") == [
        "a.png",
        "b.JPG",
        "scan.png",
    ]  # a GIF's 256 colours are too few
    shown = capsys.readouterr()
    assert shown.out == "new/large/a.png\nnew/large/b.JPG\nnew/large/scan.png\n"
    assert shown.err.splitlines() == [
        "impasto: left out holiday/notes.txt: not a picture by its extension",
        "3 of 4 files done, 1 left out",
    ]


@pytest.mark.parametrize("output", ["there", "not_there", "not.there/"])
def test_one_file_may_go_to_a_folder(tmp_path: Path, output: str) -> None:
    (tmp_path / "there").mkdir()
    save(tmp_path / "photo.png")
    assert run(["upscale", "photo.png", "-o", output]) == exit_codes.DONE
    assert names(tmp_path / output) == ["photo.png"]


def test_one_bad_picture_does_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "a.png")
    (folder / "b.png").write_bytes(b"hello")
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:-200])
    (folder / "d.png").write_bytes(bomb())
    (folder / "e.png").write_bytes(b"")
    save(folder / "f.png", np.full((1, 1, 3), 9, np.uint8))

    assert run(["upscale", "in", "gone.png", "-o", "out"]) == exit_codes.FAILED

    assert names(tmp_path / "out") == ["a.png", "f.png"]
    shown = capsys.readouterr()
    assert shown.out == "out/a.png\nout/f.png\n"
    assert [line.split(";")[0] for line in shown.err.splitlines()] == [
        "impasto: in/b.png is not an image that can be read (PNG, JPEG, WebP, TIFF, BMP, ...)",
        "impasto: in/c.png is incomplete or damaged: it ends before its pixels do",
        shown.err.splitlines()[2].split(";")[0],
        "impasto: in/e.png is empty: 0 bytes",
        "impasto: gone.png: No such file or directory",
        "2 of 7 pictures done, 5 failed",
    ]
    assert "3,600,000,000 pixels and the limit is 89,478,485" in shown.err.splitlines()[2]


def test_json_has_what_was_done_and_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"hello")
    assert run(["upscale", "a.png", "b.png", "-o", "out", "--json", "--quiet"]) == exit_codes.FAILED
    shown = json.loads(capsys.readouterr().out)
    (done,) = shown["done"]
    assert done.pop("seconds") >= 0
    assert done == {"input": "a.png", "output": "out/a.png", "width": 34, "height": 24}
    (failed,) = shown["failed"]
    assert (failed["input"], failed["error"]) == ("b.png", "NotAnImage")


def test_quiet_leaves_only_results_and_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"hello")
    assert run(["upscale", "a.png", "b.png", "-o", "out", "-q"]) == exit_codes.FAILED
    shown = capsys.readouterr()
    assert shown.out == "out/a.png\n"
    assert len(shown.err.splitlines()) == 1


def test_results_are_only_replaced_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "photo.png")
    (tmp_path / "large.png").write_bytes(b"precious")
    assert run(["upscale", "photo.png", "-o", "large.png"]) == exit_codes.FAILED
    assert "large.png exists" in capsys.readouterr().err
    assert (tmp_path / "large.png").read_bytes() == b"precious"
    assert run(["upscale", "photo.png", "-o", "large.png", "--overwrite"]) == exit_codes.DONE
    assert load(tmp_path / "large.png").size == (34, 24)


def test_a_link_gets_the_format_of_the_file_that_it_leads_to(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")
    for name, target in (("one.png", "real.jpg"), ("other.jpg", "real.png")):
        (tmp_path / name).symlink_to(target)
        assert run(["upscale", "photo.png", "-o", name, "--strip"]) == exit_codes.DONE
    assert [load(tmp_path / f"real.{kind}").format for kind in ("jpg", "png")] == ["JPEG", "PNG"]


@pytest.mark.parametrize("output", ["photo.png", ".", "link.png"])
def test_an_input_is_never_replaced(tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = save(tmp_path / "photo.png").read_bytes()
    (tmp_path / "link.png").symlink_to("photo.png")
    assert run(["upscale", "photo.png", "-o", output, "--overwrite"]) == exit_codes.USAGE
    assert "would replace the input" in capsys.readouterr().err
    assert (tmp_path / "photo.png").read_bytes() == before


def test_results_that_still_have_one_name_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.gif", "a.png", "a.gif.png"):
        save(tmp_path / name)
    assert run(["upscale", "a.gif", "a.png", "a.gif.png", "-o", "out"]) == exit_codes.USAGE
    assert "a.gif and a.gif.png would both become out/a.gif.png; give them" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_an_error_that_says_what_was_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["upscale", "empty", "-o", "out"]) == exit_codes.USAGE
    said = capsys.readouterr().err
    assert said.startswith("impasto: no pictures in the folder empty (looked for .")
    assert ".jfif .jp2" in said


def test_several_pictures_do_not_go_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    save(tmp_path / "out.png")
    assert run(["upscale", "a.png", "b.png", "-o", "out.png"]) == exit_codes.USAGE
    assert "several pictures need a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("gone/large.png", "is not a folder"),
        ("photo.png/large.png", "is not a folder"),
        ("/proc/large.png", "cannot write /proc/large.png"),
    ],
)
def test_an_output_that_cannot_be_written_is_a_failed_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, reason: str
) -> None:
    save(tmp_path / "photo.png")
    assert run(["upscale", "photo.png", "-o", output]) == exit_codes.FAILED
    assert reason in capsys.readouterr().err
    assert names(tmp_path) == ["photo.png"]


@pytest.mark.parametrize("output", ["large.xyz", "results.2024", "gif:-"])
def test_a_format_that_cannot_be_written_is_a_wrong_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], output: str
) -> None:
    save(tmp_path / "photo.png")
    assert run(["upscale", "photo.png", "-o", output, "--server", "127.0.0.1:1"]) == exit_codes.USAGE
    assert "no picture can be written as" in capfd.readouterr().err


def test_a_name_with_a_slash_at_its_end_is_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "photo.png")
    (tmp_path / "large.png").write_bytes(b"precious")
    assert run(["upscale", "photo.png", "-o", "large.png/", "--overwrite"]) == exit_codes.USAGE
    assert "a name with a slash at its end is one" in capsys.readouterr().err
    assert (tmp_path / "large.png").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("source", "output", "named", "why"),
    [
        (f"{'x' * 300}.png", "large.png", f"{'x' * 300}.png", "File name too long"),
        ("photo.png", f"{'x' * 300}.png", f"{'x' * 300}.png", "File name too long"),
        ("loop.png", "large.png", "loop.png", "Too many levels of symbolic links"),
    ],
)
def test_a_name_that_the_system_refuses_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, output: str, named: str, why: str
) -> None:
    save(tmp_path / "photo.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert run(["upscale", source, "-o", output]) == exit_codes.FAILED
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert f"{named}: {why}" in said
    assert names(tmp_path) == ["loop.png", "photo.png"]


def test_a_name_that_the_system_refuses_does_not_stop_the_other_pictures(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    command = ["upscale", f"{'x' * 300}.png", "loop.png", "photo.png", "-o", "out"]
    assert run(command) == exit_codes.FAILED
    assert names(tmp_path / "out") == ["photo.png"]


def test_a_loop_of_links_is_no_place_for_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "photo.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert run(["upscale", "photo.png", "-o", "loop.png"]) == exit_codes.FAILED
    assert "loop.png" in capsys.readouterr().err
    assert (tmp_path / "loop.png").is_symlink()


def test_two_results_in_one_file_behind_a_link_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "b.png")
    (tmp_path / "out" / "a.png").symlink_to("b.png")
    assert run(["upscale", "in", "-o", "out", "--overwrite"]) == exit_codes.USAGE
    assert "in/a.png and in/b.png would both become out/a.png" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "photo.png")
    assert run(["upscale", "photo.png", "-o", "photo.png/out"]) == exit_codes.FAILED
    assert "cannot make the folder photo.png/out: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--server", "127.0.0.1:1"], exit_codes.UNREACHABLE, "Start one: impasto-serving local"),
        (["--model", "nope"], exit_codes.REFUSED, "nope is not served at"),
        (["--model-version", "99"], exit_codes.REFUSED, "Specific(srcnn, 99)"),
        (["--label", "beta"], exit_codes.REFUSED, "label: beta"),
        (["--label", "beta", "--model-version", "1"], exit_codes.USAGE, "give one of them"),
        (["--tile", "10"], exit_codes.REFUSED, "tile is 10; it must be 11 or more for srcnn"),
        (
            ["--factor", "4"],
            exit_codes.REFUSED,
            "factor is 4; srcnn enlarges by 2: give one that it has, or several",
        ),
        (
            ["--factor", "3"],
            exit_codes.REFUSED,
            "factor is 3; srcnn enlarges by 2: give one that it has, or a model that has it, such as upscaler-small",
        ),
        (["--factor", "big"], exit_codes.USAGE, "'big' is no factor such as 4, or 4x2 for 4 and then 2"),
        (["--to", "3840"], exit_codes.USAGE, "'3840' is no width and height such as 3840x2160"),
        (["--megapixels", "0"], exit_codes.USAGE, "--megapixels"),
        (
            ["--to", "9x9", "--factor", "2"],
            exit_codes.USAGE,
            "--factor and --to: each says how large results are",
        ),
    ],
)
def test_what_would_fail_for_every_picture_is_said_once_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    assert run(["upscale", "a.png", "b.png", "-o", "out", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count(reason) == 1
    assert names(tmp_path) == ["a.png", "b.png"]


def test_a_server_that_dies_on_the_way_keeps_what_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_PATIENCE", "0")
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / name)
    answer = prediction(image=np.zeros((1, 24, 34, 3), np.uint8))

    def once(request: bytes, context: grpc.ServicerContext) -> bytes:
        if asks_what_it_is(request):
            return description(version=1)
        if len(server.methods) > 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        return answer

    with scripted(once) as server:
        command = ["upscale", "a.png", "b.png", "c.png", "-o", "out", "--concurrency", "1"]
        assert run([*command, "--server", server.address]) == exit_codes.UNREACHABLE

    assert names(tmp_path / "out") == ["a.png"]
    shown = capsys.readouterr()
    assert shown.out == "out/a.png\n"
    assert "1 of 3 pictures done, 2 not done" in shown.err
    assert "going down" in shown.err


@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_written_before_an_earlier_picture_failed_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.setenv("IMPASTO_PATIENCE", "0")
    save(tmp_path / "a.png", pixels(30, 40))
    for name in ("b.png", "c.png"):
        save(tmp_path / name, pixels(12, 17))
    written = [tmp_path / "out" / name for name in ("b.png", "c.png")]
    answer = prediction(image=np.zeros((1, 24, 34, 3), np.uint8))

    def answer_all_but_the_first(request: bytes, context: grpc.ServicerContext) -> bytes:
        if asks_what_it_is(request):
            return description(version=1)
        if len(request) < 40 * 30 * 3:
            return answer
        deadline = time.monotonic() + 240
        while not all(path.exists() for path in written) and time.monotonic() < deadline:
            time.sleep(0.01)
        context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        raise AssertionError("abort raises")

    with scripted(answer_all_but_the_first) as server:
        command = ["upscale", "a.png", "b.png", "c.png", "-o", "out", "--server", server.address]
        assert run([*command, *(["--json"] if as_json else [])]) == exit_codes.UNREACHABLE

    assert names(tmp_path / "out") == ["b.png", "c.png"]
    shown = capsys.readouterr()
    if as_json:
        report = json.loads(shown.out)
        assert [entry["output"] for entry in report["done"]] == ["out/b.png", "out/c.png"]
    else:
        assert shown.out == "out/b.png\nout/c.png\n"
    assert "2 of 3 pictures done, 1 not done" in shown.err


def test_options_reach_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], committed_server: ModelServer
) -> None:
    save(tmp_path / "photo.png", pixels(30, 20))
    assert (
        run(["upscale", "photo.png", "-o", "a.png", "--tile", "16", "--model-version", "3"])
        == exit_codes.DONE
    )
    with Client(committed_server.address) as client:
        expected = np.asarray(client.upscale("photo.png", tile=16, model=Model("srcnn", 3)))
    assert np.array_equal(np.asarray(load(tmp_path / "a.png")), expected)
    assert run(["upscale", "photo.png", "-o", "b.png", "--max-pixels", "599"]) == exit_codes.FAILED
    assert "the limit is 599" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_run_leaves_nothing_half_written(tmp_path: Path, sent: signal.Signals) -> None:
    def hang_at_last(number: int, context: grpc.ServicerContext) -> None:
        if number >= 20:  # the first rows of tiles are written by then
            enlarging.hang(context)

    enlarging = Enlarging(hang_at_last)
    save(tmp_path / "photo.png", np.zeros((400, 400, 3), np.uint8))
    # Tests that run under nohup ignore SIGHUP, and so would what they start.
    command = ["env", "--default-signal", sys.executable, "-m", "impasto.client"]
    command += ["upscale", "photo.png", "-o", "large.png", "--tile", "64"]
    # A terminal of its own, so that the progress bar is drawn.
    with scripted(enlarging) as server, terminal() as screen:
        process = subprocess.Popen(
            [*command, "--server", server.address], stderr=screen.end, stdout=subprocess.PIPE, cwd=tmp_path
        )
        enlarging.until(lambda: enlarging.begun > 20)
        process.send_signal(sent)
        assert "interrupted" in screen.to_the_end()
        out, _ = process.communicate()
    assert (process.returncode, out) == (128 + sent, b"")
    assert names(tmp_path) == ["photo.png"]


def test_results_stay_on_standard_output_while_the_progress_bar_is_drawn(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"hello")
    command = [sys.executable, "-m", "impasto.client", "upscale", "a.png", "b.png", "-o", "out"]
    with terminal() as screen:
        process = subprocess.Popen(command, stderr=screen.end, stdout=subprocess.PIPE, cwd=tmp_path)
        shown = screen.to_the_end()
        written, _ = process.communicate()
    assert written == b"out/a.png\n"
    assert "out/a.png" not in shown
    assert "pictures" in shown
    assert "impasto: b.png is not an image" in shown


def test_the_picture_keeps_its_profile_and_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(pixels(channels=4))
    image.save(tmp_path / "photo.png", dpi=(300, 300))
    assert run(["upscale", "photo.png", "-o", "large.webp"]) == exit_codes.DONE
    assert run(["upscale", "photo.png", "-o", "large.png"]) == exit_codes.DONE
    assert load(tmp_path / "large.webp").mode == "RGBA"
    assert load(tmp_path / "large.png").info["dpi"] == pytest.approx((300, 300), abs=0.1)
