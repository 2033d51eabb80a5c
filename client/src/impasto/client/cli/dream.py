"""`impasto dream`: let a picture dream."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from impasto.client.cli import exit_codes
from impasto.client.cli.dream_options import dream_options
from impasto.client.cli.dream_zoom import Zoom, run_zoom
from impasto.client.cli.job_bar import JobBar
from impasto.client.cli.kept import KeptPictures
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import print_json
from impasto.client.client import Client
from impasto.client.dream import DreamKeywords, DreamProgress
from impasto.client.errors import CallError
from impasto.client.files import check_output, write_picture
from impasto.client.signatures import DREAM


@click.command(short_help="Let a picture dream (DeepDream).")
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="The file to write; with --zoom a .gif, or a folder for the frames.",
)
@dream_options
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the picture after every N steps, counted over all octaves, as OUT with the number in its name.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep in FILE how far the dream is. If it is there, go on from it; OUT may be replaced then. It is deleted "
    "when OUT is written.",
)
@click.option(
    "--zoom", "frames", type=click.IntRange(min=1), metavar="FRAMES", help="Dream, zoom in, dream again, ..."
)
@click.option(
    "--zoom-factor",
    type=click.FloatRange(min=1.0, max=10.0),
    default=1.05,
    show_default=True,
    metavar="RATIO",
    help="How far --zoom goes in from frame to frame.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist. The input is never replaced.")
@click.option("--model", default=DREAM.name, show_default=True, help="The model's name on the server.")
@click.option("--model-version", type=int, metavar="N", help="Its version.  [default: the newest]")
@click.option("--label", help="Its version by label, such as `stable`.")
@common_options
def dream(
    *,
    common: Common,
    source: Path,
    output: Path,
    options: DreamKeywords,
    every: int | None,
    checkpoint: Path | None,
    frames: int | None,
    zoom_factor: float,
    overwrite: bool,
    model: str,
    model_version: int | None,
    label: str | None,
) -> int:
    """Let a picture dream: change it so that layers of a network respond more strongly to it.

    The options that are not given take what the served model suggests; `impasto models -s` shows it. Ctrl-C stops
    within a second and keeps the picture so far. While the server is away the command waits for up to a minute.

    \b
      impasto dream photo.jpg -o dream.png
      impasto dream photo.jpg -o dream.png --layers mixed3,mixed5=0.5 --octaves -2,-1,0 --steps 100
      impasto dream photo.jpg -o dream.gif --zoom 30 --steps 10
    """
    if model_version is not None and label is not None:
        raise click.UsageError("--model-version and --label: give one of them")
    if output.resolve() == source.resolve():
        raise click.ClickException(f"the result would replace the input {source}; choose another -o")
    if frames is not None:
        if every is not None or checkpoint is not None:
            raise click.UsageError("--zoom keeps frames, and takes neither --every nor --checkpoint")
        zoom = Zoom(source=source, output=output, frames=frames, factor=zoom_factor, overwrite=overwrite)
        with common.connect() as client:
            return run_zoom(
                client, zoom, options, common=common, model=model, version=model_version, label=label
            )
    overwrite = overwrite or (checkpoint is not None and checkpoint.exists())
    check_output(output, overwrite=overwrite)
    kept = KeptPictures(output, every=every, overwrite=overwrite)
    run = _Run(
        common=common, source=source, output=output, checkpoint=checkpoint, kept=kept, overwrite=overwrite
    )
    with common.connect() as client:
        return run.dream(client, every=every, model=model, version=model_version, label=label, **options)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One dream from the file to the file."""

    common: Common
    source: Path
    output: Path
    checkpoint: Path | None
    kept: KeptPictures
    overwrite: bool

    def dream(self, client: Client, **arguments: Any) -> int:
        """Dream, show how far it is, and write the result, or the picture so far; returns the exit code."""
        started = time.monotonic()
        last: DreamProgress | None = None
        with JobBar(quiet=self.common.quiet) as bar:
            steps = client.dreaming(self.source, checkpoint=self.checkpoint, **arguments)
            try:
                for progress in steps:
                    last = progress
                    bar.show(progress.fraction, str(progress))
                    self.kept.offer(progress.done, progress.preview)
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
        assert last is not None  # a dream that ends has shown its result
        write_picture(self.output, last.preview(), overwrite=self.overwrite)
        if self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)
        self._report(last, seconds=time.monotonic() - started, finished=True)
        return exit_codes.DONE

    def _write_so_far(self, last: DreamProgress, bar: JobBar) -> None:
        write_picture(self.output, last.preview(), overwrite=self.overwrite)
        where = f"octave {last.octave} of {last.octaves}, step {last.step} of {last.steps}"
        bar.message(f"impasto: stopped at {where}; the picture so far is in {self.output}")
        if self.checkpoint is not None:
            bar.message(f"impasto: the same command goes on from {self.checkpoint}")

    def _report(self, last: DreamProgress, *, seconds: float, finished: bool) -> None:
        paths = [*self.kept.written, self.output]
        if not self.common.as_json:
            for path in paths:
                click.echo(str(path))
            return
        print_json(
            {
                "input": str(self.source),
                "output": str(self.output),
                "kept": [str(path) for path in self.kept.written],
                "finished": finished,
                "steps": last.done,
                "of_steps": last.total,
                "loss": last.loss,
                "seconds": round(seconds, 3),
            }
        )
