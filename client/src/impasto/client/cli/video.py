"""The runner of a video: every frame is done, several at once, and the result has the sound."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from PIL import Image

from impasto.client import AsyncClient, Client, Model, Progress
from impasto.client._video import (
    WRITABLE_VIDEOS,
    Parts,
    Video,
    VideoFrame,
    check_video_output,
    is_video,
    video_suffix,
)
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import PictureBars
from impasto.client.cli.files import Pipe, is_folder, make_folder, refuse_inputs
from impasto.client.cli.options import Common, Pictures
from impasto.client.cli.output import note, print_json
from impasto.client.cli.pairs import Pair, Plan
from impasto.client.cli.resuming import Ledger, Recipe, fingerprint
from impasto.client.cli.runner import Work
from impasto.client.cli.served import look_up
from impasto.client.errors import OutputExists

_USUAL: Final = ".mp4"
_ANY_SIZE: Final = 2**31


def pair_up_video(pictures: Pictures, *, others: tuple[Path, ...] = ()) -> Plan | None:
    """Return the plan of a run whose input is a video, None for one of pictures.

    Raises:
        click.ClickException: a video beside others, or one that goes to what is none.
        OutputError: the folder that it goes to cannot be made.
    """
    videos = [path for path in pictures.inputs if is_video(path)]
    output = pictures.output
    moving = (
        len(pictures.inputs) == 1 and isinstance(output, Path) and video_suffix(output) in WRITABLE_VIDEOS
    )
    if moving and isinstance(pictures.inputs[0], Path) and pictures.inputs[0].suffix.lower() == ".gif":
        videos = [pictures.inputs[0]]
    if not videos:
        return None
    source = videos[0]
    assert isinstance(source, Path)
    if len(pictures.inputs) > 1:
        raise click.UsageError(f"{source} is a video, which goes by itself: name no other input")
    if pictures.frame is not None:
        raise click.UsageError(f"--frame {pictures.frame}: of a video every frame is done")
    if isinstance(output, Pipe):
        raise click.UsageError(f"-o {output}: a video goes to a file, such as result{_USUAL}")
    for name, value in (("quality", pictures.writing.quality), ("compress", pictures.writing.compress)):
        if value is not None:
            raise click.UsageError(f"--{name} {value}: a video has no such option")
    if pictures.as_folder or is_folder(output) or not output.suffix:
        suffix = source.suffix if video_suffix(source) in WRITABLE_VIDEOS else _USUAL
        make_folder(output)
        output = output / (source.stem + suffix)
    elif video_suffix(output) not in WRITABLE_VIDEOS:
        raise click.UsageError(
            f"-o {output}: {source} is a video; its result goes to one of {', '.join(WRITABLE_VIDEOS)}"
        )
    refuse_inputs([output], [source, *others])
    return Plan((Pair(source, output),), None)


def run_video(
    client: Client,
    plan: Plan,
    work: Work,
    *,
    recipe: Recipe,
    common: Common,
    pictures: Pictures,
    told: Mapping[str, Any] | None = None,
) -> int:
    """Do every frame of a video and write the result, show progress, and return the exit code.

    Ctrl-C, and whatever ends the run, leave what is done so far in a hidden folder beside the result, from which
    --resume goes on.

    Args:
        client: connected; AsyncClients with its settings do the work.
        plan: as `pair_up_video` returns it.
        work: makes one frame.
        recipe: what the results depend on, for --resume.
        common: the common options.
        pictures: what was asked for.
        told: what --json tells beside what became of the video.

    Raises:
        CallError: a frame could not be made.
        ImageError: the video cannot be read.
        OutputError: the result cannot be written.
    """
    (pair,) = plan.pairs
    source, output = pair.source, pair.output
    assert isinstance(source, Path)
    assert isinstance(output, Path)
    overwrite = pictures.overwrite or pictures.resume
    check_video_output(output, overwrite=overwrite)
    # One version for all frames, whatever is published meanwhile.
    model = Model(recipe.model.name, look_up(client, recipe.model).version)
    ledger = Ledger(plan, recipe, pictures)
    if pictures.resume and not ledger.to_do(client, quiet=common.quiet):
        if common.as_json:
            print_json({**(told or {}), **_report(skipped=[_names(pair)])})
        elif not common.quiet:
            note(f"impasto: {output} is there already, made of the same video in the same way")
        return exit_codes.DONE
    ledger.begin(pair)
    started = time.monotonic()
    bars = PictureBars(quiet=common.quiet, waits=common.waits, pictures=1, behind=0, unit="frames")
    with Video(source, max_pixels=client.settings.max_pixels) as video, bars:
        made_of = {"video": _held(source), "options": recipe.digest(pictures), "version": model.version}
        parts = Parts(output, {"model": model.name, **made_of})
        _begin(parts, pictures, bars)
        making = _Making(video, parts, work, model, ledger.watch(pair, _unshown), pictures.concurrency)
        with bars.picture(source.name) as show:
            try:
                making.run(client, show)
            except BaseException:
                parts.leave()
                if parts.frames:
                    bars.message(
                        f"impasto: {parts.frames} frames of {output} are done; --resume goes on from them"
                    )
                raise
        parts.join(sound=source, metadata=not pictures.writing.strip, overwrite=overwrite)
        ledger.record(pair)
        lost = ledger.close()
        lines = [f"{output} has no {' and no '.join(video.left_out)}, which {source} has"] * bool(
            video.left_out
        )
        for line in () if common.quiet else (*lines, *((lost,) if lost else ())):
            bars.message(f"impasto: {line}")
        if not common.as_json:
            bars.result(output)
    if common.as_json:
        with Video(output, max_pixels=_ANY_SIZE) as result:
            done = {"frames": making.done, "width": result.size[0], "height": result.size[1]}
        seconds = round(time.monotonic() - started, 3)
        print_json({**(told or {}), **_report(done=[{**_names(pair), **done, "seconds": seconds}])})
    return exit_codes.DONE


@dataclass
class _Making:
    """The frames that are left of a video.

    Attributes:
        video: they are read from it.
        parts: they are written to it.
        work: makes one frame.
        model: by this version.
        watch: is told by the work how far it is.
        concurrency: how many are under way at once.
        done: how many there are, those of earlier runs included.
    """

    video: Video
    parts: Parts
    work: Work
    model: Model
    watch: Callable[[Progress], None]
    concurrency: int
    done: int = field(init=False)

    def __post_init__(self) -> None:
        self.done = self.parts.frames
        self._waiting: dict[int, VideoFrame] = {}

    def run(self, client: Client, show: Callable[[Progress], None]) -> None:
        """Do them, in their order, and show how many are done. Raises CallError, ImageError, OutputError."""
        video = self.video
        show(Progress(self.done, max(video.about, self.done)))
        with closing(client.map(self._tasks(), concurrency=self.concurrency)) as outcomes:
            for outcome in outcomes:
                made, frame = outcome.result, self._waiting.pop(outcome.index)
                self.parts.add(made, frame.at, video.form)
                self.done += 1
                show(Progress(self.done, max(video.about, self.done)))

    def _tasks(self) -> Generator[Callable[[AsyncClient], Awaitable[Image.Image]], None, None]:
        """A frame is decoded as soon as there is room for it, and no sooner: memory has only those under way."""
        with closing(self.video.frames(self.done)) as frames:
            for number, frame in enumerate(frames):
                self._waiting[number] = frame
                yield self._task(frame)

    def _task(self, frame: VideoFrame) -> Callable[[AsyncClient], Awaitable[Image.Image]]:
        async def do(client: AsyncClient) -> Image.Image:
            return await self.work(client, frame.pixels, self.model, self.watch)

        return do


def _begin(parts: Parts, pictures: Pictures, bars: PictureBars) -> None:
    """Go on with the parts that are there, or begin anew.

    Raises:
        OutputExists: there are some, and nothing says what is to become of them.
        UnwritableOutput: their folder cannot be made.
    """
    there = parts.frames
    if there and not pictures.overwrite:
        if not pictures.resume:
            raise OutputExists(
                f"{there} frames of {parts.target} are there from a run that was ended: --resume goes on from them, "
                "--overwrite begins anew"
            )
        other = parts.difference()
        if other is None:
            return
        bars.message(
            f"impasto: {parts.target} is begun anew: the {there} frames that were there are of another {other}"
        )
    parts.begin()


def _unshown(_progress: Progress) -> None:
    pass


def _held(path: Path) -> str:
    found = fingerprint(path)
    return "" if found is None else found.sha256


def _report(**entries: Any) -> dict[str, Any]:
    return {"done": [], "skipped": [], "failed": [], "left_out": [], **entries}


def _names(pair: Pair) -> dict[str, Any]:
    return {"input": str(pair.source), "output": str(pair.output)}
