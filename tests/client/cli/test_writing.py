"""--strip, --quality and --compress of every command that writes pictures, and what its results carry along."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from images.moving import MILLISECONDS, animation, drawn, found
from images.pictures import encoded, load, pixels, save, srgb_profile
from impasto.client import Client
from impasto.client.cli import exit_codes, index, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "the files that the commands write; other tests run the commands on both"

DATE, ARTIST = 306, 315
CARRIED = {"exif", "icc_profile", "dpi"}
SHORT = ["--steps", "1", "--octaves", "0"]


@pytest.fixture
def upscaler(committed_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    monkeypatch.setenv(ADDRESS_VARIABLE, committed_server.address)
    return committed_server


@pytest.fixture
def dreamer(dream_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    monkeypatch.setenv(ADDRESS_VARIABLE, dream_server.address)
    return dream_server


@pytest.fixture(autouse=True)
def a_photo_with_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif[DATE], exif[ARTIST] = "2024:05:06 07:08:09", "Ada"
    image = Image.fromarray(pixels(40, 60))
    image.save("photo.jpg", exif=exif, icc_profile=srgb_profile(), dpi=(300, 300), quality=95)


def carried(path: str) -> set[str]:
    """Which metadata a file has, and the artist if it has one."""
    image = load(Path(path))
    artist = image.getexif().get(ARTIST)
    return (CARRIED - {"exif"}) & set(image.info) | ({artist} if artist else set())


KEPT = {
    "jpg": {"Ada", "icc_profile", "dpi"},
    "png": {"Ada", "icc_profile", "dpi"},
    "tif": {"Ada", "icc_profile", "dpi"},
    "webp": {"Ada", "icc_profile"},
    "bmp": {"dpi"},
}


@pytest.mark.parametrize("extension", KEPT)
def test_strip_drops_what_the_format_would_keep(extension: str, upscaler: ModelServer) -> None:
    assert run(["upscale", "photo.jpg", "-o", f"a.{extension}"]) == exit_codes.DONE
    assert run(["upscale", "photo.jpg", "-o", f"b.{extension}", "--strip"]) == exit_codes.DONE
    assert carried(f"a.{extension}") == KEPT[extension]
    # Pillow reports the resolution that a BMP, a JPEG or a TIFF without one has by default.
    assert carried(f"b.{extension}") <= ({"dpi"} if extension in ("bmp", "tif") else set())


def test_quality_is_that_of_the_format(upscaler: ModelServer) -> None:
    with Client(upscaler.address) as client:
        large = client.upscale("photo.jpg")
    for quality in (30, 95):
        for extension in ("jpg", "webp"):
            name = f"{quality}.{extension}"
            assert run(["upscale", "photo.jpg", "-o", name, "--quality", str(quality)]) == exit_codes.DONE
        expected = load_bytes(encoded(large.convert("RGB"), "JPEG", quality=quality))
        assert load(Path(f"{quality}.jpg")).quantization == expected.quantization  # type: ignore[attr-defined]
    assert Path("30.webp").stat().st_size < Path("95.webp").stat().st_size


def load_bytes(data: bytes) -> Any:
    return Image.open(io.BytesIO(data))


def test_compress_is_that_of_a_png_and_small_is_smaller(upscaler: ModelServer) -> None:
    save(Path("photo.png"), np.kron(pixels(40, 60), np.ones((4, 4, 1), np.uint8)))
    sizes = []
    for kind in ("fast", "small"):
        assert run(["upscale", "photo.png", "-o", f"{kind}.png", "--compress", kind]) == exit_codes.DONE
        sizes.append(Path(f"{kind}.png").stat().st_size)
    assert 320 * 480 * 3 > sizes[0] > sizes[1]
    np.testing.assert_array_equal(np.asarray(load(Path("fast.png"))), np.asarray(load(Path("small.png"))))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["-o", "a.png", "--quality", "80"],
            "--quality 80: .png has no such option; it is for .jpg, .jpeg, .webp",
        ),
        (["-o", "a.tif", "--quality", "80"], "--quality 80: .tif has no such option"),
        (
            ["-o", "a.jpg", "--compress", "fast"],
            "--compress fast: .jpg has no such option; it is for .png, .apng",
        ),
        (["-o", "a.jpg", "--quality", "101"], "101 is not in the range 1<=x<=100"),
        (["-o", "a.png", "--compress", "10"], "'10' is not one of 'fast', 'small'"),
        (["-o", "-", "--quality", "80"], "--quality 80: .png has no such option"),
    ],
)
@pytest.mark.parametrize("command", ["upscale", "dream"])
def test_an_option_that_the_result_has_not_is_refused_before_the_work(
    command: str, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "photo.jpg", *arguments, "--server", "localhost:1"]) == exit_codes.USAGE
    assert words in " ".join(capsys.readouterr().err.split())


def test_in_a_folder_each_result_takes_what_its_format_has(upscaler: ModelServer) -> None:
    Path("in").mkdir()
    Path("in/a.jpg").write_bytes(Path("photo.jpg").read_bytes())
    save(Path("in/b.png"), pixels(40, 60))
    for quality in ("20", "95"):
        assert run(["upscale", "in", "-o", quality, "--quality", quality]) == exit_codes.DONE
    assert Path("20/a.jpg").stat().st_size < Path("95/a.jpg").stat().st_size
    assert Path("20/b.png").read_bytes() == Path("95/b.png").read_bytes()


def test_the_options_are_for_animations_too(upscaler: ModelServer) -> None:
    exif = Image.Exif()
    exif[ARTIST] = "Ada"
    Path("a.webp").write_bytes(animation("WEBP", exif=exif, icc_profile=srgb_profile()))
    for name, more in (
        ("kept.webp", []),
        ("small.webp", ["--quality", "10"]),
        ("bare.webp", ["--strip"]),
        ("kept.png", ["--compress", "fast"]),
        ("bare.png", ["--strip", "--compress", "small"]),
        ("bare.gif", ["--strip"]),
    ):
        assert run(["upscale", "a.webp", "-o", name, *more]) == exit_codes.DONE
        assert found(Path(name)).milliseconds == list(MILLISECONDS)
        assert carried(name) == (
            {"Ada", "icc_profile"} if name in ("kept.webp", "kept.png", "small.webp") else set()
        )
    assert Path("small.webp").stat().st_size < Path("kept.webp").stat().st_size
    assert Path("bare.png").stat().st_size < Path("kept.png").stat().st_size
    assert run(["upscale", "a.webp", "-o", "b.gif", "--quality", "50"]) == exit_codes.USAGE


def test_a_dream_and_its_pictures_on_the_way_are_written_alike(dreamer: ModelServer) -> None:
    command = ["dream", "photo.jpg", "--every", "1", "--octaves", "0", "--steps", "2"]
    assert run([*command, "-o", "kept.jpg"]) == exit_codes.DONE
    assert run([*command, "-o", "bare.jpg", "--strip", "--quality", "20"]) == exit_codes.DONE
    for name in ("kept.jpg", "kept-00001.jpg", "kept-00002.jpg"):
        assert carried(name) == KEPT["jpg"]
    coarse = load_bytes(encoded(Image.fromarray(pixels()), "JPEG", quality=20)).quantization
    for name in ("bare.jpg", "bare-00001.jpg", "bare-00002.jpg"):
        assert carried(name) == set()
        assert load(Path(name)).quantization == coarse  # type: ignore[attr-defined]


def test_every_frame_of_a_zoom_carries_what_a_single_dream_does(dreamer: ModelServer) -> None:
    zoom = ["dream", "photo.jpg", "--zoom", "2", *SHORT]
    assert run([*zoom, "-o", "kept"]) == exit_codes.DONE
    assert run([*zoom, "-o", "bare", "--strip", "--compress", "fast"]) == exit_codes.DONE
    assert run([*zoom, "-o", "small", "--strip", "--compress", "small"]) == exit_codes.DONE
    for number in (1, 2):
        assert carried(f"kept/frame-0000{number}.png") == KEPT["png"]
        assert carried(f"bare/frame-0000{number}.png") == set()
        bare, small = (load(Path(f"{folder}/frame-0000{number}.png")) for folder in ("bare", "small"))
        np.testing.assert_array_equal(np.asarray(bare), np.asarray(small))
        assert (
            len({Path(f"{folder}/frame-0000{number}.png").read_bytes() for folder in ("bare", "small")}) == 2
        )
    assert run([*zoom, "-o", "zoom.gif", "--strip"]) == exit_codes.DONE
    assert carried("zoom.gif") == set()


@pytest.mark.parametrize(("output", "option"), [("zoom.gif", "--compress=fast"), ("frames", "--quality=5")])
def test_a_zoom_refuses_what_its_format_has_not(
    output: str, option: str, dreamer: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dream", "photo.jpg", "--zoom", "2", "-o", output, option]) == exit_codes.USAGE
    assert "has no such option" in capsys.readouterr().err
    assert not Path(output).exists()


def test_a_dream_takes_the_frame_that_is_asked_for_and_says_which(
    dreamer: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.gif").write_bytes(animation("GIF"))
    first, *rest = drawn()
    first.save("pages.tif", save_all=True, append_images=rest)
    with Client(dreamer.address) as client:
        dreams = [np.asarray(client.dream(frame, steps=1, octaves=[0])) for frame in drawn()]
    assert run(["dream", "pages.tif", "-o", "first.png", *SHORT, "--json"]) == exit_codes.DONE
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert (told["frame"], told["frames"]) == (1, 4)
    assert shown.err == "impasto: pages.tif: frame 1 of 4 is taken; --frame N takes another\n"
    np.testing.assert_array_equal(np.asarray(load(Path("first.png"))), dreams[0])

    assert run(["dream", "pages.tif", "-o", "third.png", "--frame", "3", *SHORT]) == exit_codes.DONE
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(np.asarray(load(Path("third.png"))), dreams[2])

    # Several at once go another way; a GIF of a dream is its first frame.
    assert run(["dream", "pages.tif", "a.gif", "-o", "out", *SHORT]) == exit_codes.DONE
    assert {path.name for path in Path("out").iterdir()} == {index.NAME, "a.png", "pages.tif"}
    assert "impasto: a.gif: frame 1 of 4 is taken; --frame N takes another\n" in capsys.readouterr().err

    assert run(["dream", "a.gif", "-o", "fifth.png", "--frame", "5", *SHORT]) == exit_codes.FAILED
    assert capsys.readouterr().err == "impasto: a.gif has 4 frames or pages; --frame 5 is beyond the last\n"


def test_a_zoom_begins_with_the_frame_that_is_asked_for(
    dreamer: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *rest = drawn()
    first.save("pages.tif", save_all=True, append_images=rest)
    command = ["dream", "pages.tif", "--zoom", "1", "--frame", "2", "-o", "frames", "--json", *SHORT]
    assert run(command) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["frame"], told["frames"]) == (2, 1)
    with Client(dreamer.address) as client:
        expected = np.asarray(client.dream(rest[0], steps=1, octaves=[0]))
    np.testing.assert_array_equal(np.asarray(load(Path("frames/frame-00001.png"))), expected)


def test_a_transfer_takes_the_frame_that_is_asked_for(
    transfer_server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, transfer_server.address)
    Path("a.webp").write_bytes(animation("WEBP"))
    save(Path("style.png"), pixels(30, 30, seed=1))
    short = ["--epochs", "1", "--steps-per-epoch", "1", "--style", "style.png"]
    command = ["transfer", "a.webp", *short, "-o", "out.png", "--frame", "2", "--json", "--strip"]
    assert run(command) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["frame"], told["frames"]) == (2, 4)
    with Client(transfer_server.address) as client:
        expected = client.transfer(drawn()[1], "style.png", epochs=1, steps_per_epoch=1)
    np.testing.assert_array_equal(np.asarray(load(Path("out.png"))), np.asarray(expected))


def test_every_frame_is_painted_in_a_style_that_is_looked_at_once(
    stylize_server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, stylize_server.address)
    Path("a.png").write_bytes(animation("PNG"))
    save(Path("waves.png"), pixels(40, 36, seed=1))
    assert run(["stylize", "a.png", "-s", "waves.png", "-o", "painted.png"]) == exit_codes.DONE
    with Client(stylize_server.address) as client:
        style = client.style_vector("waves.png")
        expected = [np.asarray(client.stylize(frame, style).convert("RGBA")) for frame in drawn()]
    painted = found(Path("painted.png"))
    assert painted.milliseconds == list(MILLISECONDS)
    np.testing.assert_array_equal(painted.frames, expected)

    capsys.readouterr()
    sheet = ["stylize", "a.png", "-s", "waves.png", "--sheet", "-o"]
    assert run([*sheet, "sheet.png"]) == exit_codes.DONE
    assert capsys.readouterr().err == "impasto: a.png: frame 1 of 4 is taken; --frame N takes another\n"
    assert run([*sheet, "sheet.jpg", "--frame", "2", "--quality", "40"]) == exit_codes.DONE
    assert len(found(Path("sheet.png")).frames) == 1
