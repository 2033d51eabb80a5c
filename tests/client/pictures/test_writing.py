"""Results are written completely or not at all, in the format that their name says."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from images.pictures import encoded, load, pixels
from impasto.client import errors, write_picture
from impasto.client.pictures import WRITABLE, PngCompression, check_output, encode_picture, write_bytes
from processes import killed_writer
from processes.scripts import run_script


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(pixels(40, 50))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("extension", WRITABLE)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_format_takes_every_kind_of_result(
    tmp_path: Path, image: Image.Image, extension: str, mode: str
) -> None:
    path = tmp_path / f"result{extension}"
    write_picture(path, image.convert(mode))
    read = load(path)
    assert read.size == image.size
    assert np.abs(np.asarray(read.convert("L"), int) - np.asarray(image.convert("L"), int)).mean() < 2
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("extension", [".png", ".tif", ".bmp"])
def test_lossless_formats_keep_every_pixel(tmp_path: Path, image: Image.Image, extension: str) -> None:
    write_picture(tmp_path / f"result{extension}", image)
    assert np.array_equal(np.asarray(load(tmp_path / f"result{extension}")), np.asarray(image))


@pytest.mark.parametrize(("extension", "longest"), [(".jpg", 65_500), (".webp", 16_383)])
def test_a_side_beyond_the_format_is_refused_in_words(
    tmp_path: Path, extension: str, longest: int, capfd: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / f"longest{extension}", Image.new("L", (longest, 1)))
    for size in ((longest + 1, 1), (1, longest + 1)):
        with pytest.raises(errors.UnwritableOutput, match=rf"a side may have {longest:,} pixels; use \.png"):
            write_picture(tmp_path / f"longer{extension}", Image.new("L", size))
    assert names(tmp_path) == [f"longest{extension}"]
    assert capfd.readouterr().err == ""


def test_the_extension_may_be_in_capitals(tmp_path: Path, image: Image.Image) -> None:
    write_picture(tmp_path / "RESULT.PNG", image)
    assert load(tmp_path / "RESULT.PNG").format == "PNG"


def test_transparency_is_flattened_over_white_where_the_format_has_none(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4] = (0, 0, 0, 255)
    write_picture(tmp_path / "result.jpg", Image.fromarray(rgba))
    read = np.asarray(load(tmp_path / "result.jpg"))
    assert read[:3].max() < 5
    assert read[5:].min() > 250


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".tif"])
def test_the_profile_is_kept(tmp_path: Path, image: Image.Image, extension: str) -> None:
    from PIL import ImageCms

    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write_picture(tmp_path / f"result{extension}", image)
    assert load(tmp_path / f"result{extension}").info["icc_profile"] == image.info["icc_profile"]


@pytest.mark.parametrize("extension", [".png", ".jpg", ".tif"])
def test_the_resolution_is_kept(tmp_path: Path, image: Image.Image, extension: str) -> None:
    image.info["dpi"] = (300.0, 300.0)
    write_picture(tmp_path / f"result{extension}", image)
    assert load(tmp_path / f"result{extension}").info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("name", ["result", "result.xyz", "result.gif", ".png"])
def test_an_extension_that_cannot_be_written_is_refused_with_those_that_can(
    tmp_path: Path, image: Image.Image, name: str
) -> None:
    with pytest.raises(errors.UnknownFormat, match=r"use one of \.png, \.jpg"):
        write_picture(tmp_path / name, image)
    assert names(tmp_path) == []


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(tmp_path: Path, image: Image.Image) -> None:
    path = tmp_path / "result.png"
    path.write_bytes(b"precious")
    with pytest.raises(errors.OutputExists, match="exists"):
        write_picture(path, image)
    assert path.read_bytes() == b"precious"

    write_picture(path, image, overwrite=True)
    assert load(path).size == image.size
    assert names(tmp_path) == ["result.png"]


def test_of_two_writers_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    path = tmp_path / "result.bin"
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def write(content: bytes) -> None:
        start.wait()
        try:
            write_bytes(path, content)
            outcomes.append("written")
        except errors.OutputExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=write, args=(bytes([number]) * 100_000,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["exists"] * 7 + ["written"]
    assert len(set(path.read_bytes())) == 1
    assert names(tmp_path) == ["result.bin"]


def test_new_files_get_the_permissions_that_the_user_set(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "result.bin", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "result.bin").stat().st_mode) == 0o640


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666])
def test_a_replaced_file_keeps_its_mode_and_a_private_one_is_made_for_its_user(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "result.bin"
    write_bytes(path, b"old", private=True)
    assert rights(path)[2] == 0o600
    path.chmod(mode)
    for private in (False, True):
        write_bytes(path, b"new", overwrite=True, private=private)
        assert rights(path)[2] == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_replaced_file_keeps_its_owner_where_it_can_be_given_and_else_is_read_by_no_others() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lie where only this user may go
        Path(folder).chmod(0o777)
        path = Path(folder, "result.bin")
        path.write_bytes(b"old")
        os.chown(path, 65532, 12)
        path.chmod(0o640)
        write_bytes(path, b"new", overwrite=True)
        assert rights(path) == (65532, 12, 0o640)
        os.seteuid(65534)
        try:
            write_bytes(path, b"newer", overwrite=True)
        finally:
            os.seteuid(0)
        assert (path.read_bytes(), rights(path)[0]) == (b"newer", 65534)
        assert rights(path)[2] == 0o600  # its group is another one, which could not read the old one


def test_what_is_no_plain_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "result.bin")
    (tmp_path / "link.bin").symlink_to("/dev/null")
    for name in ("result.bin", "link.bin"):
        with pytest.raises(errors.UnwritableOutput, match=rf"{name}: it is a device, a pipe or a socket"):
            write_bytes(tmp_path / name, b"x", overwrite=True)
    assert stat.S_ISFIFO((tmp_path / "result.bin").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_symbolic_link_is_followed_not_replaced(tmp_path: Path, image: Image.Image) -> None:
    real = tmp_path / "real.png"
    real.write_bytes(b"old")
    link = tmp_path / "link.png"
    link.symlink_to(real)
    write_picture(link, image, overwrite=True)
    assert link.is_symlink()
    assert load(real).size == image.size


def test_a_parent_that_is_a_file_is_unwritable(tmp_path: Path, image: Image.Image) -> None:
    (tmp_path / "file").write_bytes(b"")
    for action in (lambda path: write_picture(path, image), check_output):
        with pytest.raises(errors.UnwritableOutput, match="is not a folder"):
            action(tmp_path / "file" / "result.png")


def test_a_folder_in_the_place_of_the_file_is_unwritable(tmp_path: Path, image: Image.Image) -> None:
    (tmp_path / "result.png").mkdir()
    with pytest.raises(errors.UnwritableOutput, match="it is a folder"):
        write_picture(tmp_path / "result.png", image, overwrite=True)


def test_what_the_system_refuses_is_unwritable_with_its_reason(image: Image.Image) -> None:
    with pytest.raises(errors.UnwritableOutput, match=r"cannot write /proc/result\.png: "):  # even for root
        write_picture("/proc/result.png", image)


def test_a_loop_of_links_is_unwritable(tmp_path: Path, image: Image.Image) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(errors.OutputError):
        write_picture(tmp_path / "a.png", image)


def test_a_picture_beyond_the_format_is_unwritable(tmp_path: Path) -> None:
    with pytest.raises(errors.UnwritableOutput, match="as WEBP"):
        write_picture(tmp_path / "wide.webp", Image.new("RGB", (20_000, 1)))
    assert names(tmp_path) == []


LONGEST_NAME = 255  # bytes, on Linux's file systems


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["a", "é", "画", "🎨"]), st.integers(0, 300), st.sampled_from(WRITABLE), st.booleans())
@example("画", 250 // 3, ".png", False)
@example("a", 250, ".png", False)
@example("a", 251, ".png", False)
def test_every_name_the_system_allows_is_written_and_any_other_refused_first(
    tmp_path: Path, letter: str, letters: int, extension: str, overwrite: bool
) -> None:
    path = tmp_path / f"x{letter * letters}{extension}"
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        with pytest.raises(errors.UnwritableOutput, match="File name too long"):
            check_output(path, overwrite=overwrite)
        return
    check_output(path, overwrite=overwrite)
    write_bytes(path, b"written", overwrite=overwrite)
    assert path.read_bytes() == b"written"
    assert names(tmp_path) == [path.name]
    path.unlink()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    # A limit on the size of files, whose signal Python ignores, makes the write itself fail, as a full disk does.
    script = (
        "import resource, sys; from impasto.client import errors; from impasto.client.pictures import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: write_bytes(sys.argv[1], bytes(100_000))\n"
        "except errors.UnwritableOutput as error: print(error)"
    )
    path = tmp_path / "result.bin"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    assert names(tmp_path) == []


def run_writer(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_script(killed_writer, *arguments)


@pytest.mark.parametrize("old", [None, b"the old picture"], ids=["new file", "replaced file"])
def test_a_writer_killed_at_any_step_leaves_the_old_file_or_the_whole_new_one(
    tmp_path: Path, old: bytes | None
) -> None:
    new = bytes(encode_picture(killed_writer.new_picture(), ".png"))
    for step in range(1, 40):
        (tmp_path / str(step)).mkdir()
        if old is not None:
            (tmp_path / str(step) / "picture.png").write_bytes(old)

    done = run_writer("steps", tmp_path)

    assert done.returncode == 0, done.stderr
    killed = int(done.stdout)
    assert 4 <= killed < 39  # open, link or rename, unlink, sync the folder
    results = []
    for step in range(1, killed + 2):
        path = tmp_path / str(step) / "picture.png"
        results.append(path.read_bytes() if path.exists() else None)
        assert results[-1] in (old, new)
        visible = [name for name in names(path.parent) if not name.startswith(".")]
        assert set(visible) <= {"picture.png"}
    assert results[0] == old
    assert results[-1] == new


def test_a_writer_killed_in_the_middle_of_a_write_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"

    done = run_writer("bytes", path, "4096")

    assert done.returncode == -signal.SIGXFSZ
    assert [entry.stat().st_size for entry in tmp_path.iterdir()] == [4096]  # it was killed half-way
    assert not path.exists()
    write_picture(path, killed_writer.new_picture())  # and what is left is in nobody's way
    assert load(path).size == (160, 120)


def test_what_a_killed_writer_leaves_is_no_more_readable_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.touch(mode=0o600)
    run_writer("bytes", path, "4096")
    assert [rights(entry)[2] for entry in tmp_path.iterdir()] == [0o600, 0o600]


@pytest.mark.parametrize(("pixels_across", "compress"), [(100, "small"), (2000, "small"), (2001, "fast")])
def test_large_pngs_are_packed_faster(pixels_across: int, compress: Any) -> None:
    image = Image.fromarray(pixels(50, 50)).resize((pixels_across, pixels_across)).convert("L")
    files = {kind: bytes(encode_picture(image, ".png", compress=kind)) for kind in ("fast", "small")}
    assert bytes(encode_picture(image, ".png")) == files[compress]
    assert len(files["small"]) < len(files["fast"])


def test_compress_and_quality_do_what_they_do_in_the_format(image: Image.Image) -> None:
    large = image.resize((200, 160), Image.Resampling.BICUBIC)
    fast, small = (len(encode_picture(large, ".png", compress=kind)) for kind in get_args(PngCompression))
    assert small < fast < len(encoded(large, compress_level=1))
    assert small < len(encoded(large, compress_level=9))
    for suffix in (".jpg", ".jpeg", ".webp"):
        sizes = [len(encode_picture(image, suffix, quality=quality)) for quality in (5, 50, 95, 100)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1]
        assert bytes(encode_picture(image, suffix)) == bytes(encode_picture(image, suffix, quality=95))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "a.png",
            {"quality": 80},
            r"quality is 80, and \.png has no such option; .* use \.jpg, \.jpeg, \.webp",
        ),
        ("a.tif", {"quality": 80}, r"\.tif has no such option"),
        (
            "a.jpg",
            {"compress": "fast"},
            r"compress is fast, and \.jpg has no such option; leave it out, or use \.png",
        ),
        ("a.bmp", {"compress": "fast"}, r"\.bmp has no such option"),
        ("a.jpg", {"quality": 0}, "quality is 0; it must be a whole number from 1 to 100"),
        ("a.jpg", {"quality": 101}, "from 1 to 100"),
        ("a.webp", {"quality": True}, "from 1 to 100"),
        ("a.webp", {"quality": 80.5}, "from 1 to 100"),
        ("a.png", {"compress": 10}, "compress is 10; it must be 'fast' or 'small'"),
        ("a.PNG", {"compress": "slow"}, "compress is 'slow'; it must be"),
    ],
)
def test_an_option_that_the_format_has_not_is_refused_before_the_work(
    tmp_path: Path, image: Image.Image, name: str, options: dict[str, Any], words: str
) -> None:
    for action in (
        lambda: check_output(tmp_path / name, **options),
        lambda: write_picture(tmp_path / name, image, **options),
    ):
        with pytest.raises(ValueError, match=words):
            action()
    assert names(tmp_path) == []


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_that_flushes_no_folders_is_no_failure(
    tmp_path: Path, image: Image.Image, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    refuse_folders(monkeypatch, refusal)
    write_picture(tmp_path / "result.png", image)
    assert load(tmp_path / "result.png").size == image.size


def test_a_disk_that_fails_while_a_folder_is_flushed_is_a_failure(
    tmp_path: Path, image: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_folders(monkeypatch, errno.EIO)
    with pytest.raises(errors.UnwritableOutput, match="Input/output error"):
        write_picture(tmp_path / "result.png", image)


def refuse_folders(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """As a file system that refuses to flush folders does; files are flushed."""
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
