"""Run a long job that ends in one picture: show how far it is, keep what was reached, write the result, report."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import click
from PIL import Image

from impasto.client import LongProgress, write_picture
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import JobBar
from impasto.client.cli.files import Pipe, Place, check_result, real, refuse_inputs, write_result
from impasto.client.cli.options import Common
from impasto.client.cli.output import note, print_json, print_path
from impasto.client.errors import CallError, OutputError, OutputExists

ProgressT = TypeVar("ProgressT", bound=LongProgress)


@dataclass(frozen=True, kw_only=True)
class Files:
    """What a job reads and writes.

    Attributes:
        source: the picture's file.
        others: further files that are read; `pair_up` has seen that the output is none of them.
        output: the result's file.
        checkpoint: where the job keeps how far it is; deleted when the result is written.
        every: keep the picture after every so many steps.
        overwrite: replace results that are there. Whoever goes on from a checkpoint may replace them, too. What is
            read is never replaced.
    """

    source: Place
    others: tuple[Path, ...] = ()
    output: Place
    checkpoint: Path | None
    every: int | None
    overwrite: bool


class PictureJob(Generic[ProgressT]):
    """One job from the file to the file.

    Args:
        files: where from and where to.
        common: the common options.
        where: words about the place where a job was stopped.
        measures: numbers for the report, by name.

    Raises:
        click.ClickException: the checkpoint or a picture on the way would replace what is read or each other, or
            pictures on the way have no place.
        OutputError: it cannot be written, or is there already.
    """

    def __init__(
        self,
        files: Files,
        *,
        common: Common,
        where: Callable[[ProgressT], str],
        measures: Callable[[ProgressT], Mapping[str, object]],
    ) -> None:
        read = (files.source, *files.others)
        if files.checkpoint is not None:
            _check_checkpoint(files.checkpoint, read, files.output)
        self._files = files
        self._common = common
        self._where = where
        self._measures = measures
        self._overwrite = files.overwrite or (files.checkpoint is not None and files.checkpoint.exists())
        check_result(files.output, overwrite=self._overwrite, as_json=common.as_json)
        self._kept = None if files.every is None else self._keeper(files.every, read)

    def run(self, steps: Generator[ProgressT, None, Image.Image]) -> int:
        """Show how far the job is, and write the result, or the picture so far; returns the exit code."""
        started = time.monotonic()
        last: ProgressT | None = None
        stopped: KeyboardInterrupt | CallError | OutputError | None = None
        with JobBar(quiet=self._common.quiet, waits=self._common.waits) as bar:
            try:
                with closing(steps):  # which writes the last checkpoint, or cannot
                    for progress in steps:
                        last = progress
                        bar.show(progress.fraction, str(progress))
                        if self._kept is not None:
                            self._kept.offer(progress.done, progress.preview)
            except (KeyboardInterrupt, CallError, OutputError) as error:
                if last is None or last.done == 0:
                    raise
                stopped = error
        assert last is not None  # a job that ends has shown its result
        if stopped is not None:
            return self._stop(last, stopped, seconds=time.monotonic() - started)
        write_result(self._files.output, last.preview(), overwrite=self._overwrite)
        if self._files.checkpoint is not None:
            self._files.checkpoint.unlink(missing_ok=True)
        self._report(last, seconds=time.monotonic() - started, finished=True)
        return exit_codes.DONE

    def _keeper(self, every: int, read: Iterable[Place]) -> KeptPictures:
        output, checkpoint = self._files.output, self._files.checkpoint
        if isinstance(output, Pipe):
            raise click.UsageError(f"-o {output} and --every: pictures on the way need a file's name")
        kept = KeptPictures(output, every=every, overwrite=self._overwrite, inputs=read)
        if checkpoint is not None and kept.will_be(checkpoint):
            raise click.UsageError(
                f"--checkpoint {checkpoint} is where a picture on the way goes; choose another"
            )
        return kept

    def _stop(
        self, last: ProgressT, reason: KeyboardInterrupt | CallError | OutputError, *, seconds: float
    ) -> int:
        """Keep the picture so far. Raises what stopped the job, unless that was the person."""
        if isinstance(reason, KeyboardInterrupt):
            self._write_so_far(last)
            self._report(last, seconds=seconds, finished=False)
            return exit_codes.INTERRUPTED
        try:
            self._write_so_far(last)
        except OutputError as error:
            note(f"impasto: {error}")
        raise reason

    def _write_so_far(self, last: ProgressT) -> None:
        place = "standard output" if isinstance(self._files.output, Pipe) else self._files.output
        write_result(self._files.output, last.preview(), overwrite=self._overwrite)
        note(f"impasto: stopped at {self._where(last)}; the picture so far is in {place}")
        if self._files.checkpoint is not None and self._files.checkpoint.exists():
            note(f"impasto: the same command goes on from {self._files.checkpoint}")

    def _report(self, last: ProgressT, *, seconds: float, finished: bool) -> None:
        kept = [] if self._kept is None else self._kept.written
        if not self._common.as_json:
            for path in (*kept, self._files.output):
                if isinstance(path, Path):
                    print_path(path)
            return
        print_json(
            {
                "input": str(self._files.source),
                "output": str(self._files.output),
                "kept": [str(path) for path in kept],
                "finished": finished,
                "steps": last.done,
                "of_steps": last.total,
                **self._measures(last),
                "seconds": round(seconds, 3),
            }
        )


def _check_checkpoint(checkpoint: Path, read: Iterable[Place], output: Place) -> None:
    refuse_inputs([checkpoint], read, what="the checkpoint", option="--checkpoint")
    if isinstance(output, Path) and real(checkpoint) == real(output):
        raise click.UsageError(f"--checkpoint {checkpoint} is where the result goes; choose another file")


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
