"""Animations are read frame by frame and written as GIF, WebP and APNG."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from images.made_png import Patch, apng, composed
from images.moving import animation as moving_file
from images.moving import drawn, found
from images.pictures import encoded, pixels, srgb_profile
from impasto.client import Picture, PictureWarning, read_animation, read_picture
from impasto.client.errors import ImageError, ImageTooLarge, OutputExists, UnknownFormat
from impasto.client.pictures import (
    ANIMATED,
    Animation,
    encode_animation,
    encode_picture,
    moves,
    to_frame,
    write_animation,
)


def test_frames_become_a_gif_that_repeats(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    frames = [to_frame(Image.new("RGB", (30, 20), colour)) for colour in colours]
    write_animation(tmp_path / "a.gif", Animation.of(frames, milliseconds=50))
    with Image.open(tmp_path / "a.gif") as gif:
        for number, colour in enumerate(colours):
            gif.seek(number)
            assert gif.convert("RGB").getpixel((5, 5)) == colour
            assert (gif.info["duration"], gif.info["loop"]) == (50, 0)
    with pytest.raises(OutputExists):
        write_animation(tmp_path / "a.gif", Animation.of(frames))
    write_animation(tmp_path / "a.gif", Animation.of(frames[:1]), overwrite=True)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_frame_may_be_made_of_any_result(mode: str) -> None:
    frame = to_frame(Image.fromarray(pixels(20, 30, 4)).convert(mode))
    assert (frame.mode, frame.size) == ("P", (30, 20))


def test_transparency_becomes_white() -> None:
    frame = to_frame(Image.new("RGBA", (4, 4), (200, 0, 0, 0)))
    assert frame.convert("RGB").getpixel((1, 1)) == (255, 255, 255)


CLEAR = np.zeros((9, 12, 4), np.uint8)


@st.composite
def patches(draw: st.DrawFn) -> list[Patch]:
    """Frames of opaque and clear pixels anywhere on a canvas of 12 x 9, disposed of and blended in every way."""
    count = draw(st.integers(2, 6))
    frames = []
    for index in range(count):
        seed = draw(st.integers(0, 99))
        rng = np.random.default_rng(seed)
        x, y = (0, 0) if index == 0 else (draw(st.integers(0, 8)), draw(st.integers(0, 6)))
        width, height = (12, 9) if index == 0 else (draw(st.integers(1, 12 - x)), draw(st.integers(1, 9 - y)))
        samples = rng.integers(0, 256, (height, width, 4), np.uint8)
        samples[..., 3] = np.where(rng.random((height, width)) < 0.3, 0, 255)
        dispose = draw(st.sampled_from([0, 1] if index == 0 else [0, 1, 2]))
        frames.append(Patch(samples, x, y, dispose, draw(st.sampled_from([0, 1])), draw(st.integers(1, 900))))
    return frames


def shown(picture: Picture) -> NDArray[np.uint8]:
    """RGBA, black where it is clear."""
    alpha = np.full(picture.rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return np.where(alpha[..., np.newaxis] > 0, np.dstack([picture.rgb, alpha]), 0).astype(np.uint8)


def visible(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(canvas[..., 3:] > 0, canvas, 0)


@settings(deadline=None, max_examples=60)
@given(patches=patches(), plays=st.integers(0, 5), hidden=st.booleans())
def test_every_frame_of_an_apng_is_what_a_viewer_shows(
    patches: list[Patch], plays: int, hidden: bool
) -> None:
    data = apng(patches, plays=plays, default=CLEAR if hidden else None)

    animation = read_animation(data)

    assert len(animation.frames) == len(patches)
    assert animation.plays == plays
    assert animation.milliseconds == pytest.approx([patch.milliseconds for patch in patches])
    for frame, wanted in zip(animation.frames, composed(patches, (9, 12)), strict=True):
        assert np.array_equal(shown(frame), visible(wanted))


@settings(deadline=None, max_examples=60)
@given(patches=patches())
def test_every_frame_of_a_gif_is_what_a_viewer_shows(patches: list[Patch]) -> None:
    # A GIF lays frames over each other, and has one transparent index; eight gray levels are enough to tell pixels.
    levels = [
        replace(
            patch, blend=1, samples=np.dstack([*[patch.samples[..., 0] & 0xE0] * 3, patch.samples[..., 3]])
        )
        for patch in patches
    ]
    animation = read_animation(gif(levels, plays=3))
    assert len(animation.frames) == len(patches)
    assert animation.plays == 3
    assert list(animation.milliseconds) == [patch.milliseconds // 10 * 10 for patch in levels]
    for frame, wanted in zip(animation.frames, composed(levels, (9, 12)), strict=True):
        assert np.array_equal(shown(frame), visible(wanted))


def gif(frames: Sequence[Patch], *, plays: int) -> bytes:
    """A GIF written by hand: eight gray levels and a transparent index, codes of one length."""
    palette = bytes(level for index in range(8) for level in [index * 32] * 3) + bytes(24)
    data = b"GIF89a" + struct.pack("<HHBBB", 12, 9, 0xB3, 0, 0) + palette
    data += b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", plays - 1) + b"\0"
    for frame in frames:
        height, width = frame.samples.shape[:2]
        disposal = {0: 1, 1: 2, 2: 3}[frame.dispose]
        data += b"\x21\xf9\x04" + struct.pack("<BHBB", disposal << 2 | 1, frame.milliseconds // 10, 8, 0)
        data += b"," + struct.pack("<HHHHB", frame.x, frame.y, width, height, 0) + b"\x04"
        indices = np.where(frame.samples[..., 3] > 0, frame.samples[..., 0] >> 5, 8).ravel()
        # Codes have 5 bits as long as a clear code comes before the table grows: every 12 pixels.
        codes = [code for start in range(0, len(indices), 12) for code in (16, *indices[start : start + 12])]
        bits = (np.array([*codes, 17])[:, np.newaxis] >> np.arange(5)) & 1
        packed = np.packbits(bits.ravel().astype(np.uint8), bitorder="little").tobytes()
        for start in range(0, len(packed), 255):
            block = packed[start : start + 255]
            data += bytes([len(block)]) + block
        data += b"\0"
    return data + b";"


def moving(mode: str, count: int = 5) -> list[Image.Image]:
    frames = []
    for number in range(count):
        rgba = np.zeros((20, 30, 4), np.uint8)
        rgba[..., :3] = (40, 160, 40 * number)
        rgba[..., 3] = 255
        rgba[2:12, 4 + number : 14 + number] = (220, 30, 30, 255)
        rgba[14:18, 2 * number : 2 * number + 6, 3] = 0
        frames.append(Image.fromarray(rgba).convert(mode))
    return frames


@pytest.mark.parametrize("extension", ANIMATED)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_frames_times_and_plays_come_back_from_every_format(
    tmp_path: Path, extension: str, mode: str, plays: int
) -> None:
    path = tmp_path / f"a{extension}"
    frames, times = moving(mode), [100, 50, 30, 200, 70]

    write_animation(path, Animation.of(frames, milliseconds=times, plays=plays))

    animation = read_animation(path)
    assert (animation.plays, list(animation.milliseconds)) == (plays, times)
    for frame, image in zip(animation.frames, frames, strict=True):
        wanted = np.asarray(image.convert("RGBA")).astype(int)
        found = shown(frame).astype(int)
        assert np.array_equal(found[..., 3] > 0, wanted[..., 3] > 0)
        seen = wanted[..., 3] > 0
        assert np.abs(found - wanted)[seen].mean() < {".gif": 3, ".webp": 6}.get(extension, 0.01)


@pytest.mark.parametrize("extension", ANIMATED)
def test_an_animation_read_and_written_again_is_the_same(tmp_path: Path, extension: str) -> None:
    write_animation(
        tmp_path / f"a{extension}", Animation.of(moving("RGBA"), milliseconds=[90, 40, 60, 80, 30], plays=4)
    )
    first = read_animation(tmp_path / f"a{extension}")
    again = first.with_frames(frame.rebuild(frame.rgb) for frame in first.frames)
    assert again.size == first.size == (30, 20)
    write_animation(tmp_path / f"b{extension}", again)
    second = read_animation(tmp_path / f"b{extension}")
    assert (second.milliseconds, second.plays) == (first.milliseconds, first.plays)
    for before, after in zip(first.frames, second.frames, strict=True):
        assert np.abs(shown(before).astype(int) - shown(after)).mean() < 3


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.floats(15, 500), min_size=1, max_size=12))
def test_a_gifs_frames_begin_at_most_half_a_hundredth_of_a_second_off(
    tmp_path: Path, times: list[float]
) -> None:
    frames = [Image.new("RGB", (3, 2), (20 * number, 0, 0)) for number in range(len(times))]
    write_animation(tmp_path / "a.gif", Animation.of(frames, milliseconds=times), overwrite=True)
    if len(times) > 1:
        found = np.cumsum(read_animation(tmp_path / "a.gif").milliseconds)
        assert np.abs(found - np.cumsum(times)).max() <= 5.001


@pytest.mark.parametrize("extension", ANIMATED)
def test_equal_frames_are_shown_as_long_as_they_were(tmp_path: Path, extension: str) -> None:
    still, other = Image.new("RGB", (8, 6), "red"), Image.new("RGB", (8, 6), "blue")
    write_animation(
        tmp_path / f"a{extension}",
        Animation.of([still, still, other, other, still], milliseconds=[50, 70, 90, 30, 40]),
    )
    animation = read_animation(tmp_path / f"a{extension}")
    ends = list(accumulate(animation.milliseconds))
    assert ends[-1] == 280
    for moment, colour in ((10, "red"), (110, "red"), (130, "blue"), (230, "blue"), (250, "red")):
        frame = next(frame for frame, end in zip(animation.frames, ends, strict=True) if moment < end)
        assert (
            np.abs(frame.rgb[3, 4].astype(int) - Image.new("RGB", (1, 1), colour).getpixel((0, 0))).max() < 8
        )


def test_one_frame_is_taken_by_its_number(tmp_path: Path) -> None:
    for extension in ANIMATED:
        path = tmp_path / f"a{extension}"
        write_animation(path, Animation.of(moving("RGB")))
        animation = read_animation(path)
        for number in range(5):
            picture = read_picture(path, frame=number)
            assert (picture.frames, picture.frame, picture.notes) == (5, number, ())
            assert np.array_equal(picture.rgb, animation.frames[number].rgb)
        with pytest.raises(ValueError, match=r"frame is 5; .* has 5, counted from 0"):
            read_picture(path, frame=5)
        with pytest.warns(PictureWarning, match="it has 5 frames or pages; the first one is taken"):
            read_picture(path)


def test_pages_of_a_tiff_are_frames(tmp_path: Path) -> None:
    pages = [Image.fromarray(pixels(6 + number, 9, seed=number)) for number in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    document = read_animation(tmp_path / "scan.tif")
    assert (document.milliseconds, document.plays) == ((0, 0, 0), 1)
    for number, page in enumerate(pages):
        assert np.array_equal(document.frames[number].rgb, np.asarray(page))
        assert np.array_equal(read_picture(tmp_path / "scan.tif", frame=number).rgb, np.asarray(page))


def test_16_bit_pages_keep_the_nearest_tones() -> None:
    import tifffile

    samples = np.random.default_rng(0).integers(0, 65536, (3, 9, 11, 3), np.uint16)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, photometric="rgb", metadata=None)
    for number, page in enumerate(read_animation(buffer.getvalue()).frames):
        assert np.array_equal(page.rgb, np.rint(samples[number] / 257))


def test_an_image_that_stands_at_a_frame_gives_that_frame_and_stays_there(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.gif", Animation.of(moving("RGB")))
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(2)
        picture = read_picture(image)
        assert (picture.frame, picture.frames, picture.notes) == (2, 5, ())
        image.seek(0)
        with pytest.warns(
            PictureWarning, match="the image: it has 5 frames or pages; the first one is taken"
        ):
            read_picture(image)
        image.seek(2)
        other = read_picture(image, frame=4)
        assert (other.frame, image.tell()) == (4, 2)
        assert not np.array_equal(other.rgb, picture.rgb)


def test_a_still_picture_is_an_animation_of_one_frame() -> None:
    animation = read_animation(encoded(Image.fromarray(pixels())))
    assert len(animation.frames) == 1
    assert np.array_equal(animation.frames[0].rgb, pixels())


def test_a_phone_photo_with_a_second_picture_behind_it_is_one_photo() -> None:
    photo = Image.fromarray(pixels())
    data = encoded(photo, "MPO", save_all=True, append_images=[photo])
    assert read_picture(data).frames == 1
    assert len(read_animation(data).frames) == 1


def test_more_pixels_in_all_frames_than_the_limit_are_refused(tmp_path: Path) -> None:
    write_animation(tmp_path / "a.gif", Animation.of(moving("RGB")))
    with pytest.raises(ImageTooLarge, match=r"5 frames of 30 x 20, 3,000 pixels, and the limit is 2,999"):
        read_animation(tmp_path / "a.gif", max_pixels=2999)
    assert len(read_animation(tmp_path / "a.gif", max_pixels=3000).frames) == 5


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        ([], {}, "frames is empty"),
        ([Image.new("L", (2, 2)), Image.new("L", (3, 2))], {}, "must all have one"),
        ([Image.new("L", (2, 2))] * 2, {"milliseconds": [1]}, "1 numbers for 2 frames"),
        ([Image.new("L", (2, 2))] * 2, {"milliseconds": -1}, "must be from 0"),
        ([Image.new("L", (2, 2))] * 2, {"milliseconds": float("nan")}, "must be from 0"),
        ([Image.new("L", (2, 2))] * 2, {"plays": -1}, "plays is -1"),
    ],
)
def test_frames_that_do_not_go_together_are_refused(
    tmp_path: Path, frames: list[Image.Image], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        write_animation(tmp_path / "a.gif", Animation.of(frames, **options))
    assert list(tmp_path.iterdir()) == []


def test_a_format_without_animations_is_refused_with_those_that_have_them(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match=r"use one of \.gif, \.webp, \.png, \.apng"):
        write_animation(tmp_path / "a.jpg", Animation.of(moving("RGB")))


def test_an_animation_cut_anywhere_is_frames_or_a_clear_error(tmp_path: Path) -> None:
    seen: set[object] = set()
    for extension in ANIMATED:
        write_animation(tmp_path / f"a{extension}", Animation.of(moving("RGBA")))
        data = (tmp_path / f"a{extension}").read_bytes()
        for end in range(1, len(data), max(1, len(data) // 40)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", PictureWarning)
                    seen.add(len(read_animation(data[:end]).frames) > 0)
            except ImageError as error:
                seen.add(type(error).__name__)
    assert "TruncatedImage" in seen


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        *((moving_file(kind), True) for kind in ("GIF", "WEBP", "PNG")),
        *((encoded(drawn()[0], kind), False) for kind in ("GIF", "WEBP", "PNG", "JPEG")),
        (encoded(drawn()[0], "TIFF", save_all=True, append_images=drawn()[1:]), False),
    ],
)
def test_what_moves_is_told_from_pages_and_stills(data: bytes, expected: bool) -> None:
    assert moves(data) == expected


@pytest.mark.parametrize("extension", ANIMATED)
def test_frames_become_a_files_bytes_as_they_become_a_file(tmp_path: Path, extension: str) -> None:
    write_animation(tmp_path / f"a{extension}", Animation.of(drawn(), milliseconds=70, plays=2))
    data = encode_animation(Animation.of(drawn(), milliseconds=70, plays=2), extension)
    assert (tmp_path / f"a{extension}").read_bytes() == bytes(data)
    with pytest.raises(UnknownFormat, match=r"no animation can be written as '\.tif'"):
        encode_animation(Animation.of(drawn()), ".tif")


def noisy(count: int, *, clear: bool = False) -> list[Image.Image]:
    """More than 256 colours that stand still, and a square that goes over them."""
    rng = np.random.default_rng(0)
    ground = np.clip(pixels(60, 90).astype(int) + rng.integers(-20, 20, (60, 90, 3)), 0, 255).astype(np.uint8)
    frames = []
    for number in range(count):
        frame = Image.fromarray(ground.copy())
        frame.paste((230, 20 * number, 40), (8 * number, 10, 8 * number + 20, 30))
        if clear:
            frame.putalpha(Image.new("L", frame.size, 255))
            frame.paste((0, 0, 0, 0), (0, 50, 90, 60))
        frames.append(frame)
    return frames


@pytest.mark.parametrize("clear", [False, True])
def test_what_stands_still_in_a_gif_does_not_flicker(clear: bool) -> None:
    frames = noisy(6, clear=clear)
    gif = found(bytes(encode_animation(Animation.of(frames), ".gif"))).frames
    for before, after, was, now in zip(frames, frames[1:], gif, gif[1:], strict=False):
        still = (np.asarray(before) == np.asarray(after)).all(axis=2)
        assert still.mean() > 0.8
        np.testing.assert_array_equal(was[still], now[still])
    errors = [
        np.abs(np.asarray(frame.convert("RGBA")).astype(int) - shown)[:50].mean()
        for frame, shown in zip(frames, gif, strict=True)
    ]
    assert max(errors) < 12
    if clear:
        assert all((frame[50:, :, 3] == 0).all() and (frame[:50, :, 3] == 255).all() for frame in gif)


def test_scenes_that_have_nothing_in_common_have_colours_of_their_own_in_a_gif() -> None:
    ramp = np.linspace(0, 255, 256).astype(np.uint8)
    scenes = []
    for number in range(7):
        colours = np.zeros((32, 256, 3), np.uint8)
        for channel in range(3):
            colours[..., channel] = ramp if (number + 1) >> channel & 1 else ramp[::-1] // (number + 2)
        scenes.append(Image.fromarray(colours))
    gif = found(bytes(encode_animation(Animation.of(scenes), ".gif"))).frames
    for scene, shown in zip(scenes, gif, strict=True):
        alone = np.asarray(to_frame(scene).convert("RGB")).astype(int)
        wanted = np.asarray(scene).astype(int)
        assert np.abs(shown[..., :3] - wanted).mean() <= np.abs(alone - wanted).mean() + 1


def test_gray_frames_lose_a_profile_that_is_for_gray_pixels() -> None:
    frames = [Image.fromarray(pixels(20, 30, None, seed=seed)) for seed in range(3)]
    for frame in frames:
        frame.info["icc_profile"] = srgb_profile()
    for extension in (".webp", ".png"):
        with pytest.warns(PictureWarning, match="for RGB pixels, which it does not have"):
            data = encode_animation(Animation.of(frames), extension)
        with Image.open(io.BytesIO(data)) as image:
            assert "icc_profile" not in image.info


def test_strip_and_the_options_of_a_format_are_for_animations_too() -> None:
    frames = drawn()
    for frame in frames:
        frame.info["icc_profile"] = srgb_profile()
    for extension in (".webp", ".png", ".gif"):
        for strip in (False, True):
            with Image.open(
                io.BytesIO(encode_animation(Animation.of(frames), extension, strip=strip))
            ) as image:
                assert ("icc_profile" in image.info) == (not strip and extension != ".gif")
    assert len(encode_animation(Animation.of(frames), ".png", compress="fast")) > len(
        encode_animation(Animation.of(frames), ".png", compress="small")
    )
    assert len(encode_animation(Animation.of(frames), ".webp", quality=5)) < len(
        encode_animation(Animation.of(frames), ".webp", quality=95)
    )
    for extension, option, value, able in (
        (".gif", "quality", 5, ".webp"),
        (".webp", "compress", "fast", ".png, .apng"),
    ):
        with pytest.raises(
            ValueError, match=f"{option} is {value}, and {extension} has no such option; .* use {able}"
        ):
            encode_animation(Animation.of(frames), extension, **{option: value})  # type: ignore[arg-type]


def test_frames_of_a_webp_without_transparency_have_none() -> None:
    assert [frame.alpha for frame in read_animation(moving_file("WEBP")).frames] == [None] * 4
    assert all(frame.alpha is not None for frame in read_animation(moving_file("WEBP", clear=True)).frames)


def test_a_picture_that_was_read_is_returned_as_it_is() -> None:
    picture = read_picture(moving_file("GIF"), frame=2)
    assert read_picture(picture) is picture
    assert read_picture(picture, frame=2) is picture
    with pytest.raises(ValueError, match="frame is 1; this is frame 2 of the image: read its file again"):
        read_picture(picture, frame=1)
    with pytest.raises(ImageTooLarge, match="the limit is 900"):
        read_picture(picture, max_pixels=900)


def test_the_picture_behind_which_an_apng_hides_its_frames_is_not_counted() -> None:
    patches = [
        Patch(np.full((9, 12, 4), (value, 0, 0, 255), np.uint8), 0, 0, 0, 0, 50) for value in (90, 200)
    ]
    data = apng(patches, default=np.full((9, 12, 4), (0, 0, 250, 255), np.uint8))
    for number, value in enumerate((90, 200)):
        picture = read_picture(data, frame=number)
        assert (picture.frames, picture.frame, int(picture.rgb[0, 0, 0])) == (2, number, value)
    with pytest.raises(ValueError, match="has 2, counted from 0"):
        read_picture(data, frame=2)


def test_a_format_without_profiles_shows_the_colours_of_the_profile() -> None:
    profile = swapped_profile()
    image = Image.new("RGB", (16, 16), (220, 40, 40))
    image.info["icc_profile"] = profile
    expected = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    assert expected is not None
    wanted = np.asarray(expected.getpixel((3, 3)))
    assert np.abs(wanted - (220, 40, 40)).max() > 50
    with Image.open(io.BytesIO(encode_picture(image, ".bmp"))) as bmp:
        assert np.abs(np.asarray(bmp.getpixel((3, 3))) - wanted).max() <= 1
    gif = found(bytes(encode_animation(Animation.of([image, image.rotate(90)]), ".gif")))
    assert np.abs(gif.frames[0][3, 3, :3] - wanted).max() <= 1
    assert np.abs(np.asarray(to_frame(image).convert("RGB"))[3, 3] - wanted).max() <= 1


def swapped_profile() -> bytes:
    """The profile of sRGB with its red and green colorants changed for each other."""
    swapped = srgb_profile().replace(b"rXYZ", b"SWAP").replace(b"gXYZ", b"rXYZ")
    return swapped.replace(b"SWAP", b"gXYZ")
