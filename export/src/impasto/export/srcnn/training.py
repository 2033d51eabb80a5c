"""Train SRCNN, epoch by epoch, so that a killed training goes on where it was."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.errors import ExportError
from impasto.export.srcnn.network import SRCNN, enlarge, upscaler_of
from impasto.export.srcnn.presets import INPUT_SIZE, MARGIN, SCALE, TARGET_SIZE, Preset
from impasto.export.training_folder import latest, open_folder
from impasto.export.upscale.evaluate import Score, mean_gain, score_photos
from impasto.export.upscale.pairs import flip_and_transpose
from impasto.export.upscale.photos import Photo, shrink
from impasto.export.upscale.served import ServedUpscaler

PixelT = TypeVar("PixelT", bound=np.generic)


@dataclass(frozen=True)
class Patches:
    """Aligned training pairs.

    Attributes:
        inputs: float32 [N, 33, 33, 3], the enlarged image, 0..255.
        targets: uint8 [N, 21, 21, 3], the original under the centre of each input.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.inputs)


def collect(photos: Iterable[Photo], preset: Preset, *, seed: int, on_photo: Callable[[], None]) -> Patches:
    """Cut patches from photos as the preset says.

    `preset.patches` are drawn evenly from the photos; `on_photo` is called after each photo.
    """
    rng = np.random.default_rng(seed)
    inputs: list[NDArray[np.float32]] = []
    targets: list[NDArray[np.uint8]] = []
    for photo in photos:
        found_inputs, found_targets = _cut(photo, preset.stride)
        if preset.hard_patches and len(found_inputs):
            centre = found_inputs[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
            errors = np.mean(np.square(centre - found_targets), axis=(1, 2, 3))
            chosen = np.flatnonzero(errors > np.median(errors))
            found_inputs, found_targets = found_inputs[chosen], found_targets[chosen]
        inputs.append(found_inputs)
        targets.append(found_targets)
        on_photo()
    if sum(map(len, inputs)) < preset.batch_size:
        raise ExportError(
            f"the photos give {sum(map(len, inputs))} patches of {INPUT_SIZE} pixels, fewer than one batch of "
            f"{preset.batch_size}; add photos or larger ones"
        )
    if preset.patches is not None:
        shares = _shares(inputs, preset.patches)
        picks = [rng.permutation(len(part))[:share] for part, share in zip(inputs, shares, strict=True)]
        inputs = [part[pick] for part, pick in zip(inputs, picks, strict=True)]
        targets = [part[pick] for part, pick in zip(targets, picks, strict=True)]
    return Patches(np.concatenate(inputs), np.concatenate(targets))


def _cut(photo: Photo, stride: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    low = shrink(photo.pixels, SCALE).astype(np.float32)
    enlarged = enlarge(low[None])[0].numpy()
    original = photo.pixels
    if min(enlarged.shape[:2]) < INPUT_SIZE:
        return np.empty((0, INPUT_SIZE, INPUT_SIZE, 3), np.float32), np.empty(
            (0, TARGET_SIZE, TARGET_SIZE, 3), np.uint8
        )
    inner = original[MARGIN : original.shape[0] - MARGIN, MARGIN : original.shape[1] - MARGIN]
    return _windows(enlarged, INPUT_SIZE, stride), _windows(inner, TARGET_SIZE, stride)


def _windows(image: NDArray[PixelT], size: int, stride: int) -> NDArray[PixelT]:
    """Every `stride`-th square of [H, W, 3], row by row: a contiguous [N, size, size, 3]."""
    rows, columns = ((side - size) // stride + 1 for side in image.shape[:2])
    squares = [
        image[y : y + size, x : x + size]
        for y in range(0, rows * stride, stride)
        for x in range(0, columns * stride, stride)
    ]
    return np.stack(squares)


def _shares(parts: list[NDArray[np.float32]], wanted: int) -> list[int]:
    """The number of patches to take from each photo, as evenly as their number allows."""
    shares = [0] * len(parts)
    remaining = min(wanted, sum(map(len, parts)))
    # Smallest photos first: what they lack is spread over the larger ones.
    for position, index in enumerate(sorted(range(len(parts)), key=lambda i: len(parts[i]))):
        shares[index] = min(len(parts[index]), remaining // (len(parts) - position))
        remaining -= shares[index]
    return shares


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch.

    Attributes:
        number: counted from 1.
        loss: mean squared error over the epoch, in units of `pixel_scale` squared.
        scores: PSNR of every held-out photo after the epoch.
    """

    number: int
    loss: float
    scores: Sequence[Score]

    @property
    def gain(self) -> float:
        """Mean gain over bicubic on the held-out photos in dB, RGB; NaN without such photos that can be measured."""
        return mean_gain(self.scores)


class Trainer:
    """One training run in a checkpoint folder.

    Args:
        folder: where checkpoints and the record of the run are kept; an unfinished run there is continued.
        preset: the recipe.
        data: the photos that the patches were cut from, recorded for the manifest: see `describe_photos`.
        epochs: overrides the recipe's number of epochs.
        seed: the seed of the weights and of the order of patches.

    Raises:
        ExportError: the folder holds a run with another recipe.
    """

    def __init__(
        self,
        folder: Path,
        preset: Preset,
        *,
        data: Sequence[Mapping[str, str]],
        epochs: int | None = None,
        seed: int = 0,
    ) -> None:
        self.folder = folder
        self.data = [dict(photo) for photo in data]
        self.preset = preset if epochs is None else replace(preset, epochs=epochs)
        self.seed = seed
        self.network = make_network(preset, seed=seed)
        self.finished_epochs = tf.Variable(0, trainable=False, dtype=tf.int64, name="finished_epochs")

    def run(
        self,
        patches: Patches,
        held_out: Sequence[Photo],
        *,
        on_step: Callable[[int, int, float], None],
        on_epoch: Callable[[Epoch], None],
    ) -> None:
        """Train until the recipe's last epoch.

        Args:
            patches: the training pairs.
            held_out: photos to measure after each epoch; none of them may be among the training photos.
            on_step: called with the number of finished steps, of all steps and the running loss.
            on_epoch: called after each epoch, once its checkpoint is on disk.
        """
        steps_per_epoch = len(patches) // self.preset.batch_size
        total = steps_per_epoch * self.preset.epochs
        self._open_folder(patches)
        optimizer = self._make_optimizer(total)
        checkpoint = tf.train.Checkpoint(
            network=self.network, optimizer=optimizer, finished_epochs=self.finished_epochs
        )
        manager = tf.train.CheckpointManager(checkpoint, str(self.folder), max_to_keep=2)
        if manager.latest_checkpoint is not None:
            checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
        step = self._make_step(optimizer)
        for epoch in range(int(self.finished_epochs), self.preset.epochs):
            # The order depends on the epoch alone, so a resumed run sees what an undisturbed one sees.
            rng = np.random.default_rng((self.seed, epoch))
            order = rng.permutation(len(patches))
            loss_sum = 0.0
            for index in range(steps_per_epoch):
                chosen = order[index * self.preset.batch_size : (index + 1) * self.preset.batch_size]
                inputs, targets = patches.inputs[chosen], patches.targets[chosen].astype(np.float32)
                if self.preset.flips:
                    inputs, targets = flip_and_transpose(inputs, targets, rng.random(3) < 0.5)
                loss_sum += float(step(inputs, targets))
                if not math.isfinite(loss_sum):
                    raise ExportError(
                        f"training diverged in epoch {epoch + 1}, step {index + 1}: the loss is not finite; "
                        "use --preset residual or a smaller learning rate"
                    )
                on_step(epoch * steps_per_epoch + index + 1, total, loss_sum / (index + 1))
            self.finished_epochs.assign(epoch + 1)
            manager.save(checkpoint_number=epoch + 1)
            scores = score_photos(held_out, ServedUpscaler(upscaler_of(self.network)).upscale)
            on_epoch(Epoch(epoch + 1, loss_sum / steps_per_epoch, scores))

    def _make_optimizer(self, total_steps: int) -> tf.keras.optimizers.Optimizer:
        rate: object = self.preset.learning_rate
        if self.preset.cosine_decay:
            rate = tf.keras.optimizers.schedules.CosineDecay(self.preset.learning_rate, total_steps)
        optimizer = tf.keras.optimizers.Adam(rate)
        optimizer.build(self.network.trainable_variables)  # a restore fills only slots that exist
        return optimizer

    def _make_step(self, optimizer: tf.keras.optimizers.Optimizer) -> Callable[..., tf.Tensor]:
        variables = self.network.trainable_variables

        def step(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                error = (self.network(inputs) - targets) / self.network.pixel_scale
                loss = tf.reduce_mean(tf.square(error))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        compiled: Callable[..., tf.Tensor] = tf.function(step, autograph=False, reduce_retracing=True)
        return compiled

    def _open_folder(self, patches: Patches) -> None:
        digest = hashlib.sha256(patches.targets.tobytes()).hexdigest()
        config = {
            "preset": self.preset.as_dict(),
            "seed": self.seed,
            "patches": len(patches),
            "patches_sha256": digest,
            "photos": self.data,
        }
        open_folder(self.folder, config, differing="preset, seed, number of epochs or other photos")


def make_network(preset: Preset, *, seed: int = 0) -> SRCNN:
    """The untrained network of a recipe."""
    return SRCNN(
        residual=preset.residual, pixel_scale=preset.pixel_scale, pixel_mean=preset.pixel_mean, seed=seed
    )


def load_network(folder: Path) -> tuple[SRCNN, dict[str, object], int]:
    """The network of the latest checkpoint in `folder`, its training record and its number of finished epochs.

    Raises:
        ExportError: the folder holds no checkpoint.
    """
    checkpoint, record = latest(folder, command="srcnn train")
    network = make_network(Preset(**record["preset"]))
    finished = tf.Variable(0, trainable=False, dtype=tf.int64, name="finished_epochs")
    tf.train.Checkpoint(network=network, finished_epochs=finished).restore(checkpoint).expect_partial()
    return network, record, int(finished)


def read_network(version: Path, training: object) -> SRCNN:
    """The network of a published version.

    Args:
        version: the directory of the version.
        training: the record of its training in the manifest.

    Raises:
        ExportError: it is no version that this exporter wrote.
    """
    try:
        network = make_network(Preset(**training["preset"]))  # type: ignore[index]
        variables = tf.train.Checkpoint(network=network).read(str(version / "variables" / "variables"))
        variables.assert_existing_objects_matched()
    except (TypeError, KeyError, ValueError, AssertionError, tf.errors.OpError) as error:
        raise ExportError(
            f"{version} does not hold a network of `impasto-export srcnn save` ({error}); name another version"
        ) from error
    return network
