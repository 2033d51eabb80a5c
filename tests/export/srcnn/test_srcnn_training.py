"""Photos, patches and training: small, on the real photos of examples/."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from impasto.client import read_picture
from impasto.export.errors import ExportError
from impasto.export.srcnn.network import enlarge, upscaler_of
from impasto.export.srcnn.presets import PRESETS, Preset
from impasto.export.srcnn.training import Epoch, Patches, Trainer, collect, load_network
from impasto.export.upscale.evaluate import luma, psnr, score_photos
from impasto.export.upscale.pairs import flip_and_transpose
from impasto.export.upscale.photos import (
    Photo,
    describe_photos,
    held_out_photos,
    list_photos,
    read_photo,
    read_photos,
    shrink,
)
from impasto.export.upscale.served import ServedUpscaler

EXAMPLES = Path(__file__).parents[3] / "examples" / "photos"
SMALL = replace(PRESETS["residual"], patches=512, epochs=2)


@pytest.fixture(scope="module")
def patches() -> Patches:
    return collect(read_photos(EXAMPLES, longest_side=300), SMALL, seed=1, on_photo=lambda: None)


def train(
    folder: Path, patches: Patches, preset: Preset = SMALL, *, stop_after: int | None = None
) -> Trainer:
    """Train to the end, or until the process "dies" after so many epochs."""

    class Killed(BaseException):
        pass

    def on_epoch(epoch: Epoch) -> None:
        if epoch.number == stop_after:
            raise Killed

    trainer = Trainer(folder, preset, data=[])
    with suppress(Killed):
        trainer.run(patches, [], on_step=lambda done, total, loss: None, on_epoch=on_epoch)
    return trainer


def test_each_target_lies_under_the_centre_of_its_input() -> None:
    photo = read_photo(EXAMPLES / "coffee.png")
    everything = replace(SMALL, patches=None, hard_patches=False, stride=40)
    cut = collect([photo], everything, seed=0, on_photo=lambda: None)
    enlarged = enlarge(shrink(photo.pixels, 2)[None].astype(np.float32))[0].numpy()
    columns = (photo.pixels.shape[1] - 33) // 40 + 1
    top, left = 40, 80
    index = columns * (top // 40) + left // 40
    np.testing.assert_array_equal(cut.inputs[index], enlarged[top : top + 33, left : left + 33])
    np.testing.assert_array_equal(cut.targets[index], photo.pixels[top + 6 : top + 27, left + 6 : left + 27])


@pytest.mark.parametrize("mode", ["RGB", "I;16", "F"])
def test_photos_are_read_as_the_client_reads_them(tmp_path: Path, mode: str) -> None:
    tones = np.arange(256, dtype=np.uint8).reshape(16, 16)
    images = {
        "RGB": Image.fromarray(np.dstack([tones] * 3)),
        "I;16": Image.fromarray(tones.astype(np.uint16) * 257),
        "F": Image.fromarray((tones / 255).astype(np.float32)),
    }
    images[mode].save(tmp_path / "photo.tif")
    photo = read_photo(tmp_path / "photo.tif")
    np.testing.assert_array_equal(photo.pixels, np.dstack([tones] * 3))
    np.testing.assert_array_equal(photo.pixels, read_picture(tmp_path / "photo.tif").rgb)


def test_a_photo_with_transparency_a_turn_or_many_pixels_is_read_as_the_client_reads_it(
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((10, 20, 4), (90, 60, 30, 255), np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert read_photo(tmp_path / "a.png").pixels.shape == (20, 10, 3)
    assert read_photo(tmp_path / "a.png", longest_side=10).pixels.shape == (10, 4, 3)


def test_hard_patches_are_those_that_bicubic_fails_on() -> None:
    photos = [read_photo(EXAMPLES / "astronaut.png")]
    easy_too = replace(SMALL, patches=None, hard_patches=False)
    every = collect(photos, easy_too, seed=0, on_photo=lambda: None)
    hard = collect(photos, replace(easy_too, hard_patches=True), seed=0, on_photo=lambda: None)

    def errors(cut: Patches) -> NDArray[np.float64]:
        squares = np.square(cut.inputs[:, 6:-6, 6:-6] - cut.targets, dtype=np.float64)
        return squares.mean(axis=(1, 2, 3)).astype(np.float64)

    assert len(hard) == len(every) // 2
    assert errors(hard).min() > np.median(errors(every)) - 1e-3


def test_a_flip_turns_input_and_target_alike(patches: Patches) -> None:
    inputs, targets = patches.inputs[:4], patches.targets[:4]
    for choice in np.indices((2, 2, 2)).reshape(3, -1).T.astype(bool):
        turned, expected = flip_and_transpose(inputs, targets, choice)
        # The middle of the turned input, cropped, is the turned middle: both went the same way.
        middle, _ = flip_and_transpose(inputs[:, 6:-6, 6:-6], targets, choice)
        np.testing.assert_array_equal(turned[:, 6:-6, 6:-6], middle)
        assert expected.shape == targets.shape


def test_training_improves_on_bicubic_and_is_exported_from_its_checkpoint(
    tmp_path: Path, patches: Patches
) -> None:
    epochs: list[Epoch] = []
    held_out = [read_photo(EXAMPLES / "chelsea.png", longest_side=200)]
    trainer = Trainer(tmp_path, replace(SMALL, epochs=6), data=[])
    trainer.run(patches, held_out, on_step=lambda done, total, loss: None, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].gain > 0
    network, record, finished = load_network(tmp_path)
    assert finished == 6
    assert record["patches"] == 512
    (score,) = score_photos(held_out, ServedUpscaler(upscaler_of(network)).upscale)
    assert score.gain_rgb == pytest.approx(epochs[-1].gain)


def test_a_killed_training_goes_on_and_ends_where_an_undisturbed_one_ends(
    tmp_path: Path, patches: Patches
) -> None:
    whole = train(tmp_path / "whole", patches)
    train(tmp_path / "killed", patches, stop_after=1)
    resumed = train(tmp_path / "killed", patches)
    assert int(resumed.finished_epochs) == 2
    for one, other in zip(
        whole.network.trainable_variables, resumed.network.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_checkpoint_folder_of_another_recipe_is_refused(tmp_path: Path, patches: Patches) -> None:
    train(tmp_path, patches, stop_after=1)
    with pytest.raises(ExportError, match="holds a training with another preset"):
        train(tmp_path, patches, replace(SMALL, learning_rate=1e-4))


def test_a_training_that_diverges_says_so(tmp_path: Path, patches: Patches) -> None:
    with pytest.raises(ExportError, match="training diverged in epoch 1"):
        train(tmp_path, patches, replace(SMALL, pixel_scale=1e-30, cosine_decay=False))


def test_the_record_names_each_photo_with_its_licence(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    (tmp_path / "licences.json").write_text(json.dumps({"a.png": {"author": "A", "licence": "CC0-1.0"}}))
    first, second = describe_photos(tmp_path)
    assert (first["name"], first["author"], first["licence"]) == ("a.png", "A", "CC0-1.0")
    assert second["licence"] == "not stated"
    assert len(first["sha256"]) == 64


def test_the_licences_are_read_as_an_editor_saved_them(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    listing = tmp_path / "licences.json"
    text = json.dumps({"a.png": {"author": "Ä", "licence": "CC0-1.0"}}, indent=2, ensure_ascii=False)
    listing.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert describe_photos(tmp_path)[0]["author"] == "Ä"
    listing.write_bytes(text.encode("utf-16"))
    with pytest.raises(ExportError, match=r"licences\.json .* UTF-16 .*; save it as UTF-8"):
        describe_photos(tmp_path)


def test_a_broken_licence_list_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "licences.json").write_text("[1]")
    with pytest.raises(ExportError, match=r"licences\.json"):
        describe_photos(tmp_path)


def test_photo_folders_that_cannot_serve_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="does not exist"):
        list_photos(tmp_path / "nowhere")
    with pytest.raises(ExportError, match="no photos in"):
        list_photos(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(ExportError, match=r"cannot read photo .*broken\.jpg"):
        list(read_photos(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="the test becomes a user who may not read everything")
def test_what_this_user_may_not_read_is_left_out_and_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for path in (folder / "good.png", folder / "locked.png", folder / "names only" / "x.png"):
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
        (folder / "closed").mkdir()
        list(read_photos(folder))  # what a first use imports is root's to read
        (folder / "locked.png").chmod(0)
        (folder / "names only").chmod(0o744)
        (folder / "closed").chmod(0o700)
        left_out: dict[str, str] = {}

        def leave_out(path: Path, error: ExportError) -> None:
            left_out[path.relative_to(folder).as_posix()] = str(error)

        os.seteuid(65534)
        try:
            read = [photo.name for photo in read_photos(folder, on_unreadable=leave_out)]
        finally:
            os.seteuid(0)
    assert read == ["good.png"]
    assert left_out.keys() == {"locked.png", "names only/x.png", "closed"}
    assert all("Permission denied" in reason for reason in left_out.values())


def test_photos_too_small_for_a_patch_are_an_error(tmp_path: Path) -> None:
    tiny = Photo("tiny", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(ExportError, match="give 0 patches"):
        collect([tiny], SMALL, seed=0, on_photo=lambda: None)


def test_psnr_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    other = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert psnr(original, other) == pytest.approx(peak_signal_noise_ratio(original, other))
    assert psnr(original, original) == float("inf")


def test_luma_is_that_of_bt_601() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(luma(pixels)[0], [76.245, 149.685, 29.07, 255.0])


def test_the_held_out_photos_are_six_and_need_no_network() -> None:
    photos = held_out_photos()
    assert [photo.name for photo in photos] == ["astronaut", "chelsea", "coffee", "rocket", "china", "flower"]
    assert all(photo.pixels.shape[0] % 2 == 0 and photo.pixels.shape[1] % 2 == 0 for photo in photos)
