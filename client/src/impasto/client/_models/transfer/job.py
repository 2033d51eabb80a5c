"""The jobs of a transfer model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from impasto.client._jobs import Begin, Job, LongJob, PinnedModel, Progress, Steps, values
from impasto.client._jobs.values import Range
from impasto.client._models.layers import Layers, named_layers
from impasto.client._models.transfer.description import TransferDescription, describe_transfer
from impasto.client._models.transfer.materials import read_materials
from impasto.client._models.transfer.progress import TransferProgress
from impasto.client._models.transfer.recipes import CONTENT, FINE, NOISE, RECIPES
from impasto.client.model import Model
from impasto.client.pictures import ImageSource
from impasto.client.settings import CallKind
from impasto.client.signatures import TRANSFER

_WEIGHT: Final = Range(0.0, 1e10, optional=True)
_STEPS: Final = Range(0, values.MOST_STEPS, whole=True, optional=True)

RANGES: Final = MappingProxyType(
    {
        "epochs": _STEPS,
        "steps_per_epoch": _STEPS,
        "style_scale": Range(0.1, 10.0),
        "style_weight": _WEIGHT,
        "content_weight": _WEIGHT,
        "total_variation_weight": _WEIGHT,
        "learning_rate": Range(0.0, 1.0, optional=True),
        "max_side": Range(0, values.LARGEST_INT32, whole=True, optional=True),
        "pyramid": Range(1, 10, whole=True, optional=True),
        "seed": Range(0, 2**32 - 1, whole=True),
    }
)
"""The numbers that the fields take."""


@dataclass(frozen=True, eq=False)
class Transfer(LongJob[TransferProgress]):
    """Paint a picture in the style of another by optimising its pixels (Gatys et al.).

        client.transfer("photo.jpg", "painting.jpg")
        client.transfer("photo.jpg", ["waves.jpg", "stars.jpg"], weights=[2, 1], recipe="draft")

    That takes minutes where `stylize` takes seconds, and paints in more detail. The work is done in calls of 1 to 10
    seconds each, or of a step where that takes longer, all by the version of the model that answers first. While the
    server is away or overloaded, a call is sent again, for as long as the setting `patience` says (5 minutes). A
    field that is None takes what the recipe says, or else what the served model suggests.

    Args:
        content: the picture to paint, as for `upscale`.
        style: the picture to paint like; or a list of several, which are mixed.
        recipe: "fine" paints best: from coarse to fine, with losses of one scale, and the average of the pictures on
            the way. "draft" is the same in 30 seconds, small; "gallery" at up to 1024 pixels. "classic" is the recipe
            as it was published, which the other fields' defaults in the served model are.
        epochs: how often `steps_per_epoch` steps are done, at each size; 0 or more. At the first of several sizes all
            recipes but "classic" take twice as many, for they are cheap there.
        steps_per_epoch: optimisation steps an epoch, 0 or more. Progress counts in epochs; the result depends on the
            product alone.
        weights: the share of each style where there are several, 0 or more, at any scale; None weighs them equally.
        style_scale: size of the style beside the painting, 0.1 to 10: its longest side is that many times the
            painting's. More gives larger strokes.
        style_weight: of the style in the loss, 0 to 1e10.
        content_weight: of the content in the loss, 0 to 1e10.
        total_variation_weight: of the differences between neighbouring pixels in the loss, 0 to 1e10. More gives a
            smoother painting.
        style_layers: the layers whose Gram matrices are the style, each with a weight 0 to 1e6 (1 where none is
            given), not all zero. `describe_transfer` lists them.
        content_layers: the same for the layers whose activations are the content.
        learning_rate: about how far a step moves a pixel in 0..1; 0 to 1.
        max_side: the longest side, in pixels, in which it is painted; 0 for the content's own. Smaller pictures are
            painted at their own size. None takes the recipe's: 512, of "draft" 256, of "gallery" 1024.
        pyramid: at how many sizes to paint, 1 to 10, from coarse to fine; the last is the full one, and each is 1.41
            times as large as the one before, in the recipe "classic" twice. None takes as many as come down to 128
            pixels, but one where `start` is a picture; in "classic" one.
        start: what to begin with: "content", "noise", or a picture, such as an earlier result (a path is a picture
            too; for a file of that very name write "./noise").
        seed: of the noise, 0 to 2**32 - 1.
        mask: a picture that says how strongly each place is painted: nothing where it is black, all where it is white.
            It is scaled to the content. None paints everywhere.
        preserve_color: keep the content's colours and take only the brightness of the painting.
        keep_size: enlarge the result to the content's own size. False leaves it at the size in which it was painted.
        model: the transfer model on the server.

    Returns:
        An image of the content's size (or, without keep_size, of the size in which it was painted), of mode RGB,
        or RGBA if the content had transparency; gray stays gray where colours are kept. The colour profile and
        the resolution are carried over.

    Raises:
        InvalidInput: no style, or a field is out of its range or does not suit the model or the pictures.
        CheckpointError: the checkpoint is damaged, or of other pictures, another model or other fields.
        ImageError: a picture cannot be used.
        OutputError: the checkpoint cannot be written.
        OSError: a file cannot be opened.
        CallError: a call failed; VersionGone in the middle: the version is no longer served.
    """

    kind: ClassVar[CallKind] = "transfer"
    pictures: ClassVar[tuple[str, ...]] = ("content", "start", "mask")

    content: ImageSource
    style: ImageSource | Sequence[ImageSource]
    _: KW_ONLY
    recipe: str = FINE
    epochs: int | None = None
    steps_per_epoch: int | None = None
    weights: Sequence[float] | None = None
    style_scale: float = 1.0
    style_weight: float | None = None
    content_weight: float | None = None
    total_variation_weight: float | None = None
    style_layers: Layers | None = None
    content_layers: Layers | None = None
    learning_rate: float | None = None
    max_side: int | None = None
    pyramid: int | None = None
    start: ImageSource = CONTENT
    seed: int = 0
    mask: ImageSource | None = None
    preserve_color: bool = False
    keep_size: bool = True
    model: Model | str = TRANSFER.name

    @property
    def styles(self) -> tuple[ImageSource, ...]:
        """The styles, also where there is one."""
        return values.several(self.style)

    @property
    def epochs_at_size(self) -> int:
        """The epochs at each size, but perhaps the first."""
        return RECIPES[self.recipe].epochs if self.epochs is None else self.epochs

    @property
    def steps_an_epoch(self) -> int:
        """The steps of an epoch."""
        return RECIPES[self.recipe].steps_per_epoch if self.steps_per_epoch is None else self.steps_per_epoch

    def checked(self) -> dict[str, Any]:
        """Return the styles, the layers as pairs, and the numbers. Raises InvalidInput."""
        values.one_of("recipe", self.recipe, RECIPES)
        numbers = values.within(RANGES, self)
        steps = RECIPES[self.recipe].first * self.epochs_at_size * self.steps_an_epoch
        _STEPS.check("epochs times steps_per_epoch", steps)
        style = values.styles_of(self.style, kind="picture")
        given: dict[str, Any] = {
            "style": style,
            "weights": values.style_weights(self.weights, len(values.several(style))),
            "style_layers": named_layers(self.style_layers, name="style_layers", least=0.0),
            "content_layers": named_layers(self.content_layers, name="content_layers", least=0.0),
            "preserve_color": values.flag("preserve_color", self.preserve_color),
            "keep_size": values.flag("keep_size", self.keep_size),
            **numbers,
        }
        if isinstance(self.start, os.PathLike) and os.fspath(self.start) in (CONTENT, NOISE):
            given["start"] = os.path.join(".", self.start)  # noqa: PTH118 - a Path would leave the dot out again
        return given

    def begin(self, *, max_pixels: int) -> Begin[TransferProgress]:
        """Read the pictures, and return what plans the transfer."""
        from impasto.client._models.transfer.painting import painting

        materials = read_materials(
            self.content, self.styles, start=self.start, mask=self.mask, max_pixels=max_pixels
        )
        return lambda model: painting(self, materials, model)


@dataclass(frozen=True, eq=False, kw_only=True)
class DescribeTransfer(Job[TransferDescription, Progress]):
    """Ask a served transfer model for its network, weights, layers, suggestions and limits.

    Args:
        model: the transfer model on the server.

    Raises:
        CallError: the call failed.
    """

    kind: ClassVar[CallKind] = "transfer"

    model: Model | str = TRANSFER.name

    def prepare(self, *, max_pixels: int) -> Steps[TransferDescription]:
        """Return the one step."""
        return describe_transfer(PinnedModel(Model.of(self.model)))
