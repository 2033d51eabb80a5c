"""Train an upscaling network, epoch by epoch, so that a training that was stopped goes on where it was."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from impasto.client.errors import ImpastoError
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository
from impasto.export.training_folder import latest, open_folder
from impasto.export.upscale import presets
from impasto.export.upscale.degradation import MEASURED_QUALITY
from impasto.export.upscale.evaluate import Score, Task, Upscale, saved_as_jpeg, tasks
from impasto.export.upscale.network import UpscalingNetwork
from impasto.export.upscale.pairs import TrainingPictures
from impasto.export.upscale.photos import Photo, Pixels
from impasto.export.upscale.presets import Course, Recipe, learning_rate, next_factor


def load_network(folder: Path) -> tuple[UpscalingNetwork, dict[str, Any]]:
    """The network of a training's latest checkpoint, or of a published version, and the record of its training.

    Args:
        folder: the training's folder, or the directory of a version such as `models/upscaler-small/2`.

    Raises:
        ExportError: the folder holds neither.
    """
    if (folder / "saved_model.pb").exists():
        return _read_version(folder)
    checkpoint, record = latest(folder, command="upscaler train")
    network = UpscalingNetwork(presets.SIZES[record["recipe"]["size"]])
    state = _new_state()
    tf.train.Checkpoint(network=network, **state).restore(checkpoint).expect_partial()
    record["finished_epochs"] = int(state["epochs"])
    record["progress"] = round(float(state["progress"]), 4)
    record["minutes"] = round(float(state["seconds"]) / 60, 1)
    record["cpu_seconds"] = round(float(state["cpu_seconds"]))
    return network, record


def _read_version(folder: Path) -> tuple[UpscalingNetwork, dict[str, Any]]:
    place = folder.resolve()
    try:
        manifest = ModelRepository(place.parents[1]).manifest(place.parent.name, int(place.name))
        record = {**manifest.source["training"], "taken_from": f"{place.parent.name}/{place.name}"}
        network = UpscalingNetwork(presets.SIZES[record["recipe"]["size"]])
        variables = tf.train.Checkpoint(network=network).read(str(place / "variables" / "variables"))
        variables.assert_existing_objects_matched()
    except (TypeError, KeyError, ValueError, AssertionError, ImpastoError, tf.errors.OpError) as error:
        raise ExportError(
            f"{folder} does not hold a network of `impasto-export upscaler save` ({error}); name another version"
        ) from error
    return network, record


def _new_state() -> dict[str, tf.Variable]:
    """Return what a checkpoint holds beside weights: the epochs, the part of the training that is done, its time."""
    state = {
        name: tf.Variable(0.0, trainable=False, dtype=tf.float64, name=name)
        for name in ("progress", "seconds", "cpu_seconds")
    }
    return {"epochs": tf.Variable(0, trainable=False, dtype=tf.int64, name="epochs"), **state}


_WHITE = 255.0
_TYPICAL_ERROR = 6.0
"""Grey levels; a squared error over it has gradients about as large as those of an absolute error."""


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch.

    Attributes:
        number: counted from 1.
        progress: the part of the training that is done, 0 to 1.
        loss: the mean absolute error of the epoch's steps, in grey levels.
        scores: each held-out photo, by each factor.
    """

    number: int
    progress: float
    loss: float
    scores: Sequence[Score]


