"""Trained networks, from the checkpoints of a training or from a published version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from impasto.client.errors import ImpastoError
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository
from impasto.export.training_folder import latest
from impasto.export.upscale import presets
from impasto.export.upscale.network import UpscalingNetwork


def load_network(folder: Path) -> tuple[UpscalingNetwork, dict[str, Any]]:
    """The network of a training's latest checkpoint, or of a published version, and the record of its training.

    Args:
        folder: the training's folder, or the directory of a version such as `models/upscaler-small/1`.

    Raises:
        ExportError: the folder holds neither.
    """
    if (folder / "saved_model.pb").exists():
        return _read_version(folder)
    checkpoint, record = latest(folder, command="upscaler train")
    network = UpscalingNetwork(presets.SIZES[record["recipe"]["size"]])
    state = new_state()
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


def new_state() -> dict[str, tf.Variable]:
    """Return what a checkpoint holds beside weights: the epochs, the part of the training that is done, its time."""
    state = {
        name: tf.Variable(0.0, trainable=False, dtype=tf.float64, name=name)
        for name in ("progress", "seconds", "cpu_seconds")
    }
    return {"epochs": tf.Variable(0, trainable=False, dtype=tf.int64, name="epochs"), **state}
