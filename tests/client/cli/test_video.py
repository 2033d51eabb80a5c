"""Videos through `impasto upscale` and `impasto stylize`, and the films of `impasto dream --zoom`."""

from __future__ import annotations

import importlib.util
import json
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from images.films import HEIGHT, WIDTH, film, found_film, scene
from images.pictures import pixels, save
from impasto.client import Client
from impasto.client._video import Parts, Video, VideoFrame
from impasto.client._video.writing import FRAMES_OF_A_PART
from impasto.client.cli import exit_codes, run
from processes.command_line import impasto, wait_until
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "the files that the command reads and writes; test_upscale.py runs it on both"

Captured = pytest.CaptureFixture[str]


pytestmark = pytest.mark.usefixtures("at_the_committed_server")


def far(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The mean difference: coding changes every pixel a little."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize(
    ("source", "sound", "into", "codecs", "same_sound"),
    [
        ("a.mp4", "aac", "b.mp4", ["h264", "aac"], True),
        ("a.mov", "pcm_s16le", "b.mov", ["h264", "pcm_s16le"], True),
        ("a.mov", "pcm_s16le", "b.mp4", ["h264", "aac"], False),
        ("a.mkv", "flac", "b.mkv", ["h264", "flac"], True),
        ("a.mp4", "aac", "b.webm", ["vp9", "opus"], False),
        ("a.avi", "libmp3lame", "b.mp4", ["h264", "mp3float"], True),
        ("a.mp4", None, "b.mkv", ["h264"], True),
    ],
)
def test_every_frame_is_upscaled_in_its_time_and_the_sound_kept(
    source: str,
    sound: str | None,
    into: str,
    codecs: list[str],
    same_sound: bool,
    committed_server: ModelServer,
    capsys: Captured,
) -> None:
    before = found_film(film(Path(source), sound=sound))
    assert run(["upscale", source, "-o", into, "--json"]) == exit_codes.DONE
    shown = capsys.readouterr()
    assert shown.err == "" or source.endswith(".avi")  # whose number of frames is one more, as FFmpeg counts
    (entry,) = json.loads(shown.out)["done"]
    assert (entry["frames"], entry["width"], entry["height"]) == (6, 2 * WIDTH, 2 * HEIGHT)
    after = found_film(Path(into))
    assert (after.codecs, after.title) == (codecs, before.title)
    assert after.seconds == before.seconds
    assert (after.sound == before.sound) is same_sound
    assert bool(after.sound) is (sound is not None)
    with Client(committed_server.address) as client:
        for small, large in zip(before.frames, after.frames, strict=True):
            assert far(np.asarray(client.upscale(small)), large) < 4
    assert {path.name for path in Path().iterdir()} == {source, into}


