"""Pictures kept while a job runs: one after every so many steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from impasto.client.errors import OutputExists
from impasto.client.files import write_picture

_DIGITS: Final = 5


class KeptPictures:
    """Writes `name-00040.png` beside `name.png`, with the number of steps done.

    Args:
        output: the result's file.
        every: how many steps apart; None keeps none.
        overwrite: replace pictures that are there.

    Raises:
        OutputExists: there are such pictures already.
    """

    def __init__(self, output: Path, *, every: int | None, overwrite: bool) -> None:
        self.written: list[Path] = []
        self._output = output
        self._every = every
        self._last = 0
        if every is not None and not overwrite:
            self._refuse_others()

    def offer(self, steps: int, picture: Callable[[], Image.Image]) -> None:
        """Write `picture()` if `steps` is a multiple of `every` that was not written yet. Raises OutputError."""
        if self._every is None or steps == self._last or steps % self._every:
            return
        path = self._output.with_name(f"{self._output.stem}-{steps:0{_DIGITS}}{self._output.suffix}")
        write_picture(path, picture(), overwrite=True)  # what was there was refused before the work
        self.written.append(path)
        self._last = steps

    def _refuse_others(self) -> None:
        pattern = re.compile(
            rf"{re.escape(self._output.stem)}-\d{{{_DIGITS},}}{re.escape(self._output.suffix)}"
        )
        found = sorted(path for path in self._output.parent.iterdir() if pattern.fullmatch(path.name))
        if found:
            raise OutputExists(f"{found[0]} exists and may not be replaced without overwrite")
