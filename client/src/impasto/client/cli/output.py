"""Words and progress on the terminal: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from impasto.client._jobs import Progress
from impasto.client.cli.streams import note, print_line, print_path
from impasto.client.cli.waits import Waits
from impasto.client.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBar
    from rich.progress import ProgressColumn
    from typing_extensions import Self

_LONGEST_CELL: Final = 1000
"""Characters of a table's cell: all rows are as wide as the widest."""


def print_json(value: Any) -> None:
    """A result for a program: to standard output."""
    print_line(
        json.dumps(value, indent=2).replace("\x7f", "\\u007f")
    )  # the one control character that JSON leaves


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned by spaces, the same on a terminal and in a pipe; trailing blanks are cut."""
    lines = [tuple(header), *(tuple(printable(cell, longest=_LONGEST_CELL) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print_line("  ".join(padded).rstrip())


class Display:
    """Progress over some pictures, drawn only where standard error is a terminal, with messages above it.

    Pictures may be shown from several threads.

    Args:
        quiet: draw nothing; messages and results are still written.
        waits: shown below.
        pictures: how many there will be; a bar counts them if there are several.
        behind: how many of them need no work.
    """

    def __init__(self, *, quiet: bool, waits: Waits, pictures: int, behind: int = 0) -> None:
        self._waits = waits
        self._bar = None if quiet else terminal_bar(_picture_columns, waits)
        if self._bar is not None:
            self._all = self._bar.add_task(
                "all", total=pictures, completed=behind, unit="pictures", visible=pictures > 1
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._waits.drawn = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._waits.drawn = False
            self._bar.stop()

    @contextmanager
    def picture(self, name: str, *, unit: str) -> Generator[Callable[[Progress], None], None, None]:
        """A bar for one picture while the block runs; call what it gives with the job's progress."""
        bar = self._bar
        if bar is None:
            yield lambda progress: None
            return
        task = bar.add_task(printable(name), total=None, unit=unit)

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total)

        try:
            yield show
        finally:
            bar.remove_task(task)

    def next_picture(self) -> None:
        """One more picture is behind us."""
        if self._bar is not None:
            self._bar.advance(self._all)

    def message(self, text: str) -> None:
        """A line for the person: to standard error, above the bars."""
        if self._bar is None:
            note(text)
        else:
            self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def result(self, path: Path) -> None:
        """A result's file: to standard output, above the bars where that is the same terminal."""
        if self._bar is None or not sys.stdout.isatty():
            print_path(path)
        else:
            self.message(printable(str(path)))


def terminal_bar(columns: Callable[[], Sequence[ProgressColumn]], waits: Waits) -> ProgressBar | None:
    """A bar on standard error, with a line below it that says for whom it waits, if it does; None where standard error
    is no terminal, which also saves importing rich."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console, RenderableType
    from rich.progress import Progress as ProgressBar
    from rich.text import Text

    class Bar(ProgressBar):
        def get_renderables(self) -> Iterable[RenderableType]:
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


def _picture_columns() -> Sequence[ProgressColumn]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
