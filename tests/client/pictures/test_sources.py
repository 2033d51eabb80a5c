"""What is no picture's file, or no longer one, is a clear error at once: no waiting, no traceback, no full memory."""

from __future__ import annotations

import io
import os
import socket
import threading
from pathlib import Path

import pytest
from PIL import Image

from images.pictures import encoded, pixels
from impasto.client import errors, read_picture


def test_a_folder_is_pythons_own_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        read_picture(tmp_path)
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_a_device_is_refused(device: str) -> None:
    with pytest.raises(errors.NotAnImage, match=f"{device} is a device or a socket, not a picture's file"):
        read_picture(device)


@pytest.mark.timeout(30)
def test_a_pipe_that_nobody_writes_to_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(errors.EmptyImage, match=r"pipe\.png is empty"):
        read_picture(tmp_path / "pipe.png")


def test_a_pipe_that_somebody_writes_to_is_read_to_its_end() -> None:
    data = encoded(Image.fromarray(pixels(300, 400)))
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as pipe:
            for start in range(0, len(data), 5000):
                pipe.write(data[start : start + 5000])
                pipe.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert read_picture(f"/dev/fd/{reader}").rgb.shape == (300, 400, 3)
    finally:
        thread.join()
        os.close(reader)


def test_a_socket_is_pythons_own_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "a.png"))
        with pytest.raises(OSError, match="No such device"):
            read_picture(tmp_path / "a.png")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.tif").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(
        errors.ImageTooLarge, match=r"huge\.tif has more bytes than a picture of 89,478,485 pixels"
    ):
        read_picture(tmp_path / "huge.tif")


@pytest.mark.parametrize("opened", [True, False], ids=["from a file", "in memory"])
@pytest.mark.parametrize("loaded", [True, False])
def test_a_closed_image_is_told_so(opened: bool, loaded: bool) -> None:
    image = (
        Image.open(io.BytesIO(encoded(Image.fromarray(pixels())))) if opened else Image.fromarray(pixels())
    )
    if loaded:
        image.load()
    image.close()
    with pytest.raises(
        errors.UnsupportedImage, match="the image is closed: read it before it is closed, or give"
    ):
        read_picture(image)


def test_an_image_whose_file_was_closed_before_it_was_read_is_told_so(tmp_path: Path) -> None:
    Image.fromarray(pixels()).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(errors.UnsupportedImage, match="the image is closed"):
        read_picture(image)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(pixels())))
    (tmp_path / "b.png").write_bytes(b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        read_picture(tmp_path / "a.png")
        for path in (tmp_path / "b.png", tmp_path, Path("/dev/null")):
            with pytest.raises((errors.ImageError, OSError)):
                read_picture(path)
    # Other threads of the tests may open some meanwhile; a leak would be one or more a round.
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 40
