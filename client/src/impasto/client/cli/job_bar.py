"""A progress bar for one long job, with words about where it is."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.progress import Progress as ProgressBar

if TYPE_CHECKING:
    from typing_extensions import Self


class JobBar:
    """Drawn only where standard error is a terminal; messages appear above it.

    Args:
        quiet: draw nothing; messages are still written.
    """

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        columns: tuple[ProgressColumn, ...] = (
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[words]}", markup=False),
        )
        # Rich would send standard output through the console too, that is, results to standard error.
        self._bar = ProgressBar(
            *columns,
            console=console,
            disable=quiet or not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._task = self._bar.add_task("job", total=1.0, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, fraction: float, words: str) -> None:
        """Draw the bar at `fraction`, 0 to 1, with `words` behind it."""
        self._bar.update(self._task, completed=fraction, words=words)

    def message(self, text: str) -> None:
        """A line for the person: to standard error, above the bar."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
