"""From what a caller gives to a dream that is ready to run."""

from __future__ import annotations

import os

from PIL import Image

from impasto.client._calls import ModelRef
from impasto.client._prepared import Prepared
from impasto.client.checkpoint import CheckpointFile
from impasto.client.dream.job import dream_job
from impasto.client.dream.options import DreamKeywords, DreamOptions
from impasto.client.pictures import ImageSource, read_picture


def prepare_dream(
    image: ImageSource,
    ref: ModelRef,
    options: DreamKeywords,
    *,
    checkpoint: str | os.PathLike[str] | None,
    max_pixels: int,
    every: int | None = None,
) -> Prepared[Image.Image]:
    """A dream, or what is left of it by the checkpoint. Arguments and errors as of `Client.dreaming`."""
    chosen = DreamOptions(**options)
    file = None if checkpoint is None else CheckpointFile(checkpoint)
    job = dream_job(
        read_picture(image, max_pixels=max_pixels),
        ref,
        chosen,
        resume=None if file is None else file.read(),
        every=every,
        max_pixels=max_pixels,
    )
    return Prepared(job, file)
