"""Signs of progress on standard error: bars where it is a terminal, and words while a job waits for its server."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple

from impasto.client import LongProgress, Progress, Waiting
from impasto.client.cli.output import logs_are_shown, logs_said_by, note, print_path
from impasto.client.texts import printable

if TYPE_CHECKING:
    from rich import progress as rich_progress
    from typing_extensions import Self

# A call may take longer than expected: from this part of it on the bar moves ever slower, and never arrives.
_SURE: Final = 0.8


class Reached(NamedTuple):
    """The part of a job that is done, and what the call under way will add.

    Attributes:
        fraction: 0 to 1.
        next_fraction: where the next report will be.
        next_seconds: when it is expected; None if that is not known.
    """

    fraction: float
    next_fraction: float
    next_seconds: float | None

    @classmethod
    def of(cls, progress: Progress) -> Reached:
        """Return what a progress tells."""
        if isinstance(progress, LongProgress):
            return cls(progress.fraction, progress.next_fraction, progress.next_seconds)
        fraction = progress.done / max(progress.total, 1)
        return cls(fraction, fraction, None)

    def in_part(self, part: int, parts: int) -> Reached:
        """Return the same of all parts of a greater job, of which `part`, from 0, is under way."""
        return Reached((part + self.fraction) / parts, (part + self.next_fraction) / parts, self.next_seconds)


class Glide:
    """The place of one bar. It never moves back, nor past what the call under way will reach.

    Args:
        clock: gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reached = Reached(0.0, 0.0, None)
        self._from = 0.0
        self._elapsed = 0.0
        self._seen = clock()

    def report(self, reached: Reached) -> None:
        """The job tells where it is."""
        self._from = max(self.place(), reached.fraction)
        self._reached = reached
        self._elapsed = 0.0

    def place(self, *, halted: bool = False) -> float:
        """Return where the bar is now, 0 to 1.

        Args:
            halted: the job has been waiting for its server since this was last asked, so nothing has moved.
        """
        now = self._clock()
        if not halted:
            self._elapsed += now - self._seen
        self._seen = now
        ahead, seconds = self._reached.next_fraction - self._from, self._reached.next_seconds
        if ahead <= 0 or not seconds:
            return self._from
        return self._from + ahead * _eased(self._elapsed / seconds)


def _eased(part: float) -> float:
    """Return how much of a call to show when `part` of the expected time is over: below 1, whatever it is."""
    if part <= _SURE:
        return part
    rest = 1.0 - _SURE
    return 1.0 - rest * max(math.exp((_SURE - part) / rest), 0.05)


class Waits:
    """The waits of a command's jobs. It is called as the client's `on_wait`, perhaps from several threads.

    Args:
        quiet: say nothing.

    Attributes:
        now: who is waited for at the moment; None for nobody. A bar that is drawn shows it.
        drawn: whether a bar is.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.now: Waiting | None = None
        self.drawn = False
        self._quiet = quiet
        self._over = 0.0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """The seconds that the command has waited in all."""
        now = self.now
        return self._over + (0.0 if now is None else now.seconds)

    def __call__(self, waiting: Waiting | None) -> None:
        """A job waits; None: no job waits any more."""
        with self._lock:
            before, self.now = self.now, _longer(self.now, waiting)
            if waiting is None and before is not None:
                self._over += before.seconds
        if self._quiet or self.drawn or logs_are_shown():  # what is logged says the same
            return
        if before is None and waiting is not None:
            at_most = "" if math.isinf(waiting.patience) else f", for {waiting.patience:g} s at most"
            note(f"impasto: {waiting.server} {waiting.why}; waiting for it{at_most}")
        elif before is not None and waiting is None:
            note(f"impasto: waited {time.monotonic() - before.since:.0f} s for {before.server}")


def _longer(one: Waiting | None, other: Waiting | None) -> Waiting | None:
    """Return the wait of several jobs' that began first."""
    if one is None or other is None:
        return other
    return min(one, other, key=lambda waiting: waiting.since)


class _Bars:
    """Bars that are drawn while the block runs, and only where standard error is a terminal."""

    def __init__(
        self, columns: Callable[[], Sequence[rich_progress.ProgressColumn]], *, quiet: bool, waits: Waits
    ) -> None:
        self._waits = waits
        self._glides: dict[rich_progress.TaskID, Glide] = {}
        self._lock = threading.Lock()
        self._bar: rich_progress.Progress | None = None  # rich draws a bar once while it is made
        self._bar = None if quiet else _terminal_bar(columns, waits, self._move)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._stack.enter_context(logs_said_by(self.message))
            self._waits.drawn = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._stack.close()
            self._waits.drawn = False
            self._bar.stop()

    def message(self, text: str) -> None:
        """A line for the person: to standard error, above the bars."""
        if self._bar is None:
            note(text)
        else:
            self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def _move(self) -> None:
        """Move the bars to where they are now: each time that they are drawn."""
        if self._bar is None:
            return
        with self._lock:
            for task, glide in self._glides.items():
                place = glide.place(halted=self._waits.now is not None)
                self._bar.update(task, completed=place, percent=int(100 * place))


