"""The jobs that enlarge pictures, and the one that asks an upscaler what it is."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from PIL import Image

from impasto.client._jobs import Job, PinnedModel, Progress, Steps
from impasto.client._models.upscale.description import UpscaleDescription, upscaler
from impasto.client._models.upscale.enlargement import (
    AUTO,
    Factor,
    TileSide,
    check_factors,
    check_tile,
    checked_sizes,
)
from impasto.client.model import Model
from impasto.client.pictures import ImageSource, RowSink
from impasto.client.settings import CallKind
from impasto.client.signatures import UPSCALE


@dataclass(frozen=True, eq=False)
class Upscale(Job[Image.Image, Progress]):
    """Enlarge a picture.

        client.upscale("photo.jpg", factor=4, model="upscaler-base")
        client.upscale("photo.jpg", size=(3840, 2160))

    What the model is, is asked for once for each version of it: its factors, and the tiles that suit it. A large
    picture is sent in tiles, several of which are under way at once, spread over the replicas. The version that
    answers the first call is asked for by the others, too. If it goes away in the middle, the picture is begun again
    with the one that is served then, and the progress with it; twice at most. Where the server does not have the memory
    for a tile, smaller ones are sent from then on, which the progress notes.

    Give at most one of `factor`, `size` and `megapixels`. For the last two the picture is enlarged by the next factor
    of the model, or by as few as do one after the other, and then reduced by Lanczos; one that is larger already is
    only reduced, without the model, which the progress notes.

    Args:
        image: a path, an image file's bytes, a PIL image, or a uint8 array [H, W], [H, W, 1], [H, W, 2]
            (gray and alpha), [H, W, 3] or [H, W, 4] (RGB and alpha). EXIF orientation is applied.
        factor: one of the model's factors, which `describe_upscale` lists; or several, such as (4, 2), for a pass by
            each of them, one after the other: then the picture between them is kept as a whole, and has at most
            `max_pixels`, a setting. None takes the model's first.
        size: a width and a height. The result keeps the picture's proportions, and is the largest that fits.
        megapixels: the millions of pixels of the result, within rounding of its sides.
        tile: the side, in pixels, of the pieces in which a larger picture is sent; "auto" takes the side that suits
            the model, and None sends the picture whole. The result is the same, but for models whose tiles are blended,
            as `describe_upscale` tells.
        model: the upscaler on the server.

    Returns:
        An image of mode RGB, or L if the input was gray; RGBA or LA if it had transparency, which is
        resized bicubically. The colour profile and the resolution are kept in `info`.

    Raises:
        InvalidInput: the model lacks the factor, tiles of this size do not suit it, or a field is out of its range.
        SignatureNotFound: the model does not describe itself, so it is no upscaler.
        ImageError: the picture cannot be used, or one between two passes is too large.
        OSError: the file cannot be opened.
        CallError: a call failed.
    """

    kind: ClassVar[CallKind] = "upscale"
    pictures: ClassVar[tuple[str, ...]] = ("image",)

    image: ImageSource
    _: KW_ONLY
    factor: Factor | None = None
    size: tuple[int, int] | None = None
    megapixels: float | None = None
    tile: TileSide | None = AUTO
    model: Model | str = UPSCALE.usual_model

    def checked(self) -> dict[str, Any]:
        """Return the numbers. Raises InvalidInput."""
        return checked_sizes(self)

    def prepare(self, *, max_pixels: int) -> Steps[Image.Image]:
        """Read the picture, and return the steps that enlarge it, one Predict call a tile."""
        from impasto.client._models.upscale import joining, passes

        return passes.prepared(self, self.model, joining.ToImage, max_pixels=max_pixels)


@dataclass(frozen=True, eq=False)
class UpscaleToRows(Job[tuple[int, int], Progress]):
    """Do what a job does, and pass the rows of its result on as soon as all their tiles are there.

    Args:
        job: the job.
        sink: gets the rows. If the picture is begun again with another version, so is the sink.
        model: the upscaler on the server; the job's own is not asked.

    Returns:
        The width and height of the result.

    Raises:
        OutputError: of the sink. Further as the job.
    """

    kind: ClassVar[CallKind] = Upscale.kind

    job: Upscale
    sink: RowSink
    _: KW_ONLY
    model: Model | str = UPSCALE.usual_model

    def prepare(self, *, max_pixels: int) -> Steps[tuple[int, int]]:
        """Read the picture, and return the steps that enlarge it, one Predict call a tile."""
        from impasto.client._models.upscale import joining, passes

        return passes.prepared(
            self.job,
            self.model,
            lambda picture, size: joining.ToRows(picture, size, self.sink),
            max_pixels=max_pixels,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class DescribeUpscale(Job[UpscaleDescription, Progress]):
    """Ask a served upscaler for its network, weights, factors, tiles and limits.

    Args:
        model: the upscaler on the server.

    Raises:
        SignatureNotFound: it does not describe itself, so it is no upscaler.
        CallError: the call failed.
    """

    kind: ClassVar[CallKind] = Upscale.kind

    model: Model | str = UPSCALE.usual_model

    def prepare(self, *, max_pixels: int) -> Steps[UpscaleDescription]:
        """Return the one step. What is told is known to the client from then on."""
        model = Model.of(self.model)
        return upscaler(PinnedModel(model), model, anew=True)


def check_asked(job: Upscale, told: UpscaleDescription) -> None:
    """Check, before any picture is read, that the model has what a job asks of it. Raises InvalidInput."""
    name = Model.of(job.model).name
    if job.factor is not None:
        check_factors((job.factor,) if isinstance(job.factor, int) else tuple(job.factor), told, name)
    check_tile(job.tile, told, name)
