"""The work of a job: the client runs it, and its record hears how far it is. A bench of models is one, too."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from PIL import Image

from impasto.client import (
    AsyncClient,
    Dream,
    DreamProgress,
    ImpastoError,
    Job,
    LongJob,
    LongProgress,
    Progress,
    Stylize,
    Transfer,
    Upscale,
    Waiting,
    signatures,
)
from impasto.client._transport.asynchronous import in_thread
from impasto.client.pictures import encode_picture
from impasto.client.repository.contract import contract_of
from impasto.client.studio import forms
from impasto.client.studio.pictures import Kept, jpeg, with_note
from impasto.client.studio.queue import Limits
from impasto.client.studio.records import Record
from impasto.client.studio.refusals import words_of
from impasto.client.studio.served import Served

log: Final = logging.getLogger(__name__)

_PREVIEW_SIDE: Final = 1600
_PREVIEW_PAUSE: Final = 0.1
_STRIP_SIDE: Final = 512
_BENCH_SIDE: Final = 256
_BENCH_STEPS: Final = 5

_current: ContextVar[Record | None] = ContextVar("studio_job", default=None)


class Workshop:
    """Runs jobs with a client.

    Args:
        client: of the model server; its `on_wait` is this one's `on_wait`.
        served: what the model server serves.
        limits: of pictures.
        find: the picture of an id, as the person of a job sees it; raises Refusal.
        paintings: the examples that a strip shows.
        tell: is called whenever a job has changed.
    """

    def __init__(
        self,
        client: AsyncClient,
        served: Served,
        limits: Limits,
        *,
        find: Callable[[Record, str], Kept],
        paintings: list[Kept],
        tell: Callable[[Record], None],
    ) -> None:
        self._client = client
        self._served = served
        self._limits = limits
        self._find = find
        self._paintings = paintings
        self._tell = tell

    def on_wait(self, waiting: Waiting | None) -> None:
        """Tell those who watch a job that it waits for the model server, or goes on."""
        record = _current.get()
        if record is None:
            return
        record.note = None if waiting is None else _words_of_wait(waiting)
        self._tell(record)

    async def run(self, record: Record) -> None:
        """Run a job until it is done, fails, or is stopped by a cancel; the picture so far is kept then."""
        _current.set(record)
        began = time.monotonic()
        before = record.seconds
        record.state, record.error, record.note, record.ended = "running", None, None, None
        self._tell(record)
        try:
            await self._work(record)
        except asyncio.CancelledError:
            await self._keep_so_far(record)
            record.state = "stopped"
        except Exception as error:  # whatever it is, those who watch must hear of it
            if words_of(error).startswith("Something"):
                log.exception("job %s failed", record.id)
            await self._keep_so_far(record)
            record.state, record.error = "failed", words_of(error)
        else:
            record.state = "done"
            record.checkpoint_path.unlink(missing_ok=True)
        record.note = None
        record.seconds_left = None
        record.seconds = before + time.monotonic() - began
        record.last = None
        self._tell(record)

    async def _work(self, record: Record) -> None:
        record.folder.mkdir(exist_ok=True)
        if record.request.kind == forms.STRIP:
            await self._strip(record)
        elif record.request.kind == forms.BENCH:
            await self._bench(record)
        else:
            job = await in_thread(lambda: self._job(record))
            if isinstance(job, LongJob):
                await self._run_long(record, job)
            else:
                await self._run_short(record, job)

    def _job(self, record: Record) -> Job[Any, Any]:
        """Return the job with its pictures read. Raises Refusal, ImageError, OSError."""
        values = forms.with_pictures(
            record.request.fields,
            lambda identity: self._find(record, identity).read(max_pixels=self._limits.max_pixels),
        )
        return forms.job_of(record.request.kind, values)

    async def _run_long(self, record: Record, job: LongJob[Any]) -> None:
        shown = 0.0
        async with aclosing(self._client.iterate(job, checkpoint=record.checkpoint_path)) as steps:
            async for step in steps:
                progress = record.last = cast("LongProgress", step)
                _note_progress(record, progress)
                if time.monotonic() - shown >= _PREVIEW_PAUSE:
                    record.preview = await in_thread(partial(_preview, progress))
                    record.previews += 1
                    shown = time.monotonic()
                self._tell(record)
        assert record.last is not None
        await self._write(record, record.last.preview)

    async def _run_short(self, record: Record, job: Job[Any, Any]) -> None:
        def show(progress: Progress) -> None:
            record.step, record.steps = progress.done, progress.total
            record.version = progress.version or record.version
            self._tell(record)

        image = await self._client.run(job, on_progress=show)
        await self._write(record, lambda: image)

    async def _strip(self, record: Record) -> None:
        fields = record.request.fields

        def photo() -> Image.Image:
            picture = self._find(record, fields["content"]).read(max_pixels=self._limits.max_pixels)
            image = picture.rebuild(picture.rgb)
            image.thumbnail((_STRIP_SIDE, _STRIP_SIDE), Image.Resampling.LANCZOS)
            return image

        content = await in_thread(photo)
        record.steps = len(self._paintings)
        record.strip.clear()
        for number, painting in enumerate(self._paintings):
            values = {**fields, "content": content, "style": painting.path.read_bytes()}
            image = await self._client.run(forms.job_of("stylize", values))
            await in_thread(partial(_write_jpeg, record.strip_path(number), image))
            url = f"/api/jobs/{record.id}/strip/{number}"
            record.strip = [*record.strip, {"name": painting.name, "url": url, "painting": painting.id}]
            record.step = number + 1
            self._tell(record)

    async def _bench(self, record: Record) -> None:
        named = record.request.fields.get("model")
        models = (
            [named] if named else [model["name"] for model in await self._served.models() if model["healthy"]]
        )
        record.steps, record.bench = len(models), []
        for number, model in enumerate(models):
            record.bench = [
                *record.bench,
                await _measure_bench(self._client, model, self._served.factor(model)),
            ]
            record.step = number + 1
            self._tell(record)

    async def _keep_so_far(self, record: Record) -> None:
        """Make a result of the last progress of a job that ends early; without one there is none."""
        last = record.last
        if last is None or last.done == 0:
            return
        try:
            await self._write(record, last.preview)
        except Exception:  # the job has ended for another reason, which is told
            log.exception("the picture so far of job %s cannot be kept", record.id)

    async def _write(self, record: Record, image: Callable[[], Image.Image]) -> None:
        def write() -> tuple[int, int]:
            made = image()
            png = with_note(encode_picture(made, ".png"), _note(record))
            aside = record.result_path.with_suffix(".part")
            aside.write_bytes(png)
            aside.replace(record.result_path)
            return made.size

        record.result = await in_thread(write)


def _preview(progress: LongProgress) -> bytes:
    return jpeg(progress.preview(), _PREVIEW_SIDE)


def _write_jpeg(path: Path, image: Image.Image) -> None:
    path.write_bytes(jpeg(image, _STRIP_SIDE))


def _note_progress(record: Record, progress: Any) -> None:
    record.step, record.steps = progress.done, progress.total
    record.seconds_left = progress.seconds_left
    record.version = progress.version or record.version
    losses: Mapping[str, float | None]
    if isinstance(progress, DreamProgress):
        losses = {"loss": progress.loss}
    else:
        losses = {"content": progress.content_loss, "style": progress.style_loss}
    record.add_losses(losses)


def _note(record: Record) -> dict[str, Any]:
    """Return what the result's file tells of its making: enough to make it again."""
    job = record.request.job
    assert job is not None
    unfinished = {} if record.step == record.steps else {"step": record.step, "steps": record.steps}
    return {
        "kind": record.request.kind,
        "job": job.to_json(),
        "model_version": record.version,
        **unfinished,
    }


