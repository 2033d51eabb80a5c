"""The runner of many pictures: make results, several at once, write and record them, show how far they are, report.

One bad picture does not stop the rest. `long_jobs` has the runner of one result that grows for minutes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL import Image

from impasto.client import AsyncClient, Client, ImageSource, Job, Model, Progress, errors
from impasto.client._transport.asynchronous import in_thread
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import PictureBars
from impasto.client.cli.files import (
    Pipe,
    Result,
    check_result,
    make_folder,
    name_of,
    read_input,
    suffix_of,
    write_result,
)
from impasto.client.cli.frames import Frames, Taken, as_json, every_frame, frames_of
from impasto.client.cli.options import Common, Pictures
from impasto.client.cli.output import print_json
from impasto.client.cli.pairs import LeftOut, Pair, Plan, lines_on_left_out, tell_repeated
from impasto.client.cli.resuming import Ledger, Recipe
from impasto.client.pictures import WRITTEN_IN_ROWS, Animation, Picture, RowFile, RowSink

Work = Callable[[AsyncClient, ImageSource, Model, Callable[[Progress], None]], Awaitable[Image.Image]]
"""Makes the result of one picture by a model and reports how far it is."""

_RowWork = Callable[
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
    rows: _RowWork | None
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
        self, client: AsyncClient, pair: Pair, taken: Picture, work: _RowWork, started: float
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

    async def _every_frame(
        self, client: AsyncClient, pair: Pair, animation: Animation[Picture]
    ) -> Animation[Image.Image]:
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


# What goes wrong the same way for every picture: stop at once.
_HOPELESS: Final = (
    errors.ServerUnavailable,
    errors.TlsError,
    errors.ModelNotFound,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.CallUnsupported,
    errors.NotBatchable,
)


def running(job: Callable[[ImageSource, Model], Job[Image.Image, Any]]) -> Work:
    """Return the work that runs, for each picture, the job that `job` makes of it."""

    async def work(
        client: AsyncClient, source: ImageSource, model: Model, show: Callable[[Progress], None]
    ) -> Image.Image:
        return await client.run(job(source, model), on_progress=show)

    return work


def run_pictures(
    client: Client,
    plan: Plan,
    work: Work,
    *,
    recipe: Recipe,
    common: Common,
    pictures: Pictures,
    unit: str,
    rows: _RowWork | None = None,
    told: Mapping[str, Any] | None = None,
) -> int:
    """Do and write every picture, show progress, say what failed, and return the exit code.

    Args:
        client: connected; AsyncClients with its settings do the work.
        plan: what to read and where to write.
        work: makes one result.
        recipe: what the results depend on, for --resume.
        common: the common options.
        pictures: what was asked for.
        unit: what the job's progress counts, in the plural.
        rows: makes a result that is written while it comes, if that can be done.
        told: what --json tells beside what became of the pictures.

    Raises:
        CallError: no further picture could succeed. What is done stays done.
        click.ClickException: the one picture's place cannot be written to, or standard input holds none.
        OutputError: standard output cannot be written to.
        ReaderGone: nobody reads standard output any more. What is done stays done.
    """
    pictures.writing.check(pair.output.suffix for pair in plan.pairs)
    frames = frames_of(pictures, max_pixels=client.settings.max_pixels)
    if plan.is_single:
        output = plan.pairs[0].output
        check_result(output, overwrite=True, as_json=common.as_json, moving=frames.may_keep_all(output))
    tell_repeated(plan, quiet=common.quiet)
    ledger = Ledger(plan, recipe, pictures)
    pairs = ledger.to_do(client, quiet=common.quiet) if pictures.resume else plan.pairs
    skipped = [pair for pair in plan.pairs if pair not in set(pairs)]
    for folder in {pair.output.parent for pair in pairs if plan.folder and isinstance(pair.output, Path)}:
        make_folder(folder)
    # Pipes are read and written in this thread: no other is interrupted by Ctrl-C while it waits for the other end.
    sources = {pair: read_input(pair.source) for pair in pairs}
    bars = PictureBars(
        quiet=common.quiet, waits=common.waits, pictures=len(plan.pairs), behind=len(skipped), unit=unit
    )
    run = Batch(pairs, skipped, plan.left_out, work, recipe.model, bars, ledger, frames, pictures, rows)
    unsaid = list(pairs)

    def say(pair: Pair) -> None:
        unsaid.remove(pair)
        if not common.as_json and isinstance(pair.output, Path):
            bars.result(pair.output)

    tasks = [run.task(pair, sources[pair]) for pair in pairs]
    with bars:
        try:
            with closing(client.map(tasks, concurrency=pictures.concurrency)) as outcomes:
                for outcome in outcomes:
                    pair, error = pairs[outcome.index], outcome.error
                    if error is None:
                        if outcome.result is not None:
                            write_result(
                                pair.output, outcome.result, overwrite=False, writing=pictures.writing
                            )
                        say(pair)
                    elif isinstance(error, _HOPELESS) or (plan.is_single and _is_for_all(error)):
                        raise error
                    else:
                        run.fail(pair, error)
                    bars.next_picture()
        finally:
            for pair in [pair for pair in unsaid if pair in run.written]:
                say(pair)
            lost = ledger.close()
            if common.as_json:
                print_json({**(told or {}), **run.report()})
            if not common.quiet:
                for line in (
                    *lines_on_left_out(plan.left_out),
                    *((lost,) if lost else ()),
                    *run.lines_on_notes(),
                ):
                    bars.message(f"impasto: {line}")
                if run.total > 1 or skipped:
                    bars.message(run.summary())
    return exit_codes.FAILED if run.failed else exit_codes.DONE


def _is_for_all(error: Exception) -> bool:
    """Tell whether the exit code of one picture says what failed: the call at the server, or a format's name."""
    at_server = isinstance(error, errors.CallError) and error.code is not None
    return at_server or isinstance(error, errors.UnknownFormat)
