"""From what a caller gives to a transfer that is ready to run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PIL import Image

from impasto.client._calls import ModelRef
from impasto.client._prepared import Prepared
from impasto.client.checkpoint import CheckpointFile
from impasto.client.pictures import ImageSource
from impasto.client.transfer.job import transfer_job
from impasto.client.transfer.materials import read_materials
from impasto.client.transfer.options import TransferKeywords, TransferOptions


def prepare_transfer(
    content: ImageSource,
    style: ImageSource | Sequence[ImageSource],
    ref: ModelRef,
    options: TransferKeywords,
    *,
    checkpoint: str | os.PathLike[str] | None,
    max_pixels: int,
    every: int | None = None,
) -> Prepared[Image.Image]:
    """A transfer, or what is left of it by the checkpoint. Arguments and errors as of `Client.transferring`."""
    chosen = TransferOptions(**options)
    file = None if checkpoint is None else CheckpointFile(checkpoint)
    job = transfer_job(
        read_materials(content, style, chosen, model=ref.name, max_pixels=max_pixels),
        ref,
        chosen,
        resume=None if file is None else file.read(),
        every=every,
    )
    return Prepared(job, file)