class Trainer:
    """One training in a checkpoint folder.

    Args:
        folder: where checkpoints and the record of the training are kept; an unfinished one there is continued.
        recipe: the recipe.
        data: the photos, recorded for the manifest: see `describe_photos`.
        seed: the seed of the weights, of the order of patches and of the degradation.
        start_from: what holds the first weights, of the same size: see `load_network`.

    Raises:
        ExportError: the folder holds a training with another recipe, or `start_from` holds none.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        *,
        data: Sequence[Mapping[str, str]],
        seed: int = 0,
        start_from: Path | None = None,
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.seed = seed
        self.network = UpscalingNetwork(presets.SIZES[recipe.size], seed=seed)
        began: dict[str, Any] | None = None
        if start_from is not None:
            self.network, began = load_network(start_from)
            if began["recipe"]["size"] != recipe.size:
                raise ExportError(f"{start_from} holds a network of another size than {recipe.size}")
        self._config = {
            "recipe": recipe.as_dict(),
            "seed": seed,
            "photos": [dict(photo) for photo in data],
            "start_from": began,
        }
        self._state = _new_state()
        self._optimizer = tf.keras.optimizers.Adam(recipe.learning_rate)
        self._optimizer.build(self.network.trainable_variables)  # a restore fills only slots that exist
        self._enlarge = enlarging(self.network)
        self._steps = {
            (factor, is_squared): self._make_step(factor, is_squared=is_squared)
            for factor in self.network.factors
            for is_squared in (False, True)
        }

    def run(
        self,
        pictures: TrainingPictures,
        held_out: Sequence[Photo],
        *,
        minutes: float | None = None,
        on_step: Callable[[float, float], None] = lambda progress, loss: None,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    ) -> None:
        """Train to the end.

        Args:
            pictures: what to train on.
            held_out: photos to measure after each epoch; none of them may be among the training photos.
            minutes: end after so many minutes in all, earlier runs included, instead of after the recipe's epochs: the
                step size then falls to zero by that time.
            on_step: called with the part of the training that is done and the running loss, in grey levels.
            on_epoch: called after each epoch, once its checkpoint is on disk.
        """
        open_folder(self.folder, self._config, differing="recipe, seed or other photos")
        checkpoint = tf.train.Checkpoint(network=self.network, optimizer=self._optimizer, **self._state)
        manager = tf.train.CheckpointManager(checkpoint, str(self.folder), max_to_keep=2)
        if manager.latest_checkpoint is not None:
            checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
        measured = measuring_tasks(held_out, self.network.factors, self.recipe.degradation)
        first, begun = int(self._state["epochs"]), float(self._state["progress"])
        earlier, earlier_cpu = float(self._state["seconds"]), float(self._state["cpu_seconds"])
        started, started_cpu = time.monotonic(), time.process_time()
        seconds_left = None if minutes is None else max(minutes * 60 - earlier, 1e-6)
        course = Course(begun, max(self.recipe.epochs - first, 1), seconds_left)
        epoch = first
        while float(self._state["progress"]) < 1:

            def progress(part: float, done: int = epoch - first) -> float:
                return course.at(done + part, time.monotonic() - started)

            loss = self._train_epoch(pictures, epoch, progress, on_step)
            epoch += 1
            self._state["epochs"].assign(epoch)
            self._state["progress"].assign(progress(1.0))
            self._state["seconds"].assign(earlier + time.monotonic() - started)
            self._state["cpu_seconds"].assign(earlier_cpu + time.process_time() - started_cpu)
            manager.save(checkpoint_number=epoch)
            scores = [task.score(self._enlarge[task.factor]) for task in measured]
            on_epoch(Epoch(epoch, float(self._state["progress"]), loss, scores))

    def _train_epoch(
        self,
        pictures: TrainingPictures,
        epoch: int,
        progress: Callable[[float], float],
        on_step: Callable[[float, float], None],
    ) -> float:
        # What an epoch sees depends on its number alone, so a resumed run sees what an undisturbed one sees.
        rng = np.random.default_rng((self.seed, epoch))
        low: dict[int, list[Pixels]] = {}
        total, number = 0.0, 0
        for number in range(1, self.recipe.steps + 1):
            done = progress((number - 1) / self.recipe.steps)
            if done >= 1:
                break
            factor = next_factor(self.recipe, done, rng.random())
            if factor not in low:
                low[factor] = pictures.low_resolution(factor, seed=(self.seed, epoch))
            self._optimizer.learning_rate.assign(learning_rate(self.recipe, done))
            step = self._steps[factor, done >= self.recipe.absolute]
            total += float(step(*pictures.batch(low[factor], factor, rng)))
            if not math.isfinite(total):
                raise ExportError(
                    f"training diverged in epoch {epoch + 1}, step {number}: the loss is not finite; "
                    "delete the folder and train with another --seed"
                )
            on_step(done, total / number)
        return total / max(number, 1)

    def _make_step(self, factor: int, *, is_squared: bool) -> Callable[..., tf.Tensor]:
        variables = self.network.variables_of(factor)
        sides = (None, self.recipe.patch_size, self.recipe.patch_size, 3)
        large = (None, *(factor * self.recipe.patch_size for _ in range(2)), 3)

        def step(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                made = self.network(
                    tf.cast(inputs, tf.float32), factor, compute=tf.as_dtype(self.recipe.compute)
                )
                error = made - tf.cast(targets, tf.float32)
                absolute = tf.reduce_mean(tf.abs(error))
                loss = (
                    tf.reduce_mean(tf.square(error)) / _TYPICAL_ERROR if is_squared else absolute
                ) / _WHITE
            self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return absolute

        signature = [tf.TensorSpec(sides, tf.uint8), tf.TensorSpec(large, tf.uint8)]
        compiled: Callable[..., tf.Tensor] = tf.function(step, autograph=False, input_signature=signature)
        return compiled


def measuring_tasks(photos: Sequence[Photo], factors: Sequence[int], degradation: str) -> list[Task]:
    """Return what a network is measured at; for one of worn pictures, photos are saved as JPEG before."""
    wear = None if degradation == "none" else partial(saved_as_jpeg, level=MEASURED_QUALITY)
    return [task for factor in factors for task in tasks(photos, factor, wear=wear)]


def enlarging(network: UpscalingNetwork) -> dict[int, Upscale]:
    """Return the network as functions of pictures uint8 [H, W, 3], by the factor."""
    return {factor: _enlarging(network, factor) for factor in network.factors}


def _enlarging(network: UpscalingNetwork, factor: int) -> Upscale:
    @tf.function(autograph=False, input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
    def enlarge(low: tf.Tensor) -> tf.Tensor:
        result = tf.clip_by_value(network(tf.cast(low, tf.float32), factor), 0.0, 255.0)
        return tf.cast(tf.round(result), tf.uint8)

    def upscale(low: Pixels) -> Pixels:
        result: Pixels = enlarge(tf.constant(low[None]))[0].numpy()
        return result

    return upscale
