"""Profile, resolution and EXIF data are carried along as far as they hold, and what is left out is said."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from images.made_png import GRAY, chunk, png
from images.pictures import cmyk_profile, encoded, load, pixels, srgb_profile
from impasto.client import PictureWarning, read_picture, write_picture
from impasto.client.pictures import encode_picture

WITH_EXIF = [".png", ".jpg", ".webp", ".tif"]
ORIENTATION, ARTIST, COPYRIGHT, DESCRIPTION, DATE, MAKER_NOTE = 0x0112, 0x013B, 0x8298, 0x010E, 0x9003, 0x927C
CAMERA, GPS = 0x8769, 0x8825
DISTANCE, LENS, METHOD = 0x9206, 0xA432, 27
X_RESOLUTION, Y_RESOLUTION, UNIT = 0x011A, 0x011B, 0x0128


def gray_profile(gamma: float = 1.0) -> bytes:
    """A small ICC profile of a gray display with the given gamma."""
    import struct

    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"gray\0" + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)),
        b"cprt": b"text" + bytes(4) + b"CC0\0",
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def photo_exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[ARTIST] = "Zoë Photographer"
    exif[COPYRIGHT] = "CC0"
    exif[DESCRIPTION] = "a hill"
    exif[CAMERA] = {DATE: "2026:05:04 10:11:12", MAKER_NOTE: b"\x01\x02" * 50, 0x829A: IFDRational(1, 250)}
    exif[GPS] = {
        0: b"\x02\x03\0\0",
        1: "N",
        2: (IFDRational(52), IFDRational(31), IFDRational(1234, 100)),
        3: "E",
        4: (IFDRational(13), IFDRational(24), IFDRational(0)),
    }
    return exif


@pytest.mark.parametrize("target", WITH_EXIF)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_date_place_author_and_description_are_kept(tmp_path: Path, source: str, target: str) -> None:
    data = encoded(Image.fromarray(pixels(8, 12)), source, exif=photo_exif().tobytes())
    picture = read_picture(data)
    assert picture.rgb.shape == (12, 8, 3)  # turned

    write_picture(tmp_path / f"a{target}", picture.rebuild(picture.rgb))

    exif = load(tmp_path / f"a{target}").getexif()
    assert exif.get(ORIENTATION, 1) == 1  # or a viewer would turn it again
    assert (exif[COPYRIGHT], exif[DESCRIPTION]) == ("CC0", "a hill")
    assert exif[ARTIST] in ("Zoë Photographer", "Zo? Photographer", "ZoÃ« Photographer")
    camera, gps = exif.get_ifd(CAMERA), exif.get_ifd(GPS)
    assert (camera[DATE], Fraction(camera[0x829A])) == ("2026:05:04 10:11:12", Fraction(1, 250))
    assert MAKER_NOTE not in camera
    assert (gps[1], gps[3]) == ("N", "E")
    assert [float(part) for part in gps[2]] == pytest.approx([52, 31, 12.34])


def test_the_exif_of_an_image_in_memory_is_kept() -> None:
    image = Image.open(io.BytesIO(encoded(Image.fromarray(pixels()), "JPEG", exif=photo_exif())))
    picture = read_picture(image)
    again = Image.open(io.BytesIO(encode_picture(picture.rebuild(picture.rgb), ".jpg")))
    assert again.getexif()[COPYRIGHT] == "CC0"


def test_damaged_exif_entries_are_left_out_and_the_others_kept() -> None:
    exif = photo_exif(1)
    exif[CAMERA] = {DATE: "2026:05:04 10:11:12", 0x829A: IFDRational(1, 0), 0x8827: "fast"}
    with pytest.warns(PictureWarning, match="2 of its EXIF entries are damaged and left out"):
        picture = read_picture(encoded(Image.fromarray(pixels()), "JPEG", exif=exif))
    kept = picture.rebuild(picture.rgb).getexif()
    assert kept[COPYRIGHT] == "CC0"
    assert set(kept.get_ifd(CAMERA)) == {DATE}


@pytest.mark.parametrize("suffix", WITH_EXIF)
def test_an_unknown_or_infinite_distance_and_an_unknown_f_number_are_no_damage(suffix: str) -> None:
    exif = Image.Exif()
    lens = (IFDRational(18), IFDRational(55), IFDRational(0, 0), IFDRational(0, 0))
    for distance in (IFDRational(0, 0), IFDRational(4294967295, 1), IFDRational(5, 2)):
        exif[CAMERA] = {DISTANCE: distance, LENS: lens}
        picture = read_picture(encoded(Image.fromarray(pixels()), "JPEG", exif=exif))
        assert picture.notes == ()
        data = encode_picture(picture.rebuild(picture.rgb), suffix)
        camera = Image.open(io.BytesIO(data)).getexif().get_ifd(CAMERA)
        assert parts(camera[DISTANCE]) == parts(distance)
        assert [parts(part) for part in camera[LENS]] == [parts(part) for part in lens]


def parts(number: Any) -> tuple[int, int]:
    return number.numerator, number.denominator


def test_the_way_a_place_was_found_may_be_text() -> None:
    exif = Image.Exif()
    exif[GPS] = {1: "N", METHOD: "ASCII\0\0\0GPS"}
    picture = read_picture(encoded(Image.fromarray(pixels()), "JPEG", exif=exif))
    assert picture.notes == ()
    assert picture.rebuild(picture.rgb).getexif().get_ifd(GPS)[METHOD] == b"ASCII\0\0\0GPS"


@settings(deadline=None, max_examples=150)
@given(position=st.integers(6, 330), value=st.integers(0, 255))
def test_any_byte_of_the_exif_data_may_be_wrong(position: int, value: int) -> None:
    block = bytearray(photo_exif().tobytes())
    block[position % len(block)] = value
    data = encoded(Image.fromarray(pixels()), "JPEG", exif=bytes(block))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        picture = read_picture(data)
        for suffix in WITH_EXIF:
            encode_picture(picture.rebuild(picture.rgb), suffix)


RESOLUTIONS = [
    (float("nan"), 72),
    (float("inf"), 72),
    (-72, 72),
    (0, 0),
    (72, 0),
    (4294967295, 72),
    (1e300, 1e300),
    (IFDRational(0, 0), IFDRational(0, 0)),
    (IFDRational(4294967295, 1), IFDRational(1, 1)),
    (72,),
    ("a", "b"),
    "many",
    72,
    (None, None),
]


@pytest.mark.parametrize("dpi", RESOLUTIONS, ids=repr)
@pytest.mark.parametrize("suffix", [*WITH_EXIF, ".bmp"])
def test_an_impossible_resolution_is_left_out_and_said(suffix: str, dpi: Any) -> None:
    image = Image.fromarray(pixels())
    image.info["dpi"] = dpi
    with pytest.warns(PictureWarning, match="the image: its resolution"):
        picture = read_picture(image)
    assert "dpi" not in picture.info
    assert picture.notes[0].startswith("the image: its resolution")
    with pytest.warns(PictureWarning, match="its resolution"):
        data = encode_picture(image, suffix)
    assert Image.open(io.BytesIO(data)).size == image.size


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dpi=st.tuples(st.floats(1e-6, 70_000), st.floats(1e-6, 70_000)))
def test_any_resolution_is_kept_or_left_out_with_a_word(suffix: str, dpi: tuple[float, float]) -> None:
    image = Image.fromarray(pixels(2, 2))
    image.info["dpi"] = dpi
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read = Image.open(io.BytesIO(encode_picture(image, suffix)))
    if said:
        assert "its resolution of" in str(said[0].message)
        assert max(dpi) > 65_535 or min(dpi) < 0.51
    else:
        assert read.info["dpi"] == pytest.approx(dpi, abs=0.51)


def test_a_tiff_with_a_resolution_of_0_0_is_read_with_a_word_and_written() -> None:
    data = encoded(Image.fromarray(pixels()), "TIFF", resolution=300, resolution_unit=2)
    rational = data.rfind((300).to_bytes(4, "little") + (1).to_bytes(4, "little"))
    assert rational > 0
    broken = data.replace(data[rational : rational + 8], bytes(8))
    with pytest.warns(PictureWarning, match="resolution is 0/0"):
        picture = read_picture(broken)
    for suffix in WITH_EXIF:
        encode_picture(picture.rebuild(picture.rgb), suffix)


def bare_jpeg(exif: Image.Exif) -> bytes:
    """A JPEG without JFIF's header, as cameras write it: its resolution stands in the EXIF data or nowhere."""
    data = encoded(Image.fromarray(pixels()), "JPEG", exif=exif)
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


