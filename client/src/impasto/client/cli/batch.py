"""The pictures of a run: one after the other is made, written and recorded, and in the end reported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from impasto.client import AsyncClient, ImageSource, Model, Progress, errors
from impasto.client._transport.asynchronous import in_thread
from impasto.client.cli.bars import PictureBars
from impasto.client.cli.files import Moving, Pipe, Result, check_result, name_of, suffix_of, write_result
from impasto.client.cli.frames import Frames, Taken, as_json, every_frame
from impasto.client.cli.pairs import Pair
from impasto.client.cli.picture_options import Pictures
from impasto.client.cli.resuming import Ledger
from impasto.client.cli.sources import LeftOut
from impasto.client.pictures import WRITTEN_IN_ROWS, Animation, Picture, RowFile, RowSink

Work = Callable[[AsyncClient, ImageSource, Model, Callable[[Progress], None]], Awaitable[Image.Image]]
"""Makes the result of one picture by a model and reports how far it is."""

RowWork = Callable[
    [AsyncClient, Picture, Model, RowSink, Callable[[Progress], None]], Awaitable[tuple[int, int]]
]
"""Makes the result of one picture as `Work` does, passes on its rows while they come, and returns its size."""


@dataclass
class Batch:
    """The pictures of a run, and what became of them.

    `written` is filled by several threads, each as soon as its file is there, so that a run which ends early forgets
    none that stands behind an unfinished one.
    """

    pairs: Sequence[Pair]
    skipped: Sequence[Pair]
    left_out: Sequence[LeftOut]
    work: Work
    model: Model
    bars: PictureBars
    ledger: Ledger
    frames: Frames
    pictures: Pictures
    rows: RowWork | None
    written: dict[Pair, dict[str, Any]] = field(default_factory=dict, init=False)
    failed: list[dict[str, Any]] = field(default_factory=list, init=False)
    notes: dict[Pair, str] = field(default_factory=dict, init=False)

    def task(self, pair: Pair, source: ImageSource) -> Callable[[AsyncClient], Awaitable[Result | None]]:
        """Return what makes one result and writes it to its file, or gives it back if it is for a pipe."""
        overwrite = self.pictures.overwrite or self.pictures.resume

        async def do(client: AsyncClient) -> Result | None:
            started = time.monotonic()
            moving = self.frames.may_keep_all(pair.output)
            check_result(pair.output, overwrite=overwrite, as_json=False, moving=moving)
            await in_thread(lambda: self.ledger.begin(pair))
            taken = await in_thread(lambda: self.frames.read(source, pair.output))
            words = self.frames.words(taken, source)
            if words is not None:
                self.bars.message(f"impasto: {name_of(pair.source)}: {words}")
            if isinstance(taken, Animation):
                result: Result = await self._every_frame(client, pair, taken)
            else:
                check_result(pair.output, overwrite=overwrite, as_json=False)
                in_rows = isinstance(pair.output, Path) and suffix_of(pair.output) in WRITTEN_IN_ROWS
                if self.rows is not None and in_rows:
                    await self._in_rows(client, pair, taken, self.rows, started)
                    return None
                with self.bars.picture(pair.source.name) as show:
                    watch = self.ledger.watch(pair, self._noting(pair, show))
                    result = await self.work(client, taken, self.model, watch)
            if isinstance(pair.output, Pipe):
                return result

            def write() -> None:
                write_result(pair.output, result, overwrite=overwrite, writing=self.pictures.writing)
                self._record(pair, taken, result.size, started)

            await in_thread(write)
            return None

        return do

    def _noting(self, pair: Pair, show: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """Return `show`, which then keeps what a picture's progress notes, too."""

        def noting(progress: Progress) -> None:
            if progress.note:
                self.notes[pair] = progress.note
            show(progress)

        return noting

    async def _in_rows(
        self, client: AsyncClient, pair: Pair, taken: Picture, work: RowWork, started: float
    ) -> None:
        assert isinstance(pair.output, Path)
        overwrite = self.pictures.overwrite or self.pictures.resume
        options = self.pictures.writing.options(suffix_of(pair.output))
        with ExitStack() as stack:
            file = stack.enter_context(RowFile(pair.output, overwrite=overwrite, **options))
            with self.bars.picture(pair.source.name) as show:
                watch = self.ledger.watch(pair, self._noting(pair, show))
                size = await work(client, taken, self.model, file, watch)

            def write() -> None:
                stack.close()
                self._record(pair, taken, size, started)

            await in_thread(write)

    def _record(self, pair: Pair, taken: Taken, size: tuple[int, int], started: float) -> None:
        """Keep what became of a pair in the thread that wrote it: a task that is cancelled meanwhile has written it."""
        self.ledger.record(pair)
        self.written[pair] = {
            **_names(pair),
            **as_json(taken),
            **({"note": self.notes[pair]} if pair in self.notes else {}),
            "width": size[0],
            "height": size[1],
            "seconds": round(time.monotonic() - started, 3),
        }

    async def _every_frame(self, client: AsyncClient, pair: Pair, animation: Animation) -> Moving:
        model = self.model

        def pin(progress: Progress) -> None:
            """Have the version that makes the first frame make them all."""
            nonlocal model
            if progress.version:
                model = Model(model.name, version=progress.version)

        async def work(client: AsyncClient, frame: Picture) -> Image.Image:
            return await self.work(client, frame, model, self.ledger.watch(pair, self._noting(pair, pin)))

        # As many frames are under way at once as there may be pictures in all.
        concurrency = max(1, self.pictures.concurrency // len(self.pairs))
        with self.bars.picture(pair.source.name, unit="frames") as show:
            while True:
                try:
                    return await every_frame(client, animation, work, show, concurrency=concurrency)
                except errors.ModelNotFound:
                    if model == self.model:
                        raise
                    # The version was unloaded meanwhile: the next one makes them all.
                    model = self.model
                    self.ledger.forget(pair)

    def fail(self, pair: Pair, error: errors.ImpastoError | OSError) -> None:
        """Say what is wrong with a picture, naming it once."""
        if isinstance(error, errors.ImpastoError) and not isinstance(error, errors.CallError):
            message = str(error)  # a picture's own errors name the file
        else:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            message = f"{name_of(pair.source)}: {reason}"
        self.bars.message(f"impasto: {message}")
        self.failed.append({"input": str(pair.source), "error": type(error).__name__, "message": message})

    def report(self) -> dict[str, Any]:
        """Return what became of the pictures, as JSON values."""
        done = [self.written[pair] for pair in self.pairs if pair in self.written]
        return {
            "done": done,
            "skipped": [_names(pair) for pair in self.skipped],
            "failed": self.failed,
            "left_out": [{"input": str(file.path), "reason": file.reason} for file in self.left_out],
        }

    def lines_on_notes(self) -> list[str]:
        """Return a line for each way in which pictures were done otherwise than asked for."""
        counts = Counter(self.notes[pair] for pair in self.pairs if pair in self.notes)
        return [
            f"{count} of {self.total} pictures {note}" if self.total > 1 else f"done {note}"
            for note, count in counts.items()
        ]

    @property
    def total(self) -> int:
        """The number of files that the person pointed at."""
        return len(self.pairs) + len(self.skipped) + len(self.left_out)

    def summary(self) -> str:
        """Return a line with the numbers of files."""
        left = len(self.pairs) - len(self.written) - len(self.failed)
        parts = [f"{len(self.written)} of {self.total} {'files' if self.left_out else 'pictures'} done"]
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"{left} not done"] if left else []
        parts += [f"{len(self.left_out)} left out"] if self.left_out else []
        return ", ".join(parts)


def _names(pair: Pair) -> dict[str, Any]:
    return {"input": str(pair.source), "output": str(pair.output)}
