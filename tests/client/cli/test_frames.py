"""Pictures with several frames or pages, through the commands: every frame, one of them, and what is said."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.moving import MILLISECONDS, SIZE, animation, drawn, found
from images.pictures import encoded, load, pixels, save
from impasto.client import Client, read_animation, read_picture
from impasto.client.cli import exit_codes, index, run
from processes.terminals import terminal
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "the files that the command reads and writes; test_upscale.py runs it on both"

KINDS = {"gif": "GIF", "webp": "WEBP", "png": "PNG"}
COMMAND = [sys.executable, "-m", "impasto.client"]


pytestmark = pytest.mark.usefixtures("at_the_committed_server")


def doubled(server: ModelServer, file: Path | bytes) -> list[NDArray[np.uint8]]:
    """Each frame, upscaled by the library."""
    with Client(server.address) as client:
        return [np.asarray(client.upscale(frame).convert("RGBA")) for frame in read_animation(file).frames]


def far(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The mean difference of what is to be seen of two RGBA pictures, over white."""

    def over_white(rgba: NDArray[np.uint8]) -> NDArray[np.float64]:
        alpha = rgba[..., 3:] / 255
        return np.asarray(rgba[..., :3] * alpha + 255 * (1 - alpha))

    return float(np.abs(over_white(one) - over_white(other)).mean())


def names(folder: str) -> list[str]:
    return sorted({path.name for path in Path(folder).iterdir()} - {index.NAME})


