"""The frames of pictures that have several: which are taken, and what is said about it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from PIL import Image

from impasto.client import AsyncClient, Progress
from impasto.client.cli.files import Pipe, Place, name_of, suffix_of
from impasto.client.cli.options import Pictures
from impasto.client.cli.output import note
from impasto.client.errors import ImpastoError, UnsupportedImage
from impasto.client.pictures import (
    ANIMATED,
    Animation,
    ImageSource,
    Picture,
    moves,
    read_animation,
    read_picture,
)

# A look at a file decodes nothing; whether its pictures are too large is found when they are read.
_ANY_SIZE: Final = 2**31

Taken: TypeAlias = Picture | Animation[Picture]
"""The part of a file that is taken: one picture, or all frames."""


@dataclass(frozen=True)
class Frames:
    """The frames that a run takes of its pictures.

    Attributes:
        number: which frame or page, from 1; None for the first, or every one.
        every: take every frame of an animation that goes to a format which moves.
        max_pixels: the limit of a picture, and of all frames of an animation.
    """

    number: int | None
    every: bool
    max_pixels: int

    def may_keep_all(self, output: Place) -> bool:
        """Tell whether every frame is taken of an animation that goes there."""
        return self.every and self.number is None and suffix_of(output) in ANIMATED

    def read(self, source: ImageSource, output: Place) -> Taken:
        """Read what is taken of a file, or a file's bytes, for this place.

        Raises:
            OSError, ImageError: as `read_picture`; UnsupportedImage if there is no such frame.
        """
        limit = self.max_pixels
        if isinstance(source, Path | bytes) and self.may_keep_all(output) and _moves(source, limit):
            return read_animation(source, max_pixels=limit)
        return self.read_one(source)

    def read_one(self, source: ImageSource) -> Picture:
        """Read one frame of a file, or of a file's bytes. Raises as `read`."""
        number = self.number or 1
        try:
            return read_picture(source, max_pixels=self.max_pixels, frame=number - 1)
        except ImpastoError:
            raise
        except ValueError as error:
            first = read_picture(source, max_pixels=self.max_pixels, frame=0)
            there = "1 frame" if first.frames == 1 else f"{first.frames} frames or pages"
            raise UnsupportedImage(
                f"{first.name} has {there}; --frame {number} is beyond the last"
            ) from error

    def words(self, taken: Taken, source: ImageSource | Place) -> str | None:
        """Return words about what was left out of a file without anybody's asking for it, or None."""
        if isinstance(taken, Animation) or taken.frames == 1 or self.number is not None:
            return None
        words = f"frame 1 of {taken.frames} is taken; --frame N takes another"
        if self.every and isinstance(source, Path | bytes) and _moves(source, self.max_pixels):
            return f"{words}, and {', '.join(ANIMATED[:-1])} or {ANIMATED[-1]} keeps them all"
        return words

    def tell(self, taken: Taken, source: Place) -> None:
        """Say these words about a file to the person."""
        words = self.words(taken, source)
        if words is not None:
            note(f"impasto: {name_of(source)}: {words}")


def frames_of(pictures: Pictures, *, max_pixels: int) -> Frames:
    """Return the frames that the options ask for."""
    return Frames(pictures.frame, pictures.every_frame, max_pixels)


def keeps_moving(source: Place, output: Place, pictures: Pictures) -> bool:
    """Tell whether a file is an animation of which every frame is done. What cannot be read is none.

    Standard input is not looked at, nor what else can be read only once; it counts as none.
    """
    if isinstance(source, Pipe) or not frames_of(pictures, max_pixels=_ANY_SIZE).may_keep_all(output):
        return False
    try:
        return _moves(source, _ANY_SIZE)
    except (ImpastoError, OSError):
        return False


def _moves(source: Path | bytes, max_pixels: int) -> bool:
    # A pipe that a shell gave a name can be read only once.
    return (isinstance(source, bytes) or source.is_file()) and moves(source, max_pixels=max_pixels)


async def every_frame(
    client: AsyncClient,
    animation: Animation[Picture],
    work: Callable[[AsyncClient, Picture], Awaitable[Image.Image]],
    show: Callable[[Progress], None],
    *,
    concurrency: int,
) -> Animation[Image.Image]:
    """Return what `work` makes of each frame, as an animation; `show` is told how many frames are done.

    The first frame is made before the others, so that `work` may let these depend on what it learns.

    Raises:
        ImpastoError: of the first frame that failed.
    """
    first, *others = animation.frames
    total = len(animation.frames)
    show(Progress(0, total))
    done = [await work(client, first)]
    show(Progress(1, total))
    tasks = [functools.partial(_swapped, work, frame) for frame in others]
    async with aclosing(client.map(tasks, concurrency=concurrency)) as outcomes:
        async for outcome in outcomes:
            done.append(outcome.result)
            show(Progress(len(done), total))
    return animation.with_frames(done)


async def _swapped(
    work: Callable[[AsyncClient, Picture], Awaitable[Image.Image]], frame: Picture, client: AsyncClient
) -> Image.Image:
    return await work(client, frame)


def as_json(taken: Taken) -> Mapping[str, int]:
    """Return the frames of a file with several, and which one was taken, as JSON values."""
    if isinstance(taken, Animation):
        return {"frames": len(taken.frames)}
    return {} if taken.frames == 1 else {"frame": taken.frame + 1, "frames": taken.frames}
