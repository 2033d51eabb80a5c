"""The folder of a training: TensorFlow's checkpoints, and beside them the record of what is being trained on what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from impasto.client.pictures import write_bytes
from impasto.export.errors import ExportError

_RECORD: Final = "training.json"


def open_folder(folder: Path, record: Mapping[str, Any], *, differing: str) -> None:
    """Make the folder and write the record; a folder that has one must hold the same training.

    Args:
        folder: the training's folder.
        record: the recipe and whatever else decides what comes out, as JSON has it.
        differing: what may differ in another training, for the message.

    Raises:
        ExportError: the folder holds another training.
    """
    path = folder / _RECORD
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != record:
            raise ExportError(
                f"{folder} holds a training with another {differing}; "
                "name an empty folder with --checkpoint, or repeat the first call to continue it"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (json.dumps(record, indent=2, allow_nan=False) + "\n").encode(), overwrite=True)


def latest(folder: Path, *, command: str) -> tuple[str, dict[str, Any]]:
    """Return the path of the latest checkpoint in a folder, and the record.

    Args:
        folder: the training's folder.
        command: the command that trains, for the message.

    Raises:
        ExportError: there is none.
    """
    path = folder / _RECORD
    checkpoint: str | None = tf.train.latest_checkpoint(str(folder))
    if checkpoint is None or not path.exists():
        raise ExportError(f"no training checkpoint in {folder}; run `impasto-export {command}` first")
    return checkpoint, json.loads(path.read_text(encoding="utf-8"))
