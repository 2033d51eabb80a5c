"""`impasto dream --zoom`: a sequence that dreams its way into a picture."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from PIL import Image

from impasto.client import (
    Client,
    Dream,
    DreamProgress,
    ImageSource,
    Model,
    write_animation,
    write_picture,
    zoom_in,
)
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import JobBar, Waits
from impasto.client.cli.files import Pipe, Place, refuse_inputs
from impasto.client.cli.options import Common
from impasto.client.cli.output import note, print_json, print_path
from impasto.client.cli.picture_options import Results, one_file
from impasto.client.errors import CallError, OutputExists, UnwritableOutput
from impasto.client.pictures import to_frame

FRAME_NAME: Final = "frame-%05d.png"
"""In a folder; counted from 1. FFmpeg understands it."""


@dataclass(frozen=True, kw_only=True)
class Zoom:
    """What `--zoom` makes.

    Attributes:
        source: the picture to begin with.
        others: further files that are read.
        output: a .gif, or a folder for numbered PNG files.
        animated: whether it is a .gif.
        frames: how many.
        factor: how far to go in from frame to frame.
        overwrite: replace what is there.
    """

    source: Path
    others: tuple[Path, ...]
    output: Path
    animated: bool
    frames: int
    factor: float
    overwrite: bool

    def frame_path(self, number: int) -> Path:
        """Where frame `number`, from 1, goes."""
        return self.output / (FRAME_NAME % number)


def zoom_of(
    inputs: Sequence[Place], results: Results, *, others: tuple[Path, ...], frames: int, factor: float
) -> Zoom:
    """What the options ask for. UsageError if they do not name one picture, and a .gif or a folder."""
    source = one_file(inputs, option="--zoom")
    output = results.output
    if isinstance(output, Pipe):
        raise click.UsageError(f"-o {output}: --zoom writes a .gif, or numbered pictures into a folder")
    into_folder = results.as_folder or not output.suffix or output.is_dir()
    animated = not into_folder and output.suffix.lower() == ".gif"
    if not into_folder and not animated:
        raise click.UsageError(
            f"-o {output}: --zoom writes a .gif, or numbered pictures into a folder"
            + (f", which then become a video: {_video_command(output)}" if _is_video(output) else "")
        )
    return Zoom(
        source=source,
        others=others,
        output=output,
        animated=animated,
        frames=frames,
        factor=factor,
        overwrite=results.overwrite,
    )


def run_zoom(
    client: Client,
    zoom: Zoom,
    options: Mapping[str, Any],
    *,
    common: Common,
    model: Model,
) -> int:
    """Make and write the frames; returns the exit code.

    Ctrl-C, and a server that fails for good, leave the frames that are done.

    Raises:
        CallError: a frame could not be made. Those before it are written.
        OutputError: what was made cannot be written.
    """
    started = time.monotonic()
    _check(zoom)
    client = client.in_one_job()
    # One version for all frames, whatever is published meanwhile.
    options = {**options, "model": Model(model.name, client.describe_dream(model=model).version)}
    frames: list[Image.Image] = []
    done = 0
    stopped: KeyboardInterrupt | CallError | None = None
    with JobBar(quiet=common.quiet, waits=common.waits) as bar:
        try:
            for number, frame in _frames(client, zoom, options, bar, common.waits):
                if zoom.animated:
                    frames.append(to_frame(frame))
                else:
                    write_picture(zoom.frame_path(number), frame, overwrite=zoom.overwrite)
                done = number
        except (KeyboardInterrupt, CallError) as error:
            if not done:
                raise
            stopped = error
    if zoom.animated:
        write_animation(zoom.output, frames, overwrite=zoom.overwrite)
    if stopped is not None:
        note(f"impasto: stopped after {done} of {zoom.frames} frames; they are in {zoom.output}")
    if common.as_json:
        print_json(
            {
                "input": str(zoom.source),
                "output": str(zoom.output),
                "frames": done,
                "finished": stopped is None,
                "seconds": round(time.monotonic() - started, 3),
            }
        )
    else:
        print_path(zoom.output)
    if isinstance(stopped, CallError):
        raise stopped
    return exit_codes.DONE if stopped is None else exit_codes.INTERRUPTED


def _check(zoom: Zoom) -> None:
    """Find out before the work whether the GIF, or the folder's pictures, can be written."""
    if zoom.animated:
        outputs = [zoom.output]
        if not zoom.output.absolute().parent.is_dir():
            raise UnwritableOutput(f"cannot write {zoom.output}: its folder is not there")
    else:
        outputs = [zoom.frame_path(number) for number in range(1, zoom.frames + 1)]
        try:
            zoom.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableOutput(f"cannot make the folder {zoom.output}: {error.strerror}") from error
        beyond = zoom.frame_path(zoom.frames + 1)
        if beyond.exists():
            raise OutputExists(f"{beyond} is of a longer zoom; delete it, or name another folder")
    there = [path for path in outputs if path.exists()]
    refuse_inputs(there, (zoom.source, *zoom.others))
    if there and not zoom.overwrite:
        raise OutputExists(f"{there[0]} exists and may not be replaced without overwrite")


def _is_video(output: Path) -> bool:
    return output.suffix.lower() in (".mp4", ".mkv", ".mov", ".webm")


def _video_command(output: Path) -> str:
    """What makes a video of the frames in a folder of its name; the codec wants even sides."""
    even = "crop=trunc(iw/2)*2:trunc(ih/2)*2"
    frames = output.with_suffix("") / FRAME_NAME
    words = ["ffmpeg", "-framerate", "10", "-i", str(frames), "-vf", even, "-pix_fmt", "yuv420p", str(output)]
    return shlex.join(words)


def _frames(
    client: Client, zoom: Zoom, options: Mapping[str, Any], bar: JobBar, waits: Waits
) -> Iterator[tuple[int, Image.Image]]:
    picture: ImageSource = zoom.source
    started = time.monotonic()
    for number in range(1, zoom.frames + 1):

        def show(progress: DreamProgress, number: int = number) -> None:
            fraction = (number - 1 + progress.fraction) / zoom.frames
            worked = time.monotonic() - started - waits.seconds
            left = worked * (1 / fraction - 1) if fraction else None
            bar.show(fraction, f"frame {number}/{zoom.frames}  {replace(progress, seconds_left=left)}")

        frame = client.run(Dream(picture, **options), on_progress=show)
        yield number, frame
        picture = zoom_in(frame, factor=zoom.factor)