def test_frames_keep_uneven_times_and_are_upright_and_of_even_sides(capsys: Captured) -> None:
    times = (0, 40, 400, 410, 900)
    film(Path("turned.mp4"), 5, rotation=90, times=times, sound=None, size=(31, 23))
    assert run(["upscale", "turned.mp4", "-o", "large/"]) == exit_codes.DONE
    assert capsys.readouterr().out == "large/turned.mp4\n"
    found = found_film(Path("large/turned.mp4"))
    assert found.seconds == [time / 1000 for time in times]
    turned = np.rot90(scene(1)[0][:23, :31]).repeat(2, 0).repeat(2, 1)
    assert far(found.frames[0], turned) < 6
    assert run(["upscale", "turned.mp4", "-o", "odd.mp4", "--to", "23x31"]) == exit_codes.DONE
    assert found_film(Path("odd.mp4")).frames[0].shape == (32, 24, 3)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_is_done_of_a_stopped_video_is_not_done_again(
    how: signal.Signals, committed_server: ModelServer, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = 5 * FRAMES_OF_A_PART + 3
    film(Path("long.mp4"), frames)
    words = ("upscale", "long.mp4", "-o", "large.mp4")
    process = impasto(*words, "--concurrency", "1", server=committed_server.address)
    parts = Parts(Path("large.mp4"), {})
    wait_until(lambda: parts.frames > 0)
    process.send_signal(how)
    _, said = process.communicate()
    assert process.returncode != 0
    assert not Path("large.mp4").exists()
    done = parts.frames
    assert 0 < done < frames
    if how == signal.SIGINT:
        assert f"{done} frames of large.mp4 are done; --resume goes on from them" in said

    assert run(words) == exit_codes.FAILED
    assert f"{done} frames of large.mp4 are there from a run that was ended" in capsys.readouterr().err
    begun: list[int] = []
    frames_from = Video.frames

    def noted(video: Video, start: int = 0) -> Generator[VideoFrame, None, None]:
        begun.append(start)
        return frames_from(video, start)

    monkeypatch.setattr(Video, "frames", noted)
    assert run([*words, "--resume", "--json"]) == exit_codes.DONE
    assert set(begun) == {0, done}  # each file is opened at its first frame, for its size
    (entry,) = json.loads(capsys.readouterr().out)["done"]
    assert entry["frames"] == frames
    found, before = found_film(Path("large.mp4")), found_film(Path("long.mp4"))
    assert found.seconds == before.seconds
    assert found.sound == before.sound
    for number in (0, done - 1, done, frames - 1):
        assert far(found.frames[number][::2, ::2], before.frames[number]) < 6
    assert not parts.folder.exists()

    assert run([*words, "--resume"]) == exit_codes.DONE
    assert "large.mp4 is there already" in capsys.readouterr().err


def test_parts_of_other_options_are_not_gone_on_with(committed_server: ModelServer, capsys: Captured) -> None:
    film(Path("a.mp4"), 2 * FRAMES_OF_A_PART, sound=None)
    parts = Parts(Path("b.mp4"), {"model": "srcnn", "video": "another"})
    parts.begin()
    (parts.folder / "000001.nut").write_bytes(b"of another video")
    assert run(["upscale", "a.mp4", "-o", "b.mp4", "--resume"]) == exit_codes.DONE
    assert (
        "b.mp4 is begun anew: the 24 frames that were there are of another video" in capsys.readouterr().err
    )
    assert len(found_film(Path("b.mp4")).frames) == 2 * FRAMES_OF_A_PART
    parts.begin()
    (parts.folder / "000001.nut").write_bytes(b"of another video")
    assert run(["upscale", "a.mp4", "-o", "b.mp4", "--overwrite"]) == exit_codes.DONE
    assert len(found_film(Path("b.mp4")).frames) == 2 * FRAMES_OF_A_PART


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.mp4", "a.mp4", "-o", "b.mp4"], "a.mp4 is a video, which goes by itself"),
        (["a.mp4", "-o", "b.png"], "its result goes to one of .mp4, .m4v, .mov, .mkv, .webm"),
        (["a.mp4", "-o", "b.avi"], "its result goes to one of .mp4"),
        (["a.mp4", "-o", "-"], "a video goes to a file"),
        (["a.mp4", "-o", "a.mp4", "--overwrite"], "would replace the input"),
        (["a.mp4", "-o", "b.mp4", "--frame", "2"], "of a video every frame is done"),
        (["a.mp4", "-o", "b.mp4", "--quality", "80"], "a video has no such option"),
        (["photo.png", "-o", "b.mp4"], "no picture can be written as '.mp4'"),
    ],
)
def test_a_wrong_command_line_names_what_is_wrong(words: list[str], told: str, capsys: Captured) -> None:
    film(Path("a.mp4"), 1, sound=None)
    save(Path("photo.png"), pixels(8, 6))
    assert run(["upscale", *words]) != exit_codes.DONE
    assert told in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"a.mp4", "photo.png"}


