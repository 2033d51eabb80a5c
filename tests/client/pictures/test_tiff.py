"""TIFF files of many kinds: read with the right colours, or refused in words; nothing on standard error."""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from images.pictures import encoded, pixels
from impasto.client import PictureWarning, errors, read_picture


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def torn_fax() -> bytes:
    """A scan with damaged rows: libtiff says so of each, and goes on."""
    data = bytearray(encoded(Image.fromarray(pixels(64, 64)).convert("1"), "TIFF", compression="tiff_ccitt"))
    data[700:720] = b"\xff" * 20
    return bytes(data)


KINDS = {
    "3 samples, 32-bit floating-point numbers": tiff(np.zeros((4, 4, 3), np.float32), photometric="rgb"),
    "3 samples, 32-bit whole numbers": tiff(np.zeros((4, 4, 3), np.uint32), photometric="rgb"),
    "16-bit floating-point numbers": tiff(np.zeros((4, 4), np.float16)),
    "64-bit floating-point numbers": tiff(np.zeros((4, 4), np.float64)),
    "2 samples, 8-bit whole numbers": tiff(
        np.zeros((4, 4, 2), np.uint8),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["assocalpha"],
    ),
    "3 samples, 16-bit signed numbers": tiff(np.zeros((4, 4, 3), np.int16), photometric="rgb"),
}


@pytest.mark.parametrize("words", KINDS)
def test_a_sound_file_of_a_kind_that_is_not_read_is_not_called_damaged(words: str) -> None:
    with pytest.raises(
        errors.UnsupportedImage, match=f"a kind of TIFF that is not read: .*{words}; save it as"
    ):
        read_picture(KINDS[words])


def test_an_unknown_compression_is_named() -> None:
    data = tiff(np.zeros((4, 4), np.uint8))
    compression = data.index((259).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    data = data[: compression + 8] + (50_002).to_bytes(2, "little") + data[compression + 10 :]
    with pytest.raises(errors.UnsupportedImage, match="it is compressed by method 50002"):
        read_picture(data)


@pytest.mark.parametrize("length", [8, 20, 60, 130])
def test_a_header_that_ends_early_is_called_damaged(length: int) -> None:
    with pytest.raises(errors.TruncatedImage, match="incomplete or damaged"):
        read_picture(encoded(Image.fromarray(pixels()), "TIFF", compression="tiff_lzw")[:length])


def test_what_libtiff_says_of_a_damaged_file_is_a_note_and_not_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    Image.open(io.BytesIO(torn_fax())).load()
    assert "Fax3" in capfd.readouterr().err  # from libtiff itself
    with pytest.warns(PictureWarning, match="it is damaged, and some of its pixels may be wrong"):
        picture = read_picture(torn_fax())
    assert picture.rgb.shape == (64, 64, 3)
    assert capfd.readouterr().err == ""
    Image.open(io.BytesIO(torn_fax())).load()
    assert "Fax3" in capfd.readouterr().err  # and it speaks to others as before


def test_each_thread_hears_of_its_own_files(capfd: pytest.CaptureFixture[str]) -> None:
    sound, torn = encoded(Image.fromarray(pixels(64, 64)), "TIFF", compression="tiff_lzw"), torn_fax()
    wrong: list[str] = []

    def read(data: bytes, notes: int) -> None:
        for _ in range(40):
            picture = read_picture(data)
            if len(picture.notes) != notes:
                wrong.append(f"{picture.notes}")

    with pytest.warns(PictureWarning):
        threads = [threading.Thread(target=read, args=case) for case in ((sound, 0), (torn, 1)) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert capfd.readouterr().err == ""


def test_what_pillow_logs_is_not_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    data = tiff(np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    samples = data.index((277).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    with pytest.raises(errors.ImageError):
        read_picture(data[: samples + 8] + b"\xff\xff" + data[samples + 10 :])
    assert capfd.readouterr().err == ""


def lab_of(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIELab under D50 by the standards' formulas: IEC 61966-2-1, Bradford's adaptation, CIE 15."""
    light = srgb / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.4360747, 0.3850649, 0.1430804],
            [0.2225045, 0.7168786, 0.0606169],
            [0.0139322, 0.0971045, 0.7141733],
        ]
    )
    ratio = light @ to_xyz.T / [0.96422, 1, 0.82521]
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def test_lab_colours_become_srgb() -> None:
    srgb = np.random.default_rng(0).integers(50, 206, (40, 50, 3), np.uint8)
    srgb[0, :3] = [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    lab = np.rint(lab_of(srgb) * [2.55, 1, 1]).astype(np.int16)
    data = tiff(
        lab.astype(np.uint8), photometric="cielab"
    )  # a and b modulo 256, as TIFF 6.0, section 23 has them

    picture = read_picture(data)

    assert (picture.alpha, picture.gray, picture.info) == (None, False, {})
    difference = np.abs(picture.rgb.astype(int) - srgb)
    assert difference.mean() < 1
    # Lab's whole numbers are coarse for a dark channel beside a light one.
    assert np.quantile(difference, 0.95) <= 4


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_colours_of_16_bits_that_are_multiplied_by_alpha_keep_the_nearest_tones(
    compression: str | None, byteorder: Any
) -> None:
    rng = np.random.default_rng(0)
    alpha = rng.integers(0, 65536, (20, 30, 1))
    colours = rng.integers(0, 65536, (20, 30, 3)) * alpha // 65535
    samples = np.concatenate([colours, alpha], axis=2).astype(np.uint16)
    data = tiff(
        samples,
        photometric="rgb",
        extrasamples=["assocalpha"],
        compression=compression,
        predictor=False,
        byteorder=byteorder,
    )

    picture = read_picture(data)

    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, np.rint(alpha[..., 0] / 257))
    wanted = np.rint((colours * 65535 / np.maximum(alpha, 1)).clip(0, 65535) / 257)
    shown = picture.alpha > 0
    assert np.abs(picture.rgb - wanted)[shown].max() <= 1
    assert np.mean(picture.rgb[shown] != wanted[shown]) < 0.01


def test_a_file_that_states_no_resolution_has_none() -> None:
    image = Image.fromarray(pixels())
    assert "dpi" not in read_picture(encoded(image, "TIFF")).info
    assert read_picture(encoded(image, "TIFF", dpi=(1, 1))).info["dpi"] == (1, 1)


def test_a_resolution_in_centimetres_is_one_in_inches() -> None:
    data = tiff(pixels(), photometric="rgb", resolution=(100, 50), resolutionunit="CENTIMETER")
    assert read_picture(data).info["dpi"] == pytest.approx((254, 127))
