"""A picture's passes through an upscaler, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from impasto.client._jobs import PinnedModel, Progress, Size, Steps, Together, begun_again
from impasto.client._models.tiling import Span, Tile, TileRoom
from impasto.client._models.upscale.description import UpscaleDescription, upscaler
from impasto.client._models.upscale.enlargement import Enlargement, Pass, enlargement
from impasto.client._models.upscale.joining import Blend, Cut, Reduction, Rows, Target, WriteRows, cropped
from impasto.client._transport.calls import Outputs
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import DecodeError, InvalidInput, OutOfMemory, PreconditionFailed
from impasto.client.model import Model
from impasto.client.pictures import Picture, read_picture
from impasto.client.signatures import FACTORS, SERVING_DEFAULT, UPSCALE

if TYPE_CHECKING:
    from impasto.client._models.upscale.job import Upscale

_SIGNATURE: Final = UPSCALE.signatures[SERVING_DEFAULT]
_INPUT: Final = _SIGNATURE.inputs[0].name
_OUTPUT: Final = _SIGNATURE.outputs[0].name

_ONLY_REDUCED: Final = (
    "without the model, because the size that was asked for is no larger than the picture's"
)


def prepared(
    job: Upscale,
    model: Model | str,
    target: Callable[[Picture, tuple[int, int]], Target[Any]],
    *,
    max_pixels: int,
) -> Steps[Any]:
    """Read a job's picture, and return the steps that enlarge it.

    Args:
        job: the job.
        model: the upscaler.
        target: makes what takes the result, each time that the picture is begun.
        max_pixels: the most pixels of the picture, and of one between two passes.

    Raises:
        ImageError, OSError: those of `read_picture`.
    """
    picture = read_picture(job.image, max_pixels=max_pixels)
    work = _Work(job, picture, Model.of(model), target, max_pixels)
    return begun_again(work.steps, work.asked)


class OtherVersion(DecodeError):  # noqa: N818 - it says what happened, as those in errors do
    """The first tile was answered by another version than the one that is known, and it works otherwise."""


class _Work(NamedTuple):
    """A picture that is to be enlarged.

    Attributes:
        job: the job.
        picture: the picture.
        asked: the model that is asked for.
        target: makes what takes the result, each time that the picture is begun.
        max_pixels: the most pixels of a picture between two passes.
    """

    job: Upscale
    picture: Picture
    asked: Model
    target: Callable[[Picture, tuple[int, int]], Target[Any]]
    max_pixels: int

    def steps(self, model: PinnedModel) -> Steps[Any]:
        """Enlarge the picture by what is known of the model; and by what it says anew, if another version answers."""
        told = yield from upscaler(model, self.asked)
        is_new = model.version == told.version
        try:
            return (yield from self._enlarge(model, told))
        except (InvalidInput, PreconditionFailed, DecodeError) as error:
            if is_new or model.version == told.version:
                raise
            now = yield from upscaler(model, self.asked, but=told)
            if now.version == told.version:
                raise error from error.__cause__
        return (yield from self._enlarge(model, now))

    def _enlarge(self, model: PinnedModel, told: UpscaleDescription) -> Steps[Any]:
        height, width = self.picture.rgb.shape[:2]
        way = enlargement(self.job, (height, width), told, model=model.name, max_pixels=self.max_pixels)
        target = self.target(self.picture, way.size)
        yield from enlarged(
            self.picture.rgb,
            way,
            told,
            model,
            target.write,
            first=self.job.factor is None and self.job.size is None and self.job.megapixels is None,
            confirm=lambda: self._confirm(model, told),
        )
        return target.result()

    def _confirm(self, model: PinnedModel, told: UpscaleDescription) -> Steps[None]:
        """Check that the version that has answered works as the one that is known. Raises OtherVersion."""
        if model.version in (told.version, 0):
            return
        now = yield from upscaler(model, self.asked, but=told)
        if not now.works_as(told):
            raise OtherVersion(
                f"version {now.version} of {model.name} answered, which does not work as version {told.version} did",
                model=model.name,
            )


def enlarged(
    rgb: NDArray[np.uint8],
    way: Enlargement,
    told: UpscaleDescription,
    model: PinnedModel,
    write: WriteRows,
    *,
    first: bool,
    confirm: Callable[[], Steps[None]],
) -> Steps[None]:
    """Enlarge a picture, and pass the rows of the result on as they come.

    Args:
        rgb: the picture uint8 [H, W, 3].
        way: the passes, and the size.
        told: the model's description.
        model: the model.
        write: gets the rows.
        first: the model's first factor is wanted, whichever it is.
        confirm: called when the first tile has been answered, to check that it was by the version that was described.

    Raises:
        DecodeError: an answer is none of an upscaler.
        CallError: a call failed.
    """
    if way.size != way.enlarged:
        write = Reduction(way.enlarged, way.size, write).write
    if not way.passes:
        yield Progress(0, 1, version=told.version, note=_ONLY_REDUCED)
        write(rgb)
        yield Progress(1, 1, version=told.version, note=_ONLY_REDUCED)
        return
    patience: Patience = yield PatienceWanted()
    room = TileRoom(model.name, patience.sides, overlap=told.overlap, minimum_side=told.minimum_side)
    done, total = 0, sum(len(each.tiles) for each in way.passes)
    yield Progress(done, total, version=model.version, note=room.note)
    for each in way.passes:
        is_last = each is way.passes[-1]
        between = Rows(*((0, 0) if is_last else (side * each.factor for side in each.size)))
        signature = None if first else FACTORS[each.factor]
        work = _Pass(_padded(rgb, each.padded), each, signature, told, model, room)
        yield from work.run(write if is_last else between.write, done, total, confirm)
        rgb, done = between.array, done + len(each.tiles)


class _Pass(NamedTuple):
    """One pass.

    Attributes:
        rgb: what is enlarged, and padded.
        plan: the pass.
        signature: what is called; None for the one of the first factor.
        told: the model's description.
        model: the model.
        room: the room for tiles, as far as is known.
    """

    rgb: NDArray[np.uint8]
    plan: Pass
    signature: str | None
    told: UpscaleDescription
    model: PinnedModel
    room: TileRoom

    def run(self, write: WriteRows, done: int, total: int, confirm: Callable[[], Steps[None]]) -> Steps[None]:
        """Enlarge tile by tile; the first one of all alone, for its answer names the version that makes the others."""
        height, width = self.plan.size
        if self.plan.padded != self.plan.size:
            write = cropped(height * self.plan.factor, width * self.plan.factor, write)
        join = self._join(Span(0, self.plan.padded[1], 0, self.plan.padded[1]), write)
        alone, others = (self.plan.tiles[:1], self.plan.tiles[1:]) if not done else ((), self.plan.tiles)
        for piece in alone:
            part = yield from self._part(piece)
            yield from confirm()
            join.put(piece, part)
            done += 1
            yield self._progress(done, total)
        together = Together(self._part(piece) for piece in others)
        for piece in others:
            join.put(piece, (yield together))
            done += 1
            yield self._progress(done, total)
        if others:
            yield together  # it has ended, which closes it

    def _progress(self, done: int, total: int) -> Progress:
        return Progress(done, total, version=self.model.version, note=self.room.note)

    def _join(self, columns: Span, write: WriteRows) -> Cut | Blend:
        if self.told.blends:
            return Blend(columns, self.plan.factor, self.told.overlap, write)
        return Cut(columns, self.plan.factor, write)

    def _part(self, piece: Tile) -> Steps[NDArray[np.uint8]]:
        """Return the part of the result that is joined: by one call, or by several if the server lacks the memory."""
        wanted = piece.whole if self.told.blends else piece
        if self.room.takes(piece):
            batch = np.ascontiguousarray(self.rgb[piece.source])[np.newaxis]
            try:
                outputs = yield from self.model.predict(
                    {_INPUT: batch}, signature=self.signature, outputs=[_OUTPUT]
                )
            except OutOfMemory as error:
                self.room.shrink(piece, error)
            else:
                kept: NDArray[np.uint8] = self._result(outputs, batch.shape)[0][wanted.kept(self.plan.factor)]
                return kept
        rows, columns = wanted.target(self.plan.factor)
        joined = Rows(rows.stop - rows.start, columns.stop - columns.start)
        join = self._join(wanted.columns, joined.write)
        for part in self.room.parts(wanted):
            join.put(part, (yield from self._part(part)))
        return joined.array

    def _result(self, outputs: Outputs, sent: tuple[int, ...]) -> NDArray[np.uint8]:
        batch, height, width, channels = sent
        wanted = (batch, height * self.plan.factor, width * self.plan.factor, channels)
        found = outputs.get(_OUTPUT)
        if found is None or found.dtype != np.uint8 or found.shape != wanted:
            got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            raise DecodeError(
                f"{self.model.name} answered {got} for {_OUTPUT!r} where an upscaler answers uint8 {list(wanted)}; "
                "is this model an upscaler?",
                model=self.model.name,
            )
        return found


def _padded(rgb: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return the picture with its last row and column repeated up to this size, for models that take no smaller one."""
    height, width = rgb.shape[:2]
    if (height, width) == size:
        return rgb
    return np.pad(rgb, ((0, size[0] - height), (0, size[1] - width), (0, 0)), mode="edge")