@pytest.mark.parametrize("into", [*KINDS, "apng"])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("source", KINDS)
def test_every_frame_of_an_animation_is_upscaled_with_its_time_and_the_plays(
    source: str, into: str, clear: bool, committed_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = Path(f"small.{source}"), Path(f"large.{into}")
    file.write_bytes(animation(KINDS[source], clear=clear))
    assert run(["upscale", str(file), "-o", str(output), "--json"]) == exit_codes.DONE

    shown = capsys.readouterr()
    assert shown.err == ""
    (entry,) = json.loads(shown.out)["done"]
    assert (entry["frames"], entry["width"], entry["height"]) == (4, 80, 48)
    assert "frame" not in entry
    result = found(output)
    assert (result.kind, result.milliseconds) == (KINDS.get(into, "PNG"), list(MILLISECONDS))
    # A GIF counts the repetitions after the first time.
    plays = 4 if source == "gif" else 3
    assert result.loop == (plays - 1 if into == "gif" else plays)
    for frame, expected in zip(result.frames, doubled(committed_server, file), strict=True):
        if into in ("png", "apng"):
            np.testing.assert_array_equal(frame[expected[..., 3] > 0], expected[expected[..., 3] > 0])
            np.testing.assert_array_equal(frame[..., 3], expected[..., 3])
        assert far(frame, expected) < 4


def test_an_animation_that_is_shown_once_is_so_again() -> None:
    first, *rest = drawn()
    first.save("once.gif", save_all=True, append_images=rest, duration=100)
    for name in ("large.gif", "large.webp", "large.png"):
        assert run(["upscale", "once.gif", "-o", name]) == exit_codes.DONE
        assert found(Path(name)).loop == (None if name == "large.gif" else 1)


@pytest.mark.parametrize("extension", ["jpg", "tif", "bmp"])
def test_a_format_of_one_picture_gets_the_first_frame_which_is_said(
    extension: str, committed_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.webp").write_bytes(animation("WEBP"))
    assert run(["upscale", "a.webp", "-o", f"large.{extension}", "--json"]) == exit_codes.DONE
    shown = capsys.readouterr()
    assert shown.err == (
        "impasto: a.webp: frame 1 of 4 is taken; --frame N takes another, "
        "and .gif, .webp, .png or .apng keeps them all\n"
    )
    (entry,) = json.loads(shown.out)["done"]
    assert (entry["frame"], entry["frames"]) == (1, 4)
    first = doubled(committed_server, Path("a.webp"))[0]
    assert far(np.asarray(load(Path(f"large.{extension}")).convert("RGBA")), first) < 4


def test_one_frame_or_page_is_taken_by_its_number(
    committed_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *rest = drawn()
    first.save("pages.tif", save_all=True, append_images=rest)
    Path("a.gif").write_bytes(animation("GIF"))
    for name in ("a.gif", "pages.tif"):
        assert run(["upscale", name, "--frame", "3", "-o", "third.png", "--json", "--overwrite"]) == 0
        shown = capsys.readouterr()
        (entry,) = json.loads(shown.out)["done"]
        assert (entry["frame"], entry["frames"], shown.err) == (3, 4, "")
        expected = doubled(committed_server, Path(name))[2]
        np.testing.assert_array_equal(np.asarray(load(Path("third.png")).convert("RGBA")), expected)


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("a.gif", "5", "a.gif has 4 frames or pages; --frame 5 is beyond the last"),
        ("one.png", "2", "one.png has 1 frame; --frame 2 is beyond the last"),
    ],
)
def test_a_frame_that_is_not_there_is_an_error_with_the_number_of_frames(
    name: str, number: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.gif").write_bytes(animation("GIF"))
    save(Path("one.png"))
    assert run(["upscale", name, "--frame", number, "-o", "large.png"]) == exit_codes.FAILED
    assert capsys.readouterr().err == f"impasto: {words}\n"
    assert not Path("large.png").exists()
    assert run(["upscale", name, "--frame", "0", "-o", "large.png"]) == exit_codes.USAGE


def test_nothing_is_said_of_a_file_with_one_picture(capsys: pytest.CaptureFixture[str]) -> None:
    photo = Image.fromarray(pixels(32, 32))
    Path("phone.jpg").write_bytes(encoded(photo, "MPO", save_all=True, append_images=[photo]))
    photo.save("icon.ico", sizes=[(16, 16), (32, 32)])
    photo.save("still.gif")
    photo.save("still.tif")
    for name in ("phone.jpg", "icon.ico", "still.gif", "still.tif"):
        assert run(["upscale", name, "-o", f"{name}.png", "--json"]) == exit_codes.DONE
        shown = capsys.readouterr()
        (entry,) = json.loads(shown.out)["done"]
        assert shown.err == ""
        assert not {"frame", "frames"} & set(entry)
        assert load(Path(f"{name}.png")).size == (64, 64)


def test_pages_are_no_animation(capsys: pytest.CaptureFixture[str]) -> None:
    first, *rest = drawn()
    first.save("pages.tif", save_all=True, append_images=rest)
    assert run(["upscale", "pages.tif", "-o", "large.png"]) == exit_codes.DONE
    assert capsys.readouterr().err == "impasto: pages.tif: frame 1 of 4 is taken; --frame N takes another\n"
    assert len(found(Path("large.png")).frames) == 1


def test_in_a_folder_what_moves_keeps_its_format_and_a_still_gif_becomes_a_png(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("in").mkdir()
    Path("in/moves.gif").write_bytes(animation("GIF"))
    Path("in/photo.jpg").write_bytes(encoded(drawn()[0], "JPEG"))
    Path("in/still.gif").write_bytes(encoded(drawn()[0], "GIF"))
    assert run(["upscale", "in", "-o", "out"]) == exit_codes.DONE
    shown = capsys.readouterr()
    assert shown.out == "out/moves.gif\nout/photo.jpg\nout/still.png\n"
    assert shown.err == "3 of 3 pictures done\n"
    assert len(found(Path("out/moves.gif")).frames) == 4
    assert run(["upscale", "in", "-o", "firsts", "--frame", "1"]) == exit_codes.DONE
    assert names("firsts") == ["moves.png", "photo.jpg", "still.png"]


@pytest.mark.parametrize(
    "arguments", [["photo.jpg", "-o", "a.gif"], ["a.webp", "--frame", "2", "-o", "a.gif"]]
)
def test_a_still_result_is_no_gif(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.webp").write_bytes(animation("WEBP"))
    Path("photo.jpg").write_bytes(encoded(drawn()[0], "JPEG"))
    assert run(["upscale", *arguments]) == exit_codes.USAGE
    assert "a.gif: no picture can be written as '.gif'; use one of .png" in capsys.readouterr().err
    assert not Path("a.gif").exists()


def test_the_picture_behind_which_an_apng_hides_its_frames_is_none_of_them(
    committed_server: ModelServer,
) -> None:
    first, *rest = drawn()
    hidden = Image.new("RGB", SIZE, "black")
    hidden.save("a.png", save_all=True, append_images=[first, *rest], default_image=True, duration=50)
    assert run(["upscale", "a.png", "-o", "all.png"]) == exit_codes.DONE
    assert len(found(Path("all.png")).frames) == 4
    assert run(["upscale", "a.png", "-o", "first.png", "--frame", "1"]) == exit_codes.DONE
    with Client(committed_server.address) as client:
        expected = client.upscale(first)
    np.testing.assert_array_equal(np.asarray(load(Path("first.png"))), np.asarray(expected))
    assert read_picture("a.png", frame=3).frames == 4


def test_frames_go_through_pipes_as_through_files() -> None:
    def through(output: str, *more: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [*COMMAND, "upscale", "-", "-o", output, *more]
        return subprocess.run(command, input=data, capture_output=True, check=False)

    data = animation("GIF")
    moving = through("gif:-", data=data)
    assert (found(moving.stdout).kind, len(found(moving.stdout).frames), moving.stderr) == ("GIF", 4, b"")
    assert found(through("-", data=data).stdout).milliseconds == list(MILLISECONDS)
    still = through("jpg:-", data=data)
    assert len(found(still.stdout).frames) == 1
    assert still.stderr.startswith(b"impasto: standard input: frame 1 of 4 is taken; --frame N takes another")
    second = through("-", "--frame", "2", data=data)
    assert (len(found(second.stdout).frames), second.stderr) == (1, b"")
    refused = through("gif:-", data=encoded(drawn()[0]))
    assert (refused.returncode, refused.stdout) == (exit_codes.USAGE, b"")
    assert b"no picture can be written as '.gif'" in refused.stderr


def test_the_limit_is_for_the_pixels_of_all_frames(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.gif").write_bytes(animation("GIF"))
    limit = 4 * SIZE[0] * SIZE[1]
    assert run(["upscale", "a.gif", "-o", "b.gif", "--max-pixels", str(limit - 1)]) == exit_codes.FAILED
    assert f"a.gif has 4 frames of 40 x 24, {limit:,} pixels, and the limit is" in capsys.readouterr().err
    assert run(["upscale", "a.gif", "-o", "b.gif", "--max-pixels", str(limit)]) == exit_codes.DONE


def test_ctrl_c_among_the_frames_leaves_no_file() -> None:
    frames = [Image.fromarray(pixels(100, 100, seed=seed)) for seed in range(400)]
    frames[0].save("a.png", save_all=True, append_images=frames[1:], duration=20)
    with terminal() as screen:
        process = subprocess.Popen(
            [*COMMAND, "upscale", "a.png", "-o", "b.png"], stderr=screen.end, stdout=subprocess.PIPE
        )
        screen.until(b"/400")  # the bar is drawn a few times a second: it may miss the first frames
        process.send_signal(signal.SIGINT)
        screen.to_the_end()
        out, _ = process.communicate()
    assert (process.returncode, out) == (exit_codes.INTERRUPTED, b"")
    assert names(".") == ["a.png"]


def test_a_frame_that_fails_is_the_failure_of_its_picture(capsys: pytest.CaptureFixture[str]) -> None:
    data = animation("GIF")
    Path("cut.gif").write_bytes(data[: len(data) * 2 // 3])
    save(Path("good.png"))
    assert run(["upscale", "cut.gif", "good.png", "-o", "out"]) == exit_codes.FAILED
    assert "impasto: cut.gif is incomplete or damaged" in capsys.readouterr().err
    assert names("out") == ["good.png"]


def test_a_picture_that_was_read_is_a_picture_for_the_client(committed_server: ModelServer) -> None:
    file = animation("PNG")
    with Client(committed_server.address) as client:
        large = client.upscale(read_picture(file, frame=2))
    with Image.open(io.BytesIO(file)) as image:
        image.seek(2)
        with Client(committed_server.address) as client:
            np.testing.assert_array_equal(np.asarray(large), np.asarray(client.upscale(image.convert("RGB"))))


def test_the_documented_example_does_every_frame(committed_server: ModelServer) -> None:
    Path("moving.gif").write_bytes(animation("GIF"))
    document = Path(__file__).parents[3] / "docs" / "pictures.md"
    (example,) = re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    subprocess.run([sys.executable, "-c", example], check=True)
    large = found(Path("large.webp"))
    assert (large.kind, large.milliseconds, large.loop) == ("WEBP", list(MILLISECONDS), 4)
    for frame, expected in zip(large.frames, doubled(committed_server, Path("moving.gif")), strict=True):
        assert far(frame, expected) < 4
