"""Training an upscaling network: small, on the real photos of examples/."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from impasto.export.errors import ExportError
from impasto.export.upscale import presets
from impasto.export.upscale.degradation import clean, worn
from impasto.export.upscale.evaluate import mean_gain, psnr
from impasto.export.upscale.pairs import TrainingPictures
from impasto.export.upscale.photos import Photo, bicubic, crop_to_multiple, read_photo, shrink
from impasto.export.upscale.presets import FACTORS, Course, Recipe, Size, learning_rate, next_factor, recipe
from impasto.export.upscale.training import Epoch, Trainer, load_network

EXAMPLES = Path(__file__).parents[3] / "examples" / "photos"
TOY = Recipe("toy", epochs=2, steps=30, batch_size=8, patch_size=16, alone=0.4, learning_rate=3e-3)


@pytest.fixture(scope="module", autouse=True)
def _toy_size() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "SIZES", {**presets.SIZES, "toy": Size("toy", channels=4, layers=4)})
        yield


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    return [read_photo(EXAMPLES / f"{name}.png", longest_side=240) for name in ("astronaut", "coffee")]


@pytest.fixture(scope="module")
def pictures(photos: list[Photo]) -> TrainingPictures:
    return TrainingPictures(photos, TOY, FACTORS)


def train(folder: Path, pictures: TrainingPictures, *, stop_after: int | None = None) -> list[Epoch]:
    """Train to the end, or until the process "dies" after so many epochs."""

    class Killed(BaseException):
        pass

    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        if epoch.number == stop_after:
            raise Killed

    held_out = [read_photo(EXAMPLES / "chelsea.png", longest_side=160)]
    with suppress(Killed):
        Trainer(folder, pictures.recipe, data=[]).run(pictures, held_out, on_epoch=on_epoch)
    return epochs


def test_patches_lie_over_each_other_whatever_the_factor_and_the_flip(pictures: TrainingPictures) -> None:
    rng = np.random.default_rng(0)
    for factor in FACTORS:
        low = pictures.low_resolution(factor, seed=(0,))
        inputs, targets = pictures.batch(low, factor, rng)
        assert inputs.shape == (8, 16, 16, 3)
        assert targets.shape == (8, 16 * factor, 16 * factor, 3)
        for small, large in zip(inputs, targets, strict=True):
            assert psnr(shrink(large, factor)[2:-2, 2:-2], small[2:-2, 2:-2]) > 45


def test_the_patches_kept_are_those_that_bicubic_enlarges_worst(photos: list[Photo]) -> None:
    def errors(kept: float) -> list[float]:
        found = TrainingPictures(photos[:1], replace(TOY, kept=kept), (3,))
        original = crop_to_multiple(found.originals[0], 3).astype(float)
        square = np.square(original - bicubic(shrink(crop_to_multiple(found.originals[0], 3), 3), 3))
        corners = found.places[3].corners * (1, 3, 3)
        return sorted(float(square[y : y + 48, x : x + 48].mean()) for _, y, x in corners)

    every, hardest = errors(1.0), errors(0.25)
    np.testing.assert_allclose(hardest, every[-len(hardest) :])
    assert len(hardest) == pytest.approx(len(every) / 4, abs=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, pictures: TrainingPictures) -> tuple[Path, list[Epoch]]:
    folder = tmp_path_factory.mktemp("training")
    return folder, train(folder, pictures)


def test_a_training_teaches_each_factor(trained: tuple[Path, list[Epoch]]) -> None:
    _, epochs = trained
    assert [(epoch.number, epoch.progress) for epoch in epochs] == [(1, 0.5), (2, 1.0)]
    for factor in FACTORS:
        assert mean_gain([score for score in epochs[-1].scores if score.factor == factor]) > 0.01


def test_a_training_in_bfloat16_teaches_weights_of_float32(tmp_path: Path, photos: list[Photo]) -> None:
    epochs = train(tmp_path, TrainingPictures(photos, replace(TOY, compute="bfloat16"), FACTORS))
    network, record = load_network(tmp_path)
    assert record["recipe"]["compute"] == "bfloat16"
    assert {variable.dtype for variable in network.trainable_variables} == {tf.float32}
    for factor in FACTORS:
        assert mean_gain([score for score in epochs[-1].scores if score.factor == factor]) > 0.01


def test_a_killed_training_goes_on_and_ends_where_an_undisturbed_one_ends(
    tmp_path: Path, pictures: TrainingPictures, trained: tuple[Path, list[Epoch]]
) -> None:
    train(tmp_path, pictures, stop_after=1)
    assert [epoch.number for epoch in train(tmp_path, pictures)] == [2]
    whole, record = load_network(trained[0])
    resumed, _ = load_network(tmp_path)
    assert record["finished_epochs"] == 2
    assert record["recipe"]["steps"] == TOY.steps
    for one, other in zip(whole.trainable_variables, resumed.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_folder_with_another_training_is_refused(
    pictures: TrainingPictures, trained: tuple[Path, list[Epoch]]
) -> None:
    other = Trainer(trained[0], pictures.recipe, data=[], seed=1)
    with pytest.raises(ExportError, match="holds a training with another recipe"):
        other.run(pictures, [])


def test_a_training_goes_on_from_the_weights_of_another(
    tmp_path: Path, pictures: TrainingPictures, trained: tuple[Path, list[Epoch]]
) -> None:
    first, _ = load_network(trained[0])
    plan = replace(TOY, degradation="real", epochs=1, steps=1, learning_rate=1e-9)
    trainer = Trainer(tmp_path, plan, data=[], start_from=trained[0])
    trainer.run(pictures, [])
    continued, record = load_network(tmp_path)
    for one, other in zip(first.trainable_variables, continued.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert record["start_from"]["recipe"] == TOY.as_dict()


def test_a_course_by_minutes_fits_what_is_left_to_the_clock() -> None:
    by_epochs, by_clock = Course(0.25, 3), Course(0.25, 3, seconds_left=60)
    assert [by_epochs.at(epochs, 1e9) for epochs in (0, 1.5, 3)] == [0.25, 0.625, 1]
    assert [by_clock.at(1e9, seconds) for seconds in (0, 30, 61)] == [0.25, 0.625, 1]


def test_the_step_size_rises_and_falls_and_factors_come_in_their_shares() -> None:
    plan = recipe("small", "none")
    rates = [learning_rate(plan, progress) for progress in np.linspace(0, 1, 101)]
    top = int(np.argmax(rates))
    assert rates[top] == plan.learning_rate
    assert rates == [*sorted(rates[:top]), *sorted(rates[top:], reverse=True)]
    assert rates[-1] == 0
    chances = np.linspace(0, 1, 1000, endpoint=False)
    assert {next_factor(plan, plan.alone - 0.01, chance) for chance in chances} == {2}
    later = [next_factor(plan, plan.alone, chance) for chance in chances]
    assert [later.count(factor) / 1000 for factor in FACTORS] == pytest.approx([0.5, 0.25, 0.25], abs=0.01)


def test_worn_pictures_repeat_by_the_seed_and_stay_pictures_of_the_same_thing(photos: list[Photo]) -> None:
    pixels = photos[0].pixels
    for factor in FACTORS:
        plain = clean(crop_to_multiple(pixels, factor), factor, np.random.default_rng())
        ratios = []
        for seed in range(12):
            one, same = (
                worn(crop_to_multiple(pixels, factor), factor, np.random.default_rng(seed)) for _ in range(2)
            )
            assert one.dtype == np.uint8
            assert one.shape == plain.shape
            np.testing.assert_array_equal(one, same)
            ratios.append(psnr(plain, one))
        assert 20 < min(ratios) < max(ratios) < 45
        assert max(ratios) - min(ratios) > 4  # some are worn little, some much