def cut(path: Path) -> None:
    """Takes the last third of a file away."""
    data = path.read_bytes()
    path.write_bytes(data[: 2 * len(data) // 3])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_bytes(b"no video at all"), "is no video that FFmpeg knows"),
        (lambda path: path.write_bytes(b""), "is no video that FFmpeg knows"),
        (cut, "has no pictures"),  # an MP4's index is at its end
        (lambda path: film(path, 2, color_trc=16), "has a high dynamic range (PQ)"),
        (lambda path: path.unlink(), "No such file or directory"),
    ],
    ids=["words", "empty", "cut", "hdr", "gone"],
)
def test_a_file_that_cannot_be_done_is_an_error_in_one_line(
    spoil: Callable[[Path], Any], told: str, capsys: Captured
) -> None:
    spoil(film(Path("a.mp4"), 2))
    assert run(["upscale", "a.mp4", "-o", "b.mp4"]) == exit_codes.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("impasto: a.mp4")
    assert told in line
    assert not Path("b.mp4").exists()


def test_a_video_that_ends_early_is_done_as_far_as_it_goes(capsys: Captured) -> None:
    cut(film(Path("a.mkv"), 60, sound=None))
    assert run(["upscale", "a.mkv", "-o", "b.mkv", "--json"]) == exit_codes.DONE
    (entry,) = json.loads(capsys.readouterr().out)["done"]
    assert 0 < entry["frames"] < 60


def test_frames_beyond_the_limit_are_refused(capsys: Captured) -> None:
    film(Path("a.mp4"), 1, sound=None)
    assert run(["upscale", "a.mp4", "-o", "b.mp4", "--max-pixels", "1000"]) == exit_codes.FAILED
    assert "a.mp4 has 48 x 32 = 1,536 pixels and the limit is 1,000" in capsys.readouterr().err


def test_without_pyav_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    film(Path("a.mp4"), 1, sound=None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(["upscale", "a.mp4", "-o", "b.mp4"]) != exit_codes.DONE
    assert "a video needs PyAV: pip install 'impasto-client[video]'" in capsys.readouterr().err
    save(Path("photo.png"), pixels(8, 6))
    assert run(["dream", "photo.png", "--zoom", "2", "-o", "b.mp4"]) == exit_codes.USAGE
    assert "pip install 'impasto-client[video]'; or write a .gif" in capsys.readouterr().err


def test_a_video_in_a_folder_of_pictures_is_named_at_the_end(capsys: Captured) -> None:
    Path("mixed").mkdir()
    film(Path("mixed/a.mp4"), 1, sound=None)
    save(Path("mixed/photo.png"), pixels(8, 6))
    assert run(["upscale", "mixed", "-o", "large"]) == exit_codes.DONE
    assert "left out mixed/a.mp4: .mp4 cannot be read here; a video goes by itself" in capsys.readouterr().err


def test_a_video_is_painted_with_its_painting_looked_at_once(
    stylize_server: ModelServer, capsys: Captured
) -> None:
    film(Path("a.mp4"), 4)
    save(Path("painting.png"), pixels(40, 40))
    words = ["stylize", "a.mp4", "-s", "painting.png", "--server", stylize_server.address]
    assert run([*words, "-o", "b.mp4", "--verbose"]) == exit_codes.DONE
    assert len(found_film(Path("b.mp4")).frames) == 4
    assert run([*words, "-o", "c.mp4", "--sheet"]) == exit_codes.USAGE
    assert "--sheet is for one picture" in capsys.readouterr().err


def test_a_zoom_becomes_a_video_by_itself(dream_server: ModelServer, capsys: Captured) -> None:
    save(Path("photo.png"), pixels(41, 31))
    words = ["dream", "photo.png", "--zoom", "3", "--octaves", "0", "--steps", "1", "-o", "zoom.mp4"]
    assert run([*words, "--server", dream_server.address, "--json"]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["frames"], told["finished"]) == ("zoom.mp4", 3, True)
    found = found_film(Path("zoom.mp4"))
    assert found.seconds == [0, 0.1, 0.2]
    assert {frame.shape for frame in found.frames} == {(42, 32, 3)}
    assert {path.name for path in Path().iterdir()} == {"photo.png", "zoom.mp4"}
    assert run([*words, "--server", dream_server.address]) == exit_codes.FAILED
    assert "zoom.mp4 exists" in capsys.readouterr().err
