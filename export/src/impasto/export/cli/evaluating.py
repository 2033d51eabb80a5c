"""The measurement of upscalers side by side, and its tables: `upscaler evaluate` and `srcnn evaluate`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from impasto.client.signatures import FACTORS
from impasto.client.texts import json_text, printable
from impasto.export.cli.options import JSON, MODELS, TensorFlowCommand
from impasto.export.errors import ExportError

if TYPE_CHECKING:
    from impasto.export.upscale.evaluate import Score, Task

Scores: TypeAlias = "Mapping[int, Mapping[str, Sequence[Score]]]"
"""By the factor, and by the upscaler as `name:version`."""


def _finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of dB")
    return value


_OPTIONS: Final = (
    click.option(
        "--factor",
        "factors",
        type=click.Choice([str(factor) for factor in FACTORS]),
        multiple=True,
        help="Measure this factor only; may be given several times. Default: each that a model has.",
    ),
    click.option(
        "--photos",
        type=click.Path(path_type=Path),
        help="Folder of photos that the training did not see. Default: six of scikit-image and scikit-learn.",
    ),
    click.option(
        "--jpeg",
        type=click.IntRange(1, 100),
        metavar="QUALITY",
        help="Save each small picture as a JPEG of this quality before it is enlarged, as pictures from the web are.",
    ),
    click.option(
        "--require-gain",
        type=float,
        callback=_finite,
        help="Fail when a mean gain in RGB is below this many dB, or cannot be measured on some photo.",
    ),
    JSON,
)


def evaluation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options whose values `Evaluation` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A measurement of upscalers, as the command line asks for it.

    Attributes:
        models: the repository.
        chosen: the upscalers and their versions, None for the newest.
        factors: as the command line has them; all if empty.
        photos: a folder; the held-out photos if None.
        jpeg: the quality of the JPEGs that the small pictures are saved as before they are enlarged.
        require_gain: the least mean gain.
        as_json: print JSON.
    """

    models: Path
    chosen: Sequence[tuple[str, int | None]]
    factors: tuple[str, ...]
    photos: Path | None
    jpeg: int | None
    require_gain: float | None
    as_json: bool

    def run(self) -> None:
        """Measure and print. Raises ExportError."""
        from impasto.export.upscale.evaluate import require_gain

        scores = self._scores()
        if self.as_json:
            click.echo(json_text(list(self._entries(scores))))
        else:
            for factor, by_model in scores.items():
                for table in _tables(factor, by_model, jpeg=self.jpeg):
                    Console().print(table)
        if self.require_gain is not None:
            for factor, by_model in scores.items():
                for model, found in by_model.items():
                    require_gain(found, self.require_gain, what=f"{model} at factor {factor}")

    def _scores(self) -> Scores:
        from impasto.export.upscale.photos import photos_to_measure
        from impasto.export.upscale.publish import exported_upscaler

        tasks: dict[int, list[Task]] = {}
        scores: dict[int, dict[str, list[Score]]] = {}
        photos = photos_to_measure(self.photos)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            for model, version in self.chosen:
                with exported_upscaler(self.models, model, version) as upscaler:
                    label = f"{model}:{upscaler.version.number}"
                    for factor in self._wanted(upscaler.factors, label):
                        if factor not in tasks:
                            tasks[factor] = self._tasks(photos, factor)
                        shown = progress.track(tasks[factor], description=f"{label} x{factor}")
                        enlarge = partial(upscaler.upscale, factor=factor)
                        scores.setdefault(factor, {})[label] = [task.score(enlarge) for task in shown]
        return dict(sorted(scores.items()))

    def _wanted(self, has: Sequence[int], label: str) -> Sequence[int]:
        """The factors to measure of those that a model has. Raises ExportError if there are none."""
        wanted = [factor for factor in has if not self.factors or str(factor) in self.factors]
        if not wanted:
            told = ", ".join(map(str, has))
            raise ExportError(
                f"{label} does not enlarge by {', '.join(self.factors)}: it has --factor {told}"
            )
        return wanted

    def _tasks(self, photos: Sequence[Any], factor: int) -> list[Task]:
        from impasto.export.upscale.evaluate import saved_as_jpeg, tasks

        wear = None if self.jpeg is None else partial(saved_as_jpeg, level=self.jpeg)
        return list(tasks(photos, factor, wear=wear, with_ssim=True))

    def _entries(self, scores: Scores) -> Iterator[dict[str, Any]]:
        for factor, by_model in scores.items():
            for label, found in by_model.items():
                model, _, version = label.rpartition(":")
                about = {"model": model, "version": int(version), "factor": factor, "jpeg": self.jpeg}
                for score in found:
                    qualities = {"bicubic": score.bicubic.as_dict(), "upscaled": score.model.as_dict()}
                    yield {**about, "photo": score.name, **qualities}