@pytest.mark.parametrize(
    "wrap", [bare_jpeg, lambda exif: encoded(Image.fromarray(pixels()), "JPEG", exif=exif)]
)
def test_a_jpeg_that_states_no_resolution_has_none(wrap: Callable[[Image.Exif], bytes]) -> None:
    exif = Image.Exif()
    exif[COPYRIGHT] = "CC0"
    picture = read_picture(wrap(exif))
    assert "dpi" not in picture.info
    assert picture.notes == ()


@pytest.mark.parametrize(
    ("x", "unit", "dpi"),
    [
        (IFDRational(72), 2, 72),
        (IFDRational(300), 2, 300),
        (IFDRational(100), 3, 254),
        (IFDRational(0, 0), 2, 0),
    ],
)
def test_a_resolution_in_the_exif_data_of_a_jpeg_is_kept_if_it_is_one(
    x: IFDRational, unit: int, dpi: float
) -> None:
    exif = Image.Exif()
    exif[X_RESOLUTION] = exif[Y_RESOLUTION] = x
    exif[UNIT] = unit
    if dpi:
        assert read_picture(bare_jpeg(exif)).info["dpi"] == pytest.approx((dpi, dpi))
        return
    with pytest.warns(PictureWarning, match="its resolution is 0/0 or no number and is left out"):
        assert "dpi" not in read_picture(bare_jpeg(exif)).info


