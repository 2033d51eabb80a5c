"""The runs of `impasto dream` and `impasto transfer`: one picture and what is kept on the way, or several."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

import click
from PIL import Image

from impasto.client import Client, ImageSource, Job, LongJob, LongProgress, errors
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import JobBar, Reached
from impasto.client.cli.files import (
    Pipe,
    Place,
    Writing,
    check_result,
    read_input,
    real,
    refuse_inputs,
    write_result,
)
from impasto.client.cli.frames import as_json, frames_of
from impasto.client.cli.options import Common, Keep, Pictures
from impasto.client.cli.output import note, print_json, print_path
from impasto.client.cli.pairs import Pair, pair_up, tell_repeated
from impasto.client.cli.resuming import PICTURE, Recipe
from impasto.client.cli.runner import run_pictures, running


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


ProgressT = TypeVar("ProgressT", bound=LongProgress)

_DIGITS: Final = 5


@dataclass(frozen=True)
class LongJobs(Generic[ProgressT]):
    """The jobs that a command runs.

    Attributes:
        job: makes the job of a picture.
        describe: asks the model what it is, before many pictures.
        where: words about the place where a job was stopped.
        measures: numbers for the report, by name.
    """

    job: Callable[[ImageSource], LongJob[ProgressT]]
    describe: Job[Any, Any]
    where: Callable[[ProgressT], str]
    measures: Callable[[ProgressT], Mapping[str, object]]


def run_long_jobs(
    jobs: LongJobs[ProgressT],
    pictures: Pictures,
    *,
    others: tuple[Path, ...],
    keep: Keep,
    common: Common,
) -> int:
    """Run a job for each picture and return the exit code.

    Args:
        jobs: makes them.
        pictures: what to read and where to write.
        others: further files that are read.
        keep: what to keep on the way, of one picture.
        common: the common options.

    Raises:
        click.ClickException: the files do not go together, or would replace what is read.
        CallError: a call failed.
        OutputError: a result cannot be written, or is there already.
    """
    plan = pair_up(pictures, others=others)
    if plan.is_single and not pictures.resume:
        tell_repeated(plan, quiet=common.quiet)
        picture = _GrowingPicture(jobs, plan.pairs[0], others, keep, pictures, as_json=common.as_json)
        with common.connect() as client:
            picture.begin(client)
            return run_growing(picture, common=common)
    keep.refuse_for_several()
    recipe = Recipe.of(jobs.job(PICTURE), others)
    with common.connect() as client:
        client.run(jobs.describe)
        work = running(lambda source, _: jobs.job(source))
        return run_pictures(client, plan, work, recipe=recipe, common=common, pictures=pictures, unit="steps")


class _GrowingPicture(Growing, Generic[ProgressT]):
    """The picture of one job, from the file to the file.

    Args:
        jobs: makes the job.
        pair: where from and where to.
        others: further files that are read; `pair_up` has seen that the output is none of them.
        keep: what to keep on the way.
        pictures: which frame is taken, how results are written, and whether those that are there are replaced. A run
            that goes on from a checkpoint may replace them,
            too. What is read is never replaced.
        as_json: standard output is for JSON.

    Raises:
        click.ClickException: the checkpoint or a picture on the way would replace what is read or each other, or
            pictures on the way have no place.
        OutputError: the result cannot be written, or is there already.
    """

    reports_failures = False

    def __init__(
        self,
        jobs: LongJobs[ProgressT],
        pair: Pair,
        others: tuple[Path, ...],
        keep: Keep,
        pictures: Pictures,
        *,
        as_json: bool,
    ) -> None:
        read = (pair.source, *others)
        checkpoint = keep.checkpoint
        if checkpoint is not None:
            _check_checkpoint(checkpoint, read, pair.output)
        self._jobs = jobs
        self._pair = pair
        self._keep = keep
        self._pictures = pictures
        pictures.writing.check([pair.output.suffix])
        self._overwrite = pictures.overwrite or (checkpoint is not None and checkpoint.exists())
        check_result(pair.output, overwrite=self._overwrite, as_json=as_json)
        self._kept = None if keep.every is None else self._keeper(keep.every, read)
        self._steps: Generator[ProgressT, None, Image.Image]
        self._last: ProgressT | None = None
        self._frames: Mapping[str, int] = {}

    def begin(self, client: Client) -> None:
        """Read the picture, and let a client run its job.

        Raises:
            click.ClickException: standard input holds none.
            OSError, ImageError: it cannot be read, or has no such frame.
        """
        frames = frames_of(self._pictures, max_pixels=client.settings.max_pixels)
        taken = frames.read_one(read_input(self._pair.source))
        frames.tell(taken, self._pair.source)
        self._frames = as_json(taken)
        job = self._jobs.job(taken)
        self._steps = client.iterate(job, every=self._keep.every, checkpoint=self._keep.checkpoint)

    def has_begun(self) -> bool:
        return self._last is not None and self._last.done > 0

    def make(self, show: Callable[[Reached, str], None]) -> None:
        with closing(self._steps):  # which writes the last checkpoint, or cannot
            for progress in self._steps:
                self._last = progress
                show(Reached.of(progress), str(progress))
                if self._kept is not None:
                    self._kept.offer(progress.done, progress.preview)

    def write(self, *, finished: bool) -> None:
        preview, writing = self._reached.preview(), self._pictures.writing
        write_result(self._pair.output, preview, overwrite=self._overwrite, writing=writing)
        if finished and self._keep.checkpoint is not None:
            self._keep.checkpoint.unlink(missing_ok=True)

    def notes(self) -> Sequence[str]:
        output, checkpoint = self._pair.output, self._keep.checkpoint
        place = "standard output" if isinstance(output, Pipe) else output
        notes = [f"stopped at {self._jobs.where(self._reached)}; the picture so far is in {place}"]
        if checkpoint is not None and checkpoint.exists():
            notes.append(f"the same command goes on from {checkpoint}")
        return notes

    def files(self) -> Sequence[Place]:
        return (*self._written, self._pair.output)

    def report(self, *, finished: bool) -> Mapping[str, object]:
        last = self._reached
        return {
            "input": str(self._pair.source),
            "output": str(self._pair.output),
            **self._frames,
            "kept": [str(path) for path in self._written],
            "finished": finished,
            "steps": last.done,
            "of_steps": last.total,
            **self._jobs.measures(last),
        }

    @property
    def _reached(self) -> ProgressT:
        assert self._last is not None  # a job that ends has shown its result
        return self._last

    @property
    def _written(self) -> Sequence[Path]:
        return [] if self._kept is None else self._kept.written

    def _keeper(self, every: int, read: Iterable[Place]) -> _KeptPictures:
        output, checkpoint = self._pair.output, self._keep.checkpoint
        if isinstance(output, Pipe):
            raise click.UsageError(f"-o {output} and --every: pictures on the way need a file's name")
        kept = _KeptPictures(
            output, every=every, overwrite=self._overwrite, inputs=read, writing=self._pictures.writing
        )
        if checkpoint is not None and kept.will_be(checkpoint):
            raise click.UsageError(
                f"--checkpoint {checkpoint} is where a picture on the way goes; choose another"
            )
        return kept


def _check_checkpoint(checkpoint: Path, read: Iterable[Place], output: Place) -> None:
    refuse_inputs([checkpoint], read, what="the checkpoint", option="--checkpoint")
    if isinstance(output, Path) and real(checkpoint) == real(output):
        raise click.UsageError(f"--checkpoint {checkpoint} is where the result goes; choose another file")


class _KeptPictures:
    """Writes `name-00040.png` beside `name.png`, with the number of steps done.

    Args:
        output: the result's file.
        every: how many steps apart, at least 1.
        overwrite: replace pictures that are there.
        inputs: what the job reads, which is never replaced.
        writing: the options of the format.

    Raises:
        click.ClickException: one of `inputs` has the name of such a picture.
        OutputExists: there are such pictures already.
    """

    def __init__(
        self, output: Path, *, every: int, overwrite: bool, inputs: Iterable[Place], writing: Writing
    ) -> None:
        self.written: list[Path] = []
        self._writing = writing
        self._output = output
        self._every = every
        self._last = 0
        self._pattern = re.compile(rf"{re.escape(output.stem)}-(\d{{{_DIGITS},}}){re.escape(output.suffix)}")
        there = sorted(path for path in output.parent.iterdir() if self._pattern.fullmatch(path.name))
        refuse_inputs([path for path in there if self.will_be(path)], inputs, what="a picture on the way")
        if there and not overwrite:
            raise errors.OutputExists(f"{there[0]} exists and may not be replaced without overwrite")

    def will_be(self, path: Path) -> bool:
        """Tell whether a picture on the way is going to this file, if the job gets so far."""
        match = self._pattern.fullmatch(path.name)
        beside = real(path.parent) == real(self._output.parent)
        return beside and match is not None and int(match[1]) % self._every == 0

    def offer(self, steps: int, picture: Callable[[], Image.Image]) -> None:
        """Write `picture()` if `steps` is a multiple of `every` that was not written yet. Raises OutputError."""
        if steps == self._last or steps % self._every:
            return
        path = self._output.with_name(f"{self._output.stem}-{steps:0{_DIGITS}}{self._output.suffix}")
        # What was there was refused before the work.
        write_result(path, picture(), overwrite=True, writing=self._writing)
        self.written.append(path)
        self._last = steps
