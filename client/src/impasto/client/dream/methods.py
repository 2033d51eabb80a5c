"""What a client can do with a dream model."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

from PIL import Image

from impasto.client._calls import ModelRef
from impasto.client._driver import OnProgress, Runner
from impasto.client._prepared import Prepared
from impasto.client.dream.description import DreamDescription
from impasto.client.dream.job import describe_job
from impasto.client.dream.options import DreamKeywords
from impasto.client.dream.prepare import prepare_dream
from impasto.client.dream.progress import DreamProgress
from impasto.client.pictures import MAX_PIXELS, ImageSource
from impasto.client.signatures import DREAM

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing from Python 3.11 on


class DreamMethods(Runner):
    """The part of Client that dreams."""

    def describe_dream(
        self,
        *,
        model: str = DREAM.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> DreamDescription:
        """What the served dream model is: its network, weights, layers, suggestions and limits. Raises CallError."""
        ref = ModelRef(model, version, label)
        return self._run("dream", lambda: Prepared(describe_job(ref)), timeout)

    def dream(
        self,
        image: ImageSource,
        *,
        on_progress: OnProgress[DreamProgress] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        model: str = DREAM.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
        **options: Unpack[DreamKeywords],
    ) -> Image.Image:
        """Let a picture dream: change it so that layers of a network respond more strongly to it.

        The work is done in calls of about a second each, all by the version of the model that answers first. While
        the server is away or overloaded, a call is sent again, for as long as the setting `patience` says (5 minutes).

        Args:
            image: as for `upscale`.
            on_progress: called at the start, after each call, and with the result.
            checkpoint: a file that keeps how far the dream is. If it is there already, the dream goes on from it,
                with the model's version that it began with. It stays when the dream is done, and then gives the
                result at once: delete it when the result is safe.
            model: the model's name on the server.
            version: the newest if neither this nor `label` is given.
            label: such as `stable`.
            timeout: seconds for each call; the client's if None.
            max_pixels: the largest width times height that is read.
            **options: layers, octaves, octave_scale, steps, step_size, preserve_color, guide, tile and seed, as
                DreamOptions explains them. What is left out takes what the model suggests.

        Returns:
            The dream, of the picture's size; gray, transparent, with profile and resolution as the picture is.

        Raises:
            InvalidInput: an option is out of its range, or does not suit the model or the picture's size.
            CheckpointError: the checkpoint is damaged, or of another picture, model or other options.
            ImageError: the picture, or the guide, cannot be used.
            OutputError: the checkpoint cannot be written.
            OSError: a file cannot be opened.
            CallError: a call failed. ModelNotFound in the middle: the version is no longer served.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_dream(image, ref, options, checkpoint=checkpoint, max_pixels=max_pixels)

        return self._run("dream", prepare, timeout, on_progress)

    def dreaming(
        self,
        image: ImageSource,
        *,
        every: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        model: str = DREAM.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
        **options: Unpack[DreamKeywords],
    ) -> Generator[DreamProgress, None, Image.Image]:
        """As `dream`, step by step: iterate over it to run it, and stop where you like.

            for progress in client.dreaming("photo.jpg", layers=["mixed4"]):
                print(progress.octave, progress.step, progress.loss, progress.seconds_left)
            progress.preview().save("dream.png")

        Each progress can show the picture so far; the last one holds the result, which the generator returns as well.

        Args:
            image: as for `upscale`.
            every: yield a progress at each multiple of this many steps as well, counted over all octaves.
            checkpoint: as for `dream`, likewise the rest.
            model: see there.
            version: see there.
            label: see there.
            timeout: see there.
            max_pixels: see there.
            **options: see there.

        Raises:
            ImpastoError: as `dream`; at once where the picture, an unknown option or the checkpoint is the reason,
                else while iterating.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_dream(
                image, ref, options, checkpoint=checkpoint, max_pixels=max_pixels, every=every
            )

        return self._watch("dream", prepare, timeout)
