"""`impasto dream`: let a picture dream, or zoom into its dreams."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import click
from PIL import Image

from impasto.client import Client, DescribeDream, Dream, DreamProgress, Model, errors, signatures, zoom_in
from impasto.client._models.dream import job
from impasto.client._models.dream.recipes import FINE, RECIPES
from impasto.client._video import WRITABLE_VIDEOS, Form, Parts, video_suffix, without_package
from impasto.client.cli import options
from impasto.client.cli.bars import Reached
from impasto.client.cli.files import Pipe, Place, is_folder, make_folder, refuse_inputs
from impasto.client.cli.frames import frames_of
from impasto.client.cli.long_jobs import Growing, LongJobs, run_growing, run_long_jobs
from impasto.client.pictures import Animation, ImageSource, Picture, to_frame, write_animation, write_picture

_ZOOM_FORM: Final = Form(rate=Fraction(10), tick=Fraction(1, 10))
"""A video has as many frames a second as a .gif."""

_ZOOM_KINDS: Final = f"a video ({', '.join(WRITABLE_VIDEOS)}), a .gif, or numbered pictures into a folder"

FRAME_NAME: Final = "frame-%05d.png"
"""In a folder; counted from 1. FFmpeg understands it."""


def _octaves(_context: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    """`-2,-1,0` as numbers."""
    try:
        return None if value is None else [int(entry) for entry in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as -2,-1,0") from None


_OPTIONS = (
    click.option(
        "--recipe",
        type=click.Choice(list(RECIPES)),
        default=FINE,
        show_default=True,
        help="fine: clean structures, the photo's own detail. classic: DeepDream as it was published, with the "
        "numbers that the model suggests.",
    ),
    click.option(
        "--layers",
        callback=options.layers,
        metavar="NAME[=WEIGHT],...",
        help="The layers to excite, such as mixed3,mixed5=0.5. `impasto models -s` lists them.",
    ),
    click.option(
        "--octaves",
        callback=_octaves,
        metavar="N,...",
        help="The sizes to work at, in this order, as powers of the octave scale; 0 is the picture's own.",
    ),
    click.option(
        "--octave-scale",
        type=options.number(job.RANGES["octave_scale"]),
        metavar="RATIO",
        help="How much larger each octave is.",
    ),
    click.option(
        "--steps",
        type=options.number(job.RANGES["steps"]),
        metavar="N",
        help="Gradient steps at each octave.",
    ),
    click.option(
        "--step-size",
        type=options.number(job.RANGES["step_size"]),
        metavar="SIZE",
        help="How far each step goes.",
    ),
    click.option(
        "--preserve-color",
        is_flag=True,
        help="Keep the picture's colours; take only brightness from the dream.",
    ),
    click.option(
        "--guide",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PICTURE",
        help="Dream towards the features of another picture.",
    ),
    click.option(
        "--tile",
        type=options.number(job.RANGES["tile"]),
        metavar="PIXELS",
        help="Take gradients in pieces of this size, which needs less memory on the server; 0 for none.  "
        "[default: 512 for pictures above a megapixel]",
    ),
    click.option(
        "--seed",
        type=options.number(job.RANGES["seed"]),
        default=0,
        show_default=True,
        metavar="N",
        help="Of the random shifts.",
    ),
)


@click.command(short_help="Let a picture dream (DeepDream).")
@options.picture_options(model=signatures.DREAM.name, concurrency=1)
@options.job_options(Dream, _OPTIONS, besides=("image", "model"))
@options.long_job_options
@click.option(
    "--zoom",
    "frames",
    type=click.IntRange(min=1),
    metavar="FRAMES",
    help="Dream, zoom in, dream again, ...: into a video (.mp4, .mov, .mkv or .webm, by impasto-client[video]), a "
    ".gif, or as frame-00001.png, ... into a folder.",
)
@click.option(
    "--zoom-factor",
    type=options.Number(min=1.0, max=10.0),
    default=1.05,
    show_default=True,
    metavar="RATIO",
    help="How far --zoom goes in from frame to frame.",
)
@options.common_options
def dream(
    *,
    common: options.Common,
    pictures: options.Pictures,
    model: Model,
    fields: dict[str, Any],
    keep: options.Keep,
    frames: int | None,
    zoom_factor: float,
) -> int:
    """Let a picture dream: change it so that layers of a network respond more strongly to it.

    IN is a picture, several, or a folder of them. The options that are not given take what the recipe says, and else
    what the served model suggests; `impasto models -s` shows it. Ctrl-C stops at once and keeps the picture of the last
    answer, not more than 10 seconds or a step old. While the server is away the command waits for it, up to 5 minutes
    (IMPASTO_PATIENCE).

    \b
      impasto dream photo.jpg -o dream.png
      impasto dream photo.jpg -o dream.png --layers mixed3,mixed5=0.5 --steps 100
      impasto dream photo.jpg -o dream.png --recipe classic --octaves -2,-1,0
      impasto dream photo.jpg -o dream.mp4 --zoom 30 --steps 10
      impasto dream photo.jpg -o frames/ --zoom 30 --steps 10
      impasto dream holiday/ -o dreams/ --resume
    """
    guide = fields.get("guide")
    others = (guide,) if isinstance(guide, Path) else ()
    if frames is not None:
        if keep != options.Keep(None, None) or pictures.resume:
            raise click.UsageError(
                "--zoom keeps frames, and takes neither --every, --checkpoint nor --resume"
            )
        zoom = zoom_of(pictures, others=others, frames=frames, factor=zoom_factor)
        with common.connect() as client:
            return run_zoom(
                client,
                zoom,
                lambda picture, pinned: Dream(picture, model=pinned, **fields),
                common=common,
                model=model,
            )
    jobs = LongJobs(
        lambda picture: Dream(picture, model=model, **fields),
        describe=DescribeDream(model=model),
        where=_where,
        measures=_measures,
    )
    return run_long_jobs(jobs, pictures, others=others, keep=keep, common=common)


def _where(progress: DreamProgress) -> str:
    return f"octave {progress.octave} of {progress.octaves}, step {progress.step} of {progress.steps}"


def _measures(progress: DreamProgress) -> dict[str, object]:
    return {"loss": progress.loss}


@dataclass(frozen=True, kw_only=True)
class Zoom:
    """The frames that `--zoom` makes.

    Attributes:
        source: the picture to begin with.
        others: further files that are read.
        output: a video, a .gif, or a folder for numbered PNG files.
        kind: which of these it is.
        frames: how many.
        factor: how far to go in from frame to frame.
        pictures: which frame of the source is taken, and how the results are written.
    """

    source: Path
    others: tuple[Path, ...]
    output: Path
    kind: Literal["video", "gif", "folder"]
    frames: int
    factor: float
    pictures: options.Pictures

    def frame_path(self, number: int) -> Path:
        """Where frame `number`, from 1, goes."""
        return self.output / (FRAME_NAME % number)


def zoom_of(pictures: options.Pictures, *, others: tuple[Path, ...], frames: int, factor: float) -> Zoom:
    """Return what the options ask for. UsageError if they do not name one picture, and what a zoom goes to."""
    source, output = pictures.inputs[0], pictures.output
    if len(pictures.inputs) > 1 or not isinstance(source, Path) or is_folder(source):
        raise click.UsageError("--zoom is for one picture in a file")
    if isinstance(output, Pipe):
        raise click.UsageError(f"-o {output}: --zoom writes {_ZOOM_KINDS}")
    suffix = "" if pictures.as_folder or output.is_dir() else video_suffix(output)
    kind: Literal["video", "gif", "folder"] = (
        "folder" if not suffix else "gif" if suffix == ".gif" else "video"
    )
    if kind == "video":
        if suffix not in WRITABLE_VIDEOS:
            raise click.UsageError(f"-o {output}: --zoom writes {_ZOOM_KINDS}")
        if (missing := without_package()) is not None:
            raise click.UsageError(f"-o {output}: {missing}; or write a .gif")
    pictures.writing.check([Path(FRAME_NAME).suffix if kind == "folder" else suffix])
    return Zoom(
        source=source,
        others=others,
        output=output,
        kind=kind,
        frames=frames,
        factor=factor,
        pictures=pictures,
    )


def run_zoom(
    client: Client,
    zoom: Zoom,
    dream: Callable[[ImageSource, Model], Dream],
    *,
    common: options.Common,
    model: Model,
) -> int:
    """Make and write the frames, and return the exit code.

    Ctrl-C, and a server that fails for good, leave the frames that are done.

    Raises:
        CallError: a frame could not be made. Those before it are written.
        OutputError: what was made cannot be written.
    """
    _check_zoom(zoom)
    client = client.in_one_job()
    # One version for all frames, whatever is published meanwhile.
    pinned = Model(model.name, client.describe_dream(model=model).version)

    frames = frames_of(zoom.pictures, max_pixels=client.settings.max_pixels)
    first = frames.read_one(zoom.source)
    frames.tell(first, zoom.source)

    def make(picture: ImageSource, show: Callable[[DreamProgress], None]) -> Image.Image:
        return client.run(dream(picture, pinned), on_progress=show)

    return run_growing(_GrowingZoom(zoom, first, make, common), common=common)


class _GrowingZoom(Growing):
    """The frames of a zoom.

    Args:
        zoom: what is made.
        first: the picture to begin with.
        dream: makes a frame of a picture.
        common: the common options; the time of the command's waits does not count.
    """

    reports_failures = True

    def __init__(
        self,
        zoom: Zoom,
        first: Picture,
        dream: Callable[[ImageSource, Callable[[DreamProgress], None]], Image.Image],
        common: options.Common,
    ) -> None:
        self._zoom = zoom
        self._first = first
        self._dream = dream
        self._waits = common.waits
        self._animation: list[Image.Image] = []
        self._parts: Parts | None = None
        self._done = 0

    def has_begun(self) -> bool:
        return self._done > 0

    def make(self, show: Callable[[Reached, str], None]) -> None:
        zoom, started = self._zoom, time.monotonic()

        def tell(progress: DreamProgress) -> None:
            reached = Reached.of(progress).in_part(self._done, zoom.frames)
            worked = time.monotonic() - started - self._waits.seconds
            left = worked * (1 / reached.fraction - 1) if reached.fraction else None
            show(reached, f"frame {self._done + 1}/{zoom.frames}  {replace(progress, seconds_left=left)}")

        picture: ImageSource = self._first
        # Ctrl-C does not interrupt another thread: a frame counts if and only if it is kept.
        with ThreadPoolExecutor(1) as keeper:
            for _ in range(zoom.frames):
                frame = self._dream(picture, tell)
                keeper.submit(self._keep, frame).result()
                picture = zoom_in(frame, factor=zoom.factor)

    def _keep(self, frame: Image.Image) -> None:
        if self._zoom.kind == "gif":
            self._animation.append(to_frame(frame))
        elif self._zoom.kind == "folder":
            self._write(write_picture, self._zoom.frame_path(self._done + 1), frame)
        else:
            if self._parts is None:
                self._parts = Parts(self._zoom.output, {})
                self._parts.begin()
            self._parts.add(frame, self._done, _ZOOM_FORM)
        self._done += 1

    def write(self, *, finished: bool) -> None:
        output = self._zoom.output
        if self._zoom.kind == "gif":
            self._write(write_animation, output, Animation.of(self._animation))
        if self._parts is not None:
            self._parts.join(overwrite=self._zoom.pictures.overwrite)

    def _write(self, writer: Callable[..., None], path: Path, result: object) -> None:
        pictures = self._zoom.pictures
        writer(path, result, overwrite=pictures.overwrite, **pictures.writing.options(path.suffix))

    def notes(self) -> Sequence[str]:
        zoom = self._zoom
        return [f"stopped after {self._done} of {zoom.frames} frames; they are in {zoom.output}"]

    def files(self) -> Sequence[Place]:
        return [self._zoom.output]

    def report(self, *, finished: bool) -> Mapping[str, object]:
        return {
            "input": str(self._zoom.source),
            "output": str(self._zoom.output),
            **({"frame": self._first.frame + 1} if self._first.frames > 1 else {}),
            "frames": self._done,
            "finished": finished,
        }


def _check_zoom(zoom: Zoom) -> None:
    """Find out before the work whether the film, or the folder's pictures, can be written."""
    if zoom.kind != "folder":
        outputs = [zoom.output]
        if not zoom.output.absolute().parent.is_dir():
            raise errors.UnwritableOutput(f"cannot write {zoom.output}: its folder is not there")
    else:
        outputs = [zoom.frame_path(number) for number in range(1, zoom.frames + 1)]
        make_folder(zoom.output)
        beyond = zoom.frame_path(zoom.frames + 1)
        if beyond.exists():
            raise errors.OutputExists(f"{beyond} is of a longer zoom; delete it, or name another folder")
    there = [path for path in outputs if path.exists()]
    refuse_inputs(there, (zoom.source, *zoom.others))
    if there and not zoom.pictures.overwrite:
        raise errors.OutputExists(f"{there[0]} exists and may not be replaced without overwrite")
