"""What an asynchronous client can do with a transfer model."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from PIL import Image

from impasto.client._async_driver import AsyncRunner
from impasto.client._calls import ModelRef
from impasto.client._driver import OnProgress
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


class AsyncTransferMethods(AsyncRunner):
    """The part of AsyncClient that paints by optimisation."""

    async def describe_transfer(
        self,
        *,
        model: str = TRANSFER.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> TransferDescription:
        """What the served transfer model is: `Client.describe_transfer`, awaited."""
        ref = ModelRef(model, version, label)
        return await self._run("transfer", lambda: Prepared(describe_job(ref)), timeout)

    async def transfer(
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
        """Paint a picture in the style of another by optimising its pixels: `Client.transfer`, awaited."""
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_transfer(
                content, style, ref, options, checkpoint=checkpoint, max_pixels=max_pixels
            )

        return await self._run("transfer", prepare, timeout, on_progress)

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
    ) -> AsyncGenerator[TransferProgress, None]:
        """As `transfer`, step by step: `Client.transferring`, to be iterated over with `async for`.

        The last progress holds the result. Whoever stops before should close the generator (`contextlib.aclosing`).
        What is wrong with an argument is raised as the iteration begins.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_transfer(
                content, style, ref, options, checkpoint=checkpoint, max_pixels=max_pixels, every=every
            )

        return self._watch("transfer", prepare, timeout)
