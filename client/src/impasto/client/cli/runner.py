"""The runner: make results and write them, show how far they are, keep what was reached, and report.

`run_pictures` is for the results of many pictures, several at once: one bad picture does not stop the rest.
`run_growing` is for one result that grows for minutes and can be stopped on the way: a picture, or a zoom's frames.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from PIL import Image

from impasto.client import AsyncClient, Client, ImageSource, Job, Progress, errors
from impasto.client._transport.asynchronous import in_thread
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import JobBar, PictureBars
from impasto.client.cli.files import Pipe, Place, check_result, make_folder, name_of, read_input, write_result
from impasto.client.cli.options import Common
from impasto.client.cli.output import note, print_json, print_path
from impasto.client.cli.pairs import Pair, Plan, tell_repeated
from impasto.client.cli.picture_options import Pictures
from impasto.client.cli.resuming import Ledger, Recipe
from impasto.client.cli.sources import LeftOut, lines_on_left_out

Work = Callable[[AsyncClient, ImageSource, Callable[[Progress], None]], Awaitable[Image.Image]]
"""Makes the result of one picture and reports how far it is."""

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


def running(job: Callable[[ImageSource], Job[Image.Image, Any]]) -> Work:
    """Return the work that runs, for each picture, the job that `job` makes of it."""

    async def work(client: AsyncClient, source: ImageSource, show: Callable[[Progress], None]) -> Image.Image:
        return await client.run(job(source), on_progress=show)

    return work


def run_pictures(
    client: Client, plan: Plan, work: Work, *, recipe: Recipe, common: Common, pictures: Pictures, unit: str
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

    Raises:
        CallError: no further picture could succeed. What is done stays done.
        click.ClickException: the one picture's place cannot be written to, or standard input holds none.
        OutputError: standard output cannot be written to.
        ReaderGone: nobody reads standard output any more. What is done stays done.
    """
    if plan.is_single:
        check_result(plan.pairs[0].output, overwrite=True, as_json=common.as_json)
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
    run = _Batch(
        pairs, skipped, plan.left_out, work, bars, ledger, overwrite=pictures.overwrite or pictures.resume
    )
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
                            write_result(pair.output, outcome.result, overwrite=False)
                        say(pair)
                    elif isinstance(error, _HOPELESS) or (plan.is_single and _is_the_servers(error)):
                        raise error
                    else:
                        run.fail(pair, error)
                    bars.next_picture()
        finally:
            for pair in [pair for pair in unsaid if pair in run.written]:
                say(pair)
            lost = ledger.close()
            if common.as_json:
                print_json(run.report())
            if not common.quiet:
                for line in (*lines_on_left_out(plan.left_out), *((lost,) if lost else ())):
                    bars.message(f"impasto: {line}")
                if run.total > 1 or skipped:
                    bars.message(run.summary())
    return exit_codes.FAILED if run.failed else exit_codes.DONE


@dataclass
class _Batch:
    """The pictures of a run, and what became of them.

    `written` is filled by several threads, each as soon as its file is there, so that a run which ends early forgets
    none that stands behind an unfinished one.
    """

    pairs: Sequence[Pair]
    skipped: Sequence[Pair]
    left_out: Sequence[LeftOut]
    work: Work
    bars: PictureBars
    ledger: Ledger
    overwrite: bool = field(kw_only=True)
    written: dict[Pair, dict[str, Any]] = field(default_factory=dict, init=False)
    failed: list[dict[str, Any]] = field(default_factory=list, init=False)

    def task(self, pair: Pair, source: ImageSource) -> Callable[[AsyncClient], Awaitable[Image.Image | None]]:
        """Return what makes one result and writes it to its file, or gives it back if it is for a pipe."""

        async def do(client: AsyncClient) -> Image.Image | None:
            started = time.monotonic()
            check_result(pair.output, overwrite=self.overwrite, as_json=False)
            await in_thread(lambda: self.ledger.begin(pair))
            with self.bars.picture(pair.source.name) as show:
                image = await self.work(client, source, self.ledger.watch(pair, show))
            if isinstance(pair.output, Pipe):
                return image

            def write() -> None:
                write_result(pair.output, image, overwrite=self.overwrite)
                self.ledger.record(pair)
                # Here, not after the awaiting: a task that is cancelled meanwhile still has written it.
                self.written[pair] = {
                    **_names(pair),
                    "width": image.width,
                    "height": image.height,
                    "seconds": round(time.monotonic() - started, 3),
                }

            await in_thread(write)
            return None

        return do

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


def _is_the_servers(error: Exception) -> bool:
    """Tell whether a call failed at the server: the exit code for one picture tells that apart from a bad picture."""
    return isinstance(error, errors.CallError) and error.code is not None


class Growing(ABC):
    """A result that grows while it is made: stopped on the way, it leaves what there is.

    Attributes:
        reports_failures: report also what a failed server leaves; what Ctrl-C leaves is always reported.
    """

    reports_failures: ClassVar[bool]

    @abstractmethod
    def has_begun(self) -> bool:
        """Tell whether there is something to keep."""

    @abstractmethod
    def make(self, show: Callable[[float, str], None]) -> None:
        """Make the result, and tell `show` how far it is: a fraction from 0 to 1, and words."""

    @abstractmethod
    def write(self, *, finished: bool) -> None:
        """Write the result, or what there is of it. Raises OutputError."""

    @abstractmethod
    def notes(self) -> Sequence[str]:
        """Return lines for the person who stopped it: where it was, and what is left."""

    @abstractmethod
    def files(self) -> Sequence[Place]:
        """Return the places of all that was written."""

    @abstractmethod
    def report(self, *, finished: bool) -> Mapping[str, object]:
        """Return what was made, as JSON values."""


def run_growing(growing: Growing, *, common: Common) -> int:
    """Make a result, show how far it is, write it or what there is of it, report, and return the exit code.

    Raises:
        CallError: a call failed. What was reached is kept.
        OutputError: it cannot be written. What was reached is kept if a file on the way is to blame.
    """
    started = time.monotonic()
    stopped: KeyboardInterrupt | errors.CallError | errors.OutputError | None = None
    with JobBar(quiet=common.quiet, waits=common.waits) as bar:
        try:
            growing.make(bar.show)
        except (KeyboardInterrupt, errors.CallError, errors.OutputError) as error:
            if not growing.has_begun():
                raise
            stopped = error
    failure = None if isinstance(stopped, KeyboardInterrupt) else stopped
    try:
        growing.write(finished=stopped is None)
    except errors.OutputError as error:
        if failure is None:
            raise
        note(f"impasto: {error}")
        raise failure from None
    for line in growing.notes() if stopped is not None else ():
        note(f"impasto: {line}")
    if failure is None or growing.reports_failures:
        if common.as_json:
            seconds = round(time.monotonic() - started, 3)
            print_json({**growing.report(finished=stopped is None), "seconds": seconds})
        else:
            for path in growing.files():
                if isinstance(path, Path):
                    print_path(path)
    if failure is not None:
        raise failure
    return exit_codes.DONE if stopped is None else exit_codes.INTERRUPTED
