"""What an asynchronous client can do with a dream model."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from PIL import Image

from impasto.client._async_driver import AsyncRunner
from impasto.client._calls import ModelRef
from impasto.client._driver import OnProgress
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


class AsyncDreamMethods(AsyncRunner):
    """The part of AsyncClient that dreams."""

    async def describe_dream(
        self,
        *,
        model: str = DREAM.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> DreamDescription:
        """What the served dream model is: `Client.describe_dream`, awaited."""
        ref = ModelRef(model, version, label)
        return await self._run("dream", lambda: Prepared(describe_job(ref)), timeout)

    async def dream(
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
        """Let a picture dream: `Client.dream`, awaited."""
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_dream(image, ref, options, checkpoint=checkpoint, max_pixels=max_pixels)

        return await self._run("dream", prepare, timeout, on_progress)

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
    ) -> AsyncGenerator[DreamProgress, None]:
        """As `dream`, step by step: `Client.dreaming`, to be iterated over with `async for`.

        The last progress holds the result. Whoever stops before should close the generator (`contextlib.aclosing`).
        What is wrong with an argument is raised as the iteration begins.
        """
        ref = ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_dream(
                image, ref, options, checkpoint=checkpoint, max_pixels=max_pixels, every=every
            )

        return self._watch("dream", prepare, timeout)
