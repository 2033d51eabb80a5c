"""Whatever picture people have becomes 8-bit RGB for the model, and comes back as what it was."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from images.pictures import bomb, cmyk_profile, encoded, pixels, save, srgb_profile
from impasto.client import PictureWarning, errors, read_picture
from impasto.client.pictures import Picture

EXIF_ORIENTATION = 0x0112


def doubled(picture: Picture) -> Image.Image:
    """The picture as a model that repeats every pixel would return it."""
    return picture.rebuild(picture.rgb.repeat(2, axis=0).repeat(2, axis=1))


def test_a_path_a_string_bytes_an_image_and_an_array_give_the_same_picture(tmp_path: Path) -> None:
    array = pixels()
    path = save(tmp_path / "photo.png", array)
    sources: list[Any] = [path, str(path), path.read_bytes(), Image.open(path), Image.fromarray(array), array]
    for source in sources:
        picture = read_picture(source)
        assert np.array_equal(picture.rgb, array)
        assert (picture.alpha, picture.gray) == (None, False)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(orientation: int) -> None:
    upright = Image.fromarray(pixels(8, 12))
    # How each orientation stores the upright picture, as the EXIF standard defines it.
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation

    picture = read_picture(encoded(stored, "PNG", exif=exif))

    assert np.array_equal(picture.rgb, np.asarray(upright))
    assert not doubled(picture).getexif().get(EXIF_ORIENTATION)  # or a viewer would turn it again


def test_broken_exif_does_not_stop_a_picture() -> None:
    data = encoded(Image.fromarray(pixels()), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_picture(data).rgb.shape == (12, 17, 3)


@pytest.mark.parametrize(
    ("array", "mode"),
    [
        (pixels(channels=None), "L"),
        (pixels(channels=1), "L"),
        (pixels(channels=2), "LA"),
        (pixels(channels=3), "RGB"),
        (pixels(channels=4), "RGBA"),
    ],
)
def test_an_array_comes_back_as_the_mode_that_its_channels_mean(array: NDArray[np.uint8], mode: str) -> None:
    result = doubled(read_picture(array))
    assert (result.mode, result.size) == (mode, (34, 24))


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        ("1", "L"),
        ("L", "L"),
        ("LA", "LA"),
        ("La", "LA"),
        ("P", "RGB"),
        ("PA", "RGBA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("RGBa", "RGBA"),
        ("RGBX", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
        ("I;16", "L"),
        ("I", "L"),
    ],
)
def test_every_mode_with_an_8_bit_meaning_is_read(mode: str, result: str) -> None:
    rgba = Image.fromarray(pixels(channels=4))
    steps = {"La": ("LA",), "PA": ("P",), "RGBa": ("RGBA",), "I;16": ("L", "I"), "LA": ("L",)}
    image = rgba if mode in ("RGBA", "RGBa") else rgba.convert("RGB")
    for step in (*steps.get(mode, ()), mode):
        image = image.convert(step)
    assert image.mode == mode

    picture = read_picture(image)

    assert picture.rgb.dtype == np.uint8
    assert doubled(picture).mode == result


def test_16_bit_gray_keeps_its_tones() -> None:
    tones = np.linspace(0, 65535, 17 * 12).reshape(12, 17).astype(np.uint16)
    picture = read_picture(encoded(Image.fromarray(tones), "PNG"))
    assert picture.gray
    assert np.array_equal(picture.rgb[:, :, 0], np.round(tones / 257))


def test_a_palette_with_a_transparent_colour_has_alpha() -> None:
    image = Image.fromarray(pixels()).quantize(8)
    transparent = image.getpixel((3, 2))
    picture = read_picture(encoded(image, "PNG", transparency=transparent))
    assert picture.alpha is not None
    assert picture.alpha[2, 3] == 0
    assert doubled(picture).mode == "RGBA"


def test_gray_comes_back_as_gray_with_its_own_values() -> None:
    array = pixels(channels=None)
    result = np.asarray(doubled(read_picture(array)))
    assert np.array_equal(result[::2, ::2], array)


def test_alpha_is_resized_bicubically_beside_the_colours() -> None:
    array = pixels(channels=4)
    result = doubled(read_picture(array))
    wanted = Image.fromarray(array[:, :, 3]).resize((34, 24), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(result)[:, :, 3], np.asarray(wanted))


def test_colours_hidden_under_transparency_do_not_reach_the_visible_ones() -> None:
    rgba = np.zeros((30, 30, 4), np.uint8)
    rgba[:, :15] = (200, 40, 10, 255)  # visible red beside black that nobody sees

    picture = read_picture(rgba)

    assert (picture.rgb[:, :27] == (200, 40, 10)).all()  # as far as an upscaler looks
    assert (picture.rgb[:, 27:] == 0).all()
    assert np.array_equal(read_picture(np.flip(rgba, axis=1)).rgb, np.flip(picture.rgb, axis=1))


@pytest.mark.parametrize("above", [0, 500, 511, 512, 1019])
def test_hidden_colours_are_replaced_alike_at_every_height_of_a_tall_picture(above: int) -> None:
    small = np.zeros((30, 20, 4), np.uint8)
    small[12:15, 5:9] = pixels(3, 4, 4) | 1
    tall = np.zeros((1100, 20, 4), np.uint8)
    tall[above : above + 30] = small

    spread = read_picture(tall).rgb

    assert np.array_equal(spread[above : above + 30], read_picture(small).rgb)
    assert not spread[:above].any()
    assert not spread[above + 30 :].any()


def test_half_visible_colours_are_left_alone() -> None:
    rgba = pixels(channels=4)
    rgba[:, :, 3] = 1
    assert np.array_equal(read_picture(rgba).rgb, rgba[:, :, :3])


def test_a_wholly_transparent_picture_is_read() -> None:
    assert read_picture(np.zeros((3, 3, 4), np.uint8)).rgb.shape == (3, 3, 3)


def test_the_profile_and_the_resolution_are_carried_over(tmp_path: Path) -> None:
    profile = srgb_profile()
    data = encoded(Image.fromarray(pixels()), "JPEG", icc_profile=profile, dpi=(300, 300))
    result = doubled(read_picture(data))
    assert result.info["icc_profile"] == profile
    assert result.info["dpi"] == pytest.approx((300, 300))


def test_cmyk_becomes_rgb_and_loses_its_ink_profile() -> None:
    image = Image.fromarray(pixels()).convert("CMYK")
    image.info["icc_profile"] = b"a damaged profile"
    with pytest.warns(PictureWarning, match="profile is damaged"):
        picture = read_picture(image)
    assert "icc_profile" not in picture.info
    assert np.array_equal(picture.rgb, np.asarray(image.convert("RGB")))


def test_cmyk_with_a_profile_is_converted_through_it() -> None:
    cyan = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    plain = read_picture(encoded(cyan, "TIFF")).rgb[0, 0].astype(int)
    through_profile = read_picture(encoded(cyan, "TIFF", icc_profile=cmyk_profile())).rgb[0, 0].astype(int)
    assert plain[0] < plain[1]  # cyan
    assert through_profile[0] > through_profile[1] > through_profile[2]  # the profile's inks are orange


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.fromarray(pixels(seed=seed)).quantize(32) for seed in (1, 2)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.warns(PictureWarning, match="2 frames or pages; the first one is taken"):
        picture = read_picture(data)
    assert (picture.frames, picture.frame) == (2, 0)
    assert np.array_equal(picture.rgb, np.asarray(frames[0].convert("RGB")))


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "ICO"]
)
def test_the_usual_formats_are_read_from_bytes(kind: str) -> None:
    image = Image.fromarray(pixels(32, 32))
    assert read_picture(encoded(image, kind)).rgb.shape == (32, 32, 3)


@pytest.mark.parametrize(
    "data",
    [b"hello there, this is no picture", b"x", b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(100)],
)
def test_data_that_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(errors.NotAnImage, match="not an image"):
        read_picture(data)


@pytest.mark.filterwarnings("ignore::impasto.client.PictureWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_a_truncated_image_is_a_clear_error_or_a_picture_wherever_it_ends(kind: str) -> None:
    data = encoded(Image.fromarray(pixels(40, 40)), kind)
    seen = set()
    for end in range(1, len(data), max(1, len(data) // 60)):
        try:
            read_picture(data[:end])
        except (errors.NotAnImage, errors.TruncatedImage) as error:
            seen.add(type(error))
    assert errors.TruncatedImage in seen


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBPVP8 "])
def test_the_mere_start_of_an_image_is_truncated_rather_than_no_image(start: bytes) -> None:
    with pytest.raises(errors.TruncatedImage, match="incomplete"):
        read_picture(start)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(encoded(Image.fromarray(pixels(40, 40)))[:-100])
    with pytest.raises(errors.TruncatedImage, match=r"cut\.png is incomplete or damaged"):
        read_picture(path)


def test_a_truncated_image_that_pillow_opened_is_found_too() -> None:
    data = encoded(Image.fromarray(pixels(40, 40)))
    with pytest.raises(errors.TruncatedImage):
        read_picture(Image.open(io.BytesIO(data[:-100])))


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(errors.ImageTooLarge):
        read_picture(bomb())


@pytest.mark.parametrize("side", [10_000, 12_000])
def test_a_picture_over_the_limit_is_refused_without_a_warning(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(errors.ImageTooLarge, match=r"the limit is 89,478,485; raise max_pixels"):
            read_picture(bomb(side, side))


def test_the_limit_can_be_lowered_and_raised() -> None:
    array = pixels(10, 10)
    with pytest.raises(errors.ImageTooLarge, match="10 x 10 = 100 pixels and the limit is 99"):
        read_picture(array, max_pixels=99)
    with pytest.raises(errors.ImageTooLarge, match="10 x 10"):
        read_picture(Image.fromarray(array), max_pixels=99)
    with pytest.raises(errors.ImageTooLarge, match="10 x 10"):
        read_picture(encoded(Image.fromarray(array)), max_pixels=99)
    assert read_picture(array, max_pixels=100).rgb.shape == (10, 10, 3)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0), (3, 0, 1)])
def test_an_array_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(errors.EmptyImage, match="no pixels"):
        read_picture(np.zeros(shape, np.uint8))


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(errors.EmptyImage, match="no pixels"):
        read_picture(Image.new("RGB", (0, 5)))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.touch()
    with pytest.raises(errors.EmptyImage, match=r"empty\.png is empty"):
        read_picture(path)


def test_a_file_whose_kind_is_refused_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, np.zeros((4, 4, 3), np.float32), photometric="rgb")
    with pytest.raises(errors.UnsupportedImage, match=r"scan\.tif is a kind of TIFF .*floating-point"):
        read_picture(path)


def test_what_pillow_warns_of_is_no_warning_here() -> None:
    inks = Image.fromarray(pixels()).convert("CMYK")
    data = encoded(inks, "MPO", save_all=True, append_images=[inks])
    with pytest.warns(UserWarning, match="malformed MPO"):
        Image.open(io.BytesIO(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(data).rgb.shape == (12, 17, 3)


def test_a_file_that_is_not_there_is_pythons_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "nothing.png")


@pytest.mark.parametrize(
    ("dtype", "advice"),
    [("float32", r"\* 255"), ("float64", r"\* 255"), ("uint16", "257"), ("int64", "astype")],
)
def test_an_array_that_is_not_uint8_is_refused_with_the_conversion(dtype: str, advice: str) -> None:
    with pytest.raises(errors.UnsupportedImage, match=f"this one is {dtype}.*{advice}"):
        read_picture(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4, 3), (4, 4, 5), (4, 4, 0)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(errors.UnsupportedImage, match="has shape"):
        read_picture(np.zeros(shape, np.uint8))


def test_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not list"):
        read_picture([[1, 2]])  # type: ignore[arg-type]


def test_one_pixel_is_a_picture() -> None:
    assert doubled(read_picture(np.full((1, 1, 3), 7, np.uint8))).size == (2, 2)