def _words_of_wait(waiting: Waiting) -> str:
    left = max(0, round((waiting.patience - waiting.seconds) / 60))
    until = f"for {left} more minutes" if left > 1 else "for a minute or less"
    return f"The model server {waiting.why}; the job waits for it, {until}."


async def _measure_bench(client: AsyncClient, model: str, factor: int | None) -> dict[str, Any]:
    """Return the figures of a model: its name, what was done, the seconds that it took, or the error.

    Args:
        client: of the server.
        model: the model's name.
        factor: of an upscaler, the one that is measured; None for its first.
    """
    what = ""
    try:
        job, what = await _bench_job(client, model, factor)
        await client.run(job)  # the first call builds what the later ones use
        began = time.perf_counter()
        await client.run(job)
        seconds = time.perf_counter() - began
    except ImpastoError as error:
        return {"model": model, "what": what, "seconds": None, "error": words_of(error)}
    return {"model": model, "what": what, "seconds": round(seconds, 4), "error": None}


async def _bench_job(client: AsyncClient, model: str, factor: int | None) -> tuple[Job[Any, Any], str]:
    contract = signatures.MODELS.get(model) or contract_of(model, (await client.metadata(model)).signatures)
    name = None if contract is None else contract.name
    picture = np.random.default_rng(0).integers(0, 256, (_BENCH_SIDE, _BENCH_SIDE, 3), np.uint8)
    photo = f"a photo of {_BENCH_SIDE} \N{MULTIPLICATION SIGN} {_BENCH_SIDE}"
    if name == signatures.UPSCALE.name:
        by = "" if factor is None else f", factor {factor}"
        return Upscale(picture, factor=factor, model=model), f"{photo}{by}"
    if name == signatures.STYLIZE.name:
        return Stylize(picture, picture[::-1], model=model), f"{photo}, one painting"
    if name == signatures.DREAM.name:
        return Dream(picture, steps=_BENCH_STEPS, octaves=[0], model=model), f"{photo}, {_BENCH_STEPS} steps"
    if name == signatures.TRANSFER.name:
        job = Transfer(picture, picture[::-1], epochs=1, steps_per_epoch=_BENCH_STEPS, model=model)
        return job, f"{photo}, {_BENCH_STEPS} steps"
    raise ImpastoError(f"{model} is none of Impasto's kinds of models, so there is no picture for it")