class JobBar(_Bars):
    """A bar for one long job, with words about where it is.

    Args:
        quiet: draw nothing.
        waits: shown below.
    """

    def __init__(self, *, quiet: bool, waits: Waits) -> None:
        super().__init__(_job_columns, quiet=quiet, waits=waits)
        if self._bar is not None:
            self._task = self._bar.add_task("job", total=1.0, percent=0, words="")
            self._glides[self._task] = Glide()

    def show(self, reached: Reached, words: str) -> None:
        """Draw the bar where the job is, with `words` behind it, and move it until the next time."""
        if self._bar is not None:
            with self._lock:
                self._glides[self._task].report(reached)
            self._bar.update(self._task, words=words)


class PictureBars(_Bars):
    """Bars for some pictures, which may be shown from several threads, with messages above them.

    Args:
        quiet: draw nothing; messages and results are still written.
        waits: shown below.
        pictures: how many there will be; a bar counts them if there are several.
        behind: how many of them need no work.
        unit: what a picture's progress counts, in the plural.
    """

    def __init__(self, *, quiet: bool, waits: Waits, pictures: int, behind: int, unit: str) -> None:
        super().__init__(_picture_columns, quiet=quiet, waits=waits)
        self._unit = unit
        if self._bar is not None:
            self._behind, self._pictures = behind, pictures
            self._all = self._bar.add_task(
                "all",
                total=pictures,
                completed=behind,
                count=_count(behind, pictures),
                unit="pictures",
                visible=pictures > 1,
            )

    @contextmanager
    def picture(
        self, name: str, *, unit: str | None = None
    ) -> Generator[Callable[[Progress], None], None, None]:
        """A bar for one picture while the block runs; call what it gives with the job's progress.

        Args:
            name: stands before the bar.
            unit: what its progress counts, if that is not what all others count.
        """
        bar = self._bar
        if bar is None:
            yield lambda progress: None
            return
        task = bar.add_task(printable(name), total=None, count="0/?", unit=unit or self._unit)
        glide = Glide()

        def show(progress: Progress) -> None:
            bar.update(task, total=1.0, count=_count(progress.done, progress.total))
            with self._lock:
                glide.report(Reached.of(progress))
                self._glides[task] = glide

        try:
            yield show
        finally:
            with self._lock:
                self._glides.pop(task, None)
            bar.remove_task(task)

    def next_picture(self) -> None:
        """One more picture is behind us."""
        if self._bar is not None:
            self._behind += 1
            self._bar.update(self._all, completed=self._behind, count=_count(self._behind, self._pictures))

    def result(self, path: Path) -> None:
        """A result's file: to standard output, above the bars where that is the same terminal."""
        if self._bar is None or not sys.stdout.isatty():
            print_path(path)
        else:
            self.message(printable(str(path)))


def _terminal_bar(
    columns: Callable[[], Sequence[rich_progress.ProgressColumn]], waits: Waits, move: Callable[[], None]
) -> rich_progress.Progress | None:
    """Return a bar on standard error, with a line below it that says for whom it waits, if it does.

    `move` is called before each time that it is drawn.

    None where standard error is no terminal, which also saves importing rich.
    """
    if not sys.stderr.isatty():
        return None
    from rich.console import Console, RenderableType
    from rich.progress import Progress as ProgressBar
    from rich.text import Text

    class Bar(ProgressBar):
        def get_renderables(self) -> Iterable[RenderableType]:
            move()
            yield from super().get_renderables()
            if waits.now is not None:
                yield Text(str(waits.now), overflow="ellipsis", no_wrap=True)

    # Rich would send standard output through the console too, that is, results to standard error.
    return Bar(
        *columns(),
        console=Console(stderr=True),
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
    )


def _picture_columns() -> Sequence[rich_progress.ProgressColumn]:
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )


def _count(done: int, total: int) -> str:
    """Return `7/20`, with the space that `20/20` will take: what is done, while the bar shows what is expected."""
    return f"{done:{len(str(total))}}/{total}"


def _job_columns() -> Sequence[rich_progress.ProgressColumn]:
    from rich.progress import BarColumn, TextColumn

    return (
        BarColumn(),
        TextColumn("{task.fields[percent]:>3} %"),
        TextColumn("{task.fields[words]}", markup=False),
    )
