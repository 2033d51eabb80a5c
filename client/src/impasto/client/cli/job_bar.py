"""A progress bar for one long job, with words about where it is."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from impasto.client.cli.output import terminal_bar
from impasto.client.cli.waits import Waits

if TYPE_CHECKING:
    from rich.progress import ProgressColumn
    from typing_extensions import Self


class JobBar:
    """Drawn only where standard error is a terminal. Whoever has something to say says it when the bar has ended.

    Args:
        quiet: draw nothing.
        waits: shown below.
    """

    def __init__(self, *, quiet: bool, waits: Waits) -> None:
        self._waits = waits
        self._bar = None if quiet else terminal_bar(_columns, waits)
        if self._bar is not None:
            self._task = self._bar.add_task("job", total=1.0, words="")

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

    def show(self, fraction: float, words: str) -> None:
        """Draw the bar at `fraction`, 0 to 1, with `words` behind it."""
        if self._bar is not None:
            self._bar.update(self._task, completed=fraction, words=words)


def _columns() -> Sequence[ProgressColumn]:
    from rich.progress import BarColumn, TextColumn

    return (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[words]}", markup=False),
    )