@pytest.mark.parametrize("suffix", [*WITH_EXIF, ".bmp"])
def test_no_resolution_is_made_up(suffix: str) -> None:
    image = Image.fromarray(pixels())
    image.info["exif"] = photo_exif(1).tobytes()
    for strip in (False, True):
        picture = read_picture(bytes(encode_picture(image, suffix, strip=strip)))
        assert "dpi" not in picture.info
        assert picture.notes == ()


PROFILES = {
    "GRAY": gray_profile(),
    "RGB": srgb_profile(),
    "CMYK": cmyk_profile(),
    "cut": srgb_profile()[:200],
    "text": b"no profile at all",
    "zeros": bytes(500),
}
FITTING = {"L": "GRAY", "LA": "GRAY", "RGB": "RGB", "RGBA": "RGB"}


@pytest.mark.parametrize("mode", FITTING)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("suffix", WITH_EXIF)
def test_only_a_profile_that_fits_the_pixels_is_written(suffix: str, profile: str, mode: str) -> None:
    image = Image.fromarray(pixels()).convert(mode)
    image.info["icc_profile"] = PROFILES[profile]
    if FITTING[mode] == profile:
        data = encode_picture(image, suffix)
    else:
        with pytest.warns(PictureWarning, match="its colour profile is (damaged|for .* pixels)"):
            data = encode_picture(image, suffix)
    read = Image.open(io.BytesIO(data))
    kept = FITTING[mode] == profile and not (suffix == ".webp" and profile == "GRAY")  # WebP has no gray
    assert read.info.get("icc_profile") == (PROFILES[profile] if kept else None)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "1"])
def test_a_profile_is_carried_only_by_pixels_that_it_describes(mode: str, profile: str) -> None:
    image = Image.fromarray(pixels())
    image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    image.info["icc_profile"] = PROFILES[profile]
    fits = profile == ("RGB" if mode in ("RGB", "RGBA", "P") else "GRAY")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        picture = read_picture(image)
    assert ("icc_profile" in picture.info) == fits
    assert bool(said) != fits


def test_a_gray_picture_that_becomes_coloured_loses_its_gray_profile_with_a_word() -> None:
    image = Image.fromarray(pixels(channels=None))
    image.info["icc_profile"] = gray_profile()
    picture = read_picture(image)
    assert "icc_profile" in picture.rebuild(picture.rgb).info
    with pytest.warns(PictureWarning, match="profile is for GRAY pixels"):
        result = replace(picture, gray=False).rebuild(picture.rgb)
    assert "icc_profile" not in result.info


@pytest.mark.parametrize("size", [70_000, 3_000_000])
def test_a_large_profile_of_a_png_is_kept(size: int) -> None:
    import zlib

    profile = bytearray(srgb_profile())
    profile += np.random.default_rng(0).bytes(size)
    profile[:4] = len(profile).to_bytes(4, "big")
    content = b"ICC profile\0\0" + zlib.compress(bytes(profile))
    picture = read_picture(png(pixels(), 8, 2, chunk(b"iCCP", content)))
    assert picture.info["icc_profile"] == bytes(profile)
    for suffix in WITH_EXIF:
        again = read_picture(bytes(encode_picture(picture.rebuild(picture.rgb), suffix)))
        assert again.info["icc_profile"] == bytes(profile)


