"""What a client can do with a transfer model."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from PIL import Image

from impasto.client._calls import ModelRef
from impasto.client._driver import OnProgress, Runner
from impasto.client._prepared import Prepared
from impasto.client.pictures import MAX_PIXELS, ImageSource
from impasto.client.signatures import TRANSFER
from impasto.client.transfer.description import TransferDescription
from impasto.client.transfer.job import describe_job
from impasto.client.transfer.options import TransferKeywords
from impasto.client.transfer.prepare import prepare_transfer
from impasto.client.transfer.progress import TransferProgress

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing from Python 3.11 on


class TransferMethods(Runner):
    """The part of Client that paints by optimisation."""

    def describe_transfer(
        self,
        *,
        model: str = TRANSFER.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> TransferDescription:
        """What the served transfer model is: network, weights, layers, suggestions and limits. Raises CallError."""
        ref = ModelRef(model, version, label)
        return self._run("transfer", lambda: Prepared(describe_job(ref)), timeout)

    def transfer(
        self,
        content: ImageSource,
        style: ImageSource | Sequence[ImageSource],
        *,
        on_progress: OnProgress[TransferProgress] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        model: str = TRANSFER.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
        **options: Unpack[TransferKeywords],
    ) -> Image.Image:
        """Paint a picture in the style of another by optimising its pixels (Gatys et al.).

            client.transfer("photo.jpg", "painting.jpg", epochs=10, steps_per_epoch=100)
            client.transfer("photo.jpg", ["waves.jpg", "stars.jpg"], weights=[2, 1], pyramid=3, epochs=3)

        That takes minutes where `stylize` takes seconds, and paints in more detail. The work is done in calls of about
        a second each, all by the version of the model that answers first. While the server is away or overloaded, a
        call is sent again, for as long as the setting `patience` says (5 minutes).

        Args:
            content: the picture to paint, as for `upscale`.
            style: the picture to paint like, likewise; or a list of several, which are mixed.
            on_progress: called at the start, after each call, and with the result.
            checkpoint: a file that keeps how far the painting is. If it is there already, the job goes on from it,
                with the model's version that it began with. It stays when the job is done, and then gives the result
                at once: delete it when the result is safe.
            model: the model's name on the server.
            version: the newest if neither this nor `label` is given.
            label: such as `stable`.
            timeout: seconds for each call; the client's if None.
            max_pixels: the largest width times height that is read.
            **options: epochs (10), steps_per_epoch (100), weights (of the styles), style_scale, style_weight,
                content_weight, total_variation_weight, style_layers, content_layers, learning_rate, max_side (512),
                pyramid, start, seed, mask, preserve_color and keep_size, as TransferOptions explains them.

        Returns:
            An image of the content's size (or, without keep_size, of the size in which it was painted), of mode RGB,
            or RGBA if the content had transparency; gray stays gray where colours are kept. The colour profile and
            the resolution are carried over.

        Raises:
            InvalidInput: no style, or an option is out of its range or does not suit the model or the pictures.
            CheckpointError: the checkpoint is damaged, or of other pictures, another model or other options.
            ImageError: a picture cannot be used.
            OutputError: the checkpoint cannot be written.
            OSError: a file cannot be opened.
            CallError: a call failed. ModelNotFound in the middle: the version is no longer served.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_transfer(
                content, style, ref, options, checkpoint=checkpoint, max_pixels=max_pixels
            )

        return self._run("transfer", prepare, timeout, on_progress)

    def transferring(
        self,
        content: ImageSource,
        style: ImageSource | Sequence[ImageSource],
        *,
        every: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        model: str = TRANSFER.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
        **options: Unpack[TransferKeywords],
    ) -> Generator[TransferProgress, None, Image.Image]:
        """As `transfer`, step by step: iterate over it to run it, and stop where you like.

            for progress in client.transferring("photo.jpg", "painting.jpg", every=100):
                print(progress.epoch, progress.style_loss, progress.content_loss, progress.seconds_left)
            progress.preview().save("painted.png")

        Each progress can show the picture so far; the last one holds the result, which the generator returns as well.

        Args:
            content: as for `transfer`.
            style: as for `transfer`.
            every: yield a progress at each multiple of this many steps as well, counted over all sizes.
            checkpoint: as for `transfer`, likewise the rest.
            model: see there.
            version: see there.
            label: see there.
            timeout: see there.
            max_pixels: see there.
            **options: see there.

        Raises:
            ImpastoError: as `transfer`; at once where a picture, an unknown option or the checkpoint is the reason,
                else while iterating.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_transfer(
                content, style, ref, options, checkpoint=checkpoint, max_pixels=max_pixels, every=every
            )

        return self._watch("transfer", prepare, timeout)