_MEASURES: Final[Mapping[str, tuple[str, str]]] = {
    "psnr_rgb": ("PSNR of RGB in dB", ".2f"),
    "psnr_y": ("PSNR of luma in dB", ".2f"),
    "ssim": ("SSIM of luma", ".4f"),
}


def _tables(factor: int, by_model: Mapping[str, Sequence[Score]], *, jpeg: int | None) -> Iterator[Table]:
    """Make a table for each measure: a row for each photo; bicubic, and each upscaler with its gain over it."""
    worn = "" if jpeg is None else f", JPEG {jpeg}"
    for measure, (words, form) in _MEASURES.items():
        table = Table(title=f"{words}, factor {factor}{worn}")
        table.add_column("photo")
        for column in ("bicubic", *by_model):
            table.add_column(escape(printable(column)), justify="right")
        first, *_ = by_model.values()
        plain = [getattr(score.bicubic, measure) for score in first]
        found = [[getattr(score.model, measure) for score in scores] for scores in by_model.values()]
        for place, score in enumerate(first):
            cells = [_cell(values[place], plain[place], form) for values in found]
            table.add_row(escape(printable(score.name)), _number(plain[place], form), *cells)
        table.add_section()
        table.add_row(
            "mean", _number(_mean(plain), form), *(_mean_cell(values, plain, form) for values in found)
        )
        yield table


def _cell(value: float, plain: float, form: str) -> str:
    return f"{_number(value, form)} {_number(value - plain, '+' + form)}"


def _mean_cell(values: Sequence[float], plain: Sequence[float], form: str) -> str:
    """The means over the photos at which there is a gain."""
    both = [(one, other) for one, other in zip(values, plain, strict=True) if math.isfinite(one - other)]
    return _cell(_mean([one for one, _ in both]), _mean([other for _, other in both]), form)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "none"


def _chosen(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int | None], ...]:
    """`NAME` or `NAME:VERSION` as the name and the number, None for the newest."""
    chosen: list[tuple[str, int | None]] = []
    for value in values:
        name, colon, number = value.partition(":")
        if colon and not (number.isdecimal() and int(number) > 0):
            raise click.BadParameter(f"{value!r} is not NAME or NAME:VERSION, such as srcnn:2")
        chosen.append((name, int(number) if colon else None))
    return tuple(chosen)


@click.command(cls=TensorFlowCommand)
@click.option(
    "--model",
    "chosen",
    callback=_chosen,
    metavar="NAME[:VERSION]",
    multiple=True,
    help="The upscaler to measure; may be given several times, to see them side by side. Default: every one.",
)
@MODELS
@evaluation_options
def evaluate(models: Path, chosen: tuple[tuple[str, int | None], ...], **asked: Any) -> None:
    """Measure exported upscalers against bicubic interpolation, and side by side.

    Each photo is cut to sides that the factor divides, shrunk by it with Pillow's antialiased bicubic filter, enlarged
    again, and compared with the original: PSNR over all pixels, and SSIM of luma.

    \b
      impasto-export upscaler evaluate --model srcnn --model upscaler-small
      impasto-export upscaler evaluate --model upscaler-base-real --jpeg 50 --require-gain 0.5
    """
    from impasto.export.upscale.publish import upscalers

    names = chosen or tuple((name, None) for name in upscalers(models))
    Evaluation(models=models, chosen=names, **asked).run()