def test_a_profile_that_unpacks_to_very_much_is_left_out_with_a_word() -> None:
    import zlib

    content = b"ICC profile\0\0" + zlib.compress(bytes(100_000_000))
    with pytest.warns(PictureWarning, match="more than 16,777,216 bytes"):
        picture = read_picture(png(pixels(), 8, 2, chunk(b"iCCP", content)))
    assert picture.info == {}


@pytest.mark.parametrize("suffix", [*WITH_EXIF, ".bmp"])
def test_strip_leaves_no_metadata(suffix: str) -> None:
    data = encoded(
        Image.fromarray(pixels()), "JPEG", exif=photo_exif(1), dpi=(300, 300), icc_profile=srgb_profile()
    )
    picture = read_picture(data)
    read = Image.open(io.BytesIO(encode_picture(picture.rebuild(picture.rgb), suffix, strip=True)))
    if suffix != ".tif":  # whose pixels are described by the same tags
        assert not len(read.getexif())
    assert not {DESCRIPTION, ARTIST, COPYRIGHT, CAMERA, GPS} & set(read.getexif())
    assert "icc_profile" not in read.info
    assert read.info.get("dpi", (0, 0)) != pytest.approx((300, 300), abs=1)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_strip_keeps_the_look_of_a_picture_whose_profile_it_takes(mode: str) -> None:
    image = Image.fromarray(np.full((4, 4), 55, np.uint8)).convert(mode)
    image.info["icc_profile"] = gray_profile(1.0)
    read = Image.open(io.BytesIO(encode_picture(image, ".png", strip=True)))
    # A linear 55/255 is 128 in sRGB: IEC 61966-2-1.
    linear = 55 / 255
    assert np.asarray(read.convert("L"))[0, 0] == pytest.approx(
        255 * (1.055 * linear ** (1 / 2.4) - 0.055), abs=2
    )
    assert read.mode == mode


@pytest.mark.parametrize("suffix", [*WITH_EXIF, ".bmp"])
def test_an_opened_file_does_not_leak_its_tags_into_the_result(suffix: str) -> None:
    for kind in ("TIFF", "JPEG", "PNG"):
        opened = Image.open(
            io.BytesIO(encoded(Image.fromarray(pixels()), kind, exif=photo_exif(1).tobytes()))
        )
        read = Image.open(io.BytesIO(encode_picture(opened, suffix, strip=True)))
        assert ARTIST not in read.getexif()


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_a_result_with_metadata_is_written_without_a_copy_of_its_pixels(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(pixels())
    image.info |= {"dpi": (300.0, 300.0), "exif": photo_exif(1).tobytes()}
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "copy", lambda _: pytest.fail("the pixels are copied"))
        data = encode_picture(image, suffix)
    assert Image.open(io.BytesIO(data)).info["dpi"] == pytest.approx((300, 300), abs=0.1)
    image.info["comment"] = b"of the file that this was opened from"
    assert image.info["comment"] not in bytes(encode_picture(image, suffix))


def test_a_description_too_long_for_jpeg_is_left_out_with_a_word() -> None:
    image = Image.fromarray(pixels())
    exif = Image.Exif()
    for tag in (ARTIST, COPYRIGHT, DESCRIPTION, 0x010F, 0x0110):
        exif[tag] = "x" * 8_000
    exif[CAMERA] = dict.fromkeys((36880, 36881, 42032, 42035, 42036), "x" * 8000)
    image.info["exif"] = exif.tobytes()
    with pytest.warns(PictureWarning, match="too many for JPEG"):
        encode_picture(image, ".jpg")
    assert Image.open(io.BytesIO(encode_picture(image, ".png"))).getexif()[COPYRIGHT] == "x" * 8_000


def test_what_is_left_out_of_a_file_is_said_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(png(pixels(channels=None), 8, GRAY, chunk(b"iCCP", b"x\0\0broken")))
    with pytest.warns(PictureWarning, match=r"scan\.png: its colour profile is damaged") as said:
        picture = read_picture(path)
    assert picture.notes == (str(said[0].message),)
    assert said[0].filename == __file__
