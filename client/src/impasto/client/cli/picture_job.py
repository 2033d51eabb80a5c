"""Run a long job that ends in one picture: show how far it is, keep what was reached, write the result, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import click
from PIL import Image

from impasto.client.cli import exit_codes
from impasto.client.cli.job_bar import JobBar
from impasto.client.cli.kept import KeptPictures
from impasto.client.cli.options import Common
from impasto.client.cli.output import print_json
from impasto.client.cli.pipes import check_result, is_pipe, write_result
from impasto.client.errors import CallError


class PictureProgress(Protocol):
    """How far such a job is; its words are what stands behind the bar."""

    @property
    def done(self) -> int:
        """Steps done."""
        ...

    @property
    def total(self) -> int:
        """Steps in all."""
        ...

    @property
    def fraction(self) -> float:
        """Of the work that is done, 0 to 1."""
        ...

    def preview(self) -> Image.Image:
        """The picture so far; of the last progress, the result."""
        ...


ProgressT = TypeVar("ProgressT", bound=PictureProgress)


@dataclass(frozen=True, kw_only=True)
class Files:
    """What a job reads and writes.

    Attributes:
        source: the picture's file.
        others: further files that are read; `pair_up` has looked after the source.
        output: the result's file.
        checkpoint: where the job keeps how far it is; deleted when the result is written.
        every: keep the picture after every so many steps.
        overwrite: replace results that are there. Whoever goes on from a checkpoint may replace them, too. What is
            read is never replaced.
    """

    source: Path
    others: tuple[Path, ...] = ()
    output: Path
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
        click.ClickException: the result would replace what is read, or pictures on the way have no place.
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
        if files.every is not None and is_pipe(files.output):
            raise click.UsageError(f"-o {files.output} and --every: pictures on the way need a file's name")
        for path in files.others:
            if files.output.resolve() == path.resolve():
                raise click.ClickException(f"the result would replace the input {path}; choose another -o")
        goes_on = files.checkpoint is not None and files.checkpoint.exists()
        self._files = files
        self._common = common
        self._where = where
        self._measures = measures
        self._overwrite = files.overwrite or goes_on
        check_result(files.output, overwrite=self._overwrite, as_json=common.as_json)
        self._kept = KeptPictures(files.output, every=files.every, overwrite=self._overwrite)

    def run(self, steps: Generator[ProgressT, None, Image.Image]) -> int:
        """Show how far the job is, and write the result, or the picture so far; returns the exit code."""
        started = time.monotonic()
        last: ProgressT | None = None
        with JobBar(quiet=self._common.quiet) as bar:
            try:
                for progress in steps:
                    last = progress
                    bar.show(progress.fraction, str(progress))
                    self._kept.offer(progress.done, progress.preview)
            except KeyboardInterrupt:
                if last is None or last.done == 0:
                    raise
                self._write_so_far(last, bar)
                self._report(last, seconds=time.monotonic() - started, finished=False)
                return exit_codes.INTERRUPTED
            except CallError:
                if last is not None and last.done > 0:
                    self._write_so_far(last, bar)
                raise
            finally:
                steps.close()
        assert last is not None  # a job that ends has shown its result
        write_result(self._files.output, last.preview(), overwrite=self._overwrite)
        if self._files.checkpoint is not None:
            self._files.checkpoint.unlink(missing_ok=True)
        self._report(last, seconds=time.monotonic() - started, finished=True)
        return exit_codes.DONE

    def _write_so_far(self, last: ProgressT, bar: JobBar) -> None:
        place = "standard output" if is_pipe(self._files.output) else self._files.output
        write_result(self._files.output, last.preview(), overwrite=self._overwrite)
        bar.message(f"impasto: stopped at {self._where(last)}; the picture so far is in {place}")
        if self._files.checkpoint is not None:
            bar.message(f"impasto: the same command goes on from {self._files.checkpoint}")

    def _report(self, last: ProgressT, *, seconds: float, finished: bool) -> None:
        if not self._common.as_json:
            for path in [*self._kept.written, self._files.output]:
                if not is_pipe(self._files.output):
                    click.echo(str(path))
            return
        print_json(
            {
                "input": str(self._files.source),
                "output": str(self._files.output),
                "kept": [str(path) for path in self._kept.written],
                "finished": finished,
                "steps": last.done,
                "of_steps": last.total,
                **self._measures(last),
                "seconds": round(seconds, 3),
            }
        )
