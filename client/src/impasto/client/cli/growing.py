"""The runner of one result that grows for minutes, and can be stopped on the way: a picture, or a zoom's frames."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from impasto.client import errors
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import JobBar
from impasto.client.cli.files import Place
from impasto.client.cli.gliding import Reached
from impasto.client.cli.options import Common
from impasto.client.cli.output import note, print_json, print_path


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
    def make(self, show: Callable[[Reached, str], None]) -> None:
        """Make the result, and tell `show` how far it is, also in words."""

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
