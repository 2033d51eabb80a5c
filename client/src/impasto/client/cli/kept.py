"""Pictures kept while a job runs: one after every so many steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from PIL import Image

from impasto.client.cli.inputs import real, refuse_inputs
from impasto.client.cli.places import Place
from impasto.client.errors import OutputExists
from impasto.client.pictures import write_picture

_DIGITS: Final = 5


class KeptPictures:
    """Writes `name-00040.png` beside `name.png`, with the number of steps done.

    Args:
        output: the result's file.
        every: how many steps apart, at least 1.
        overwrite: replace pictures that are there.
        inputs: what the job reads, which is never replaced.

    Raises:
        click.ClickException: one of `inputs` has the name of such a picture.
        OutputExists: there are such pictures already.
    """

    def __init__(self, output: Path, *, every: int, overwrite: bool, inputs: Iterable[Place]) -> None:
        self.written: list[Path] = []
        self._output = output
        self._every = every
        self._last = 0
        self._pattern = re.compile(rf"{re.escape(output.stem)}-(\d{{{_DIGITS},}}){re.escape(output.suffix)}")
        there = sorted(path for path in output.parent.iterdir() if self._pattern.fullmatch(path.name))
        refuse_inputs([path for path in there if self.will_be(path)], inputs, what="a picture on the way")
        if there and not overwrite:
            raise OutputExists(f"{there[0]} exists and may not be replaced without overwrite")

    def will_be(self, path: Path) -> bool:
        """Whether a picture on the way is going to this file, if the job gets so far."""
        match = self._pattern.fullmatch(path.name)
        beside = real(path.parent) == real(self._output.parent)
        return beside and match is not None and int(match[1]) % self._every == 0

    def offer(self, steps: int, picture: Callable[[], Image.Image]) -> None:
        """Write `picture()` if `steps` is a multiple of `every` that was not written yet. Raises OutputError."""
        if steps == self._last or steps % self._every:
            return
        path = self._output.with_name(f"{self._output.stem}-{steps:0{_DIGITS}}{self._output.suffix}")
        write_picture(path, picture(), overwrite=True)  # what was there was refused before the work
        self.written.append(path)
        self._last = steps
