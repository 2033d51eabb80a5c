"""The jobs of a dream model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast

from impasto.client._jobs import Begin, Job, LongJob, PinnedModel, Progress, Steps, values
from impasto.client._jobs.values import Range
from impasto.client._models.dream.description import MOST_OCTAVES, DreamDescription, describe_dream
from impasto.client._models.dream.progress import DreamProgress
from impasto.client._models.dream.recipes import FINE, RECIPES
from impasto.client._models.layers import Layers, named_layers
from impasto.client.errors import InvalidInput
from impasto.client.model import Model
from impasto.client.pictures import ImageSource, read_picture
from impasto.client.settings import CallKind
from impasto.client.signatures import DREAM

_INT32: Final = values.LARGEST_INT32

RANGES: Final = MappingProxyType(
    {
        "octave_scale": Range(0.1, 10.0, optional=True),
        "steps": Range(0, values.MOST_STEPS, whole=True, optional=True),
        "step_size": Range(0.0, 1.0, optional=True),
        "tile": Range(0, _INT32, whole=True, optional=True),
        "seed": Range(-_INT32 - 1, _INT32, whole=True),
    }
)
"""The numbers that the fields take."""


@dataclass(frozen=True, eq=False)
class Dream(LongJob[DreamProgress]):
    """Let a picture dream: change it so that layers of a network respond more strongly to it.

        client.dream("photo.jpg", layers=["mixed4"], steps=20)
        client.run(Dream("photo.jpg", octaves=[-1, 0]), checkpoint="dream.checkpoint", on_progress=print)

    The work is done in calls of 1 to 10 seconds each, or of a step where that takes longer, all by the version of the
    model that answers first. While the server is away or overloaded, a call is sent again, for as long as the setting
    `patience` says (5 minutes). What is None takes what the recipe says, and else what the served model suggests for
    its network.

    Args:
        image: the picture, as for `upscale`.
        layers: the layers to excite, each with a weight -1e6 to 1e6 (1 where none is given), not all zero. Shallow
            layers draw strokes and textures, deep ones eyes, animals and buildings. `describe_dream` lists them.
        octaves: 1 to 32 powers of `octave_scale`: the sizes at which the picture is worked on, in this order, 0 being
            its own. Small sizes give large structures.
        octave_scale: ratio of one octave's sides to the next smaller one's, 0.1 to 10.
        steps: gradient steps at each octave, 0 to 1e9.
        step_size: how far a step moves the picture's range -1..1, 0 to 1.
        recipe: `fine` climbs a smoothed gradient, sees the picture shifted at each step, begins each octave gently, and
            keeps the picture's own detail; it takes 20 steps of 0.015 at the octaves -2, -1 and 0. `classic` is
            DeepDream as it was published, with the numbers that the model suggests: more of it, and more noise.
        preserve_color: keep the colours of the picture and take only the brightness of the dream.
        guide: another picture, whose features to dream towards; it is shrunk to 256 pixels. None excites whatever
            the layers see in the picture itself.
        tile: the longest side, in pixels, of the pieces in which gradients are taken; 0 takes them of the whole
            picture. Pieces need less memory on the server and give another, equally good picture. None takes pieces
            of 512 pixels where an octave is larger than a megapixel.
        seed: of the random shifts; nothing depends on it in the classic recipe without tiles.
        model: the dream model on the server.

    Returns:
        The dream, of the picture's size; gray, transparent, with profile and resolution as the picture is.

    Raises:
        InvalidInput: a field is out of its range, or does not suit the model or the picture's size.
        CheckpointError: the checkpoint is damaged, or of another picture, model or other fields.
        ImageError: the picture, or the guide, cannot be used.
        OutputError: the checkpoint cannot be written.
        OSError: a file cannot be opened.
        CallError: a call failed; VersionGone in the middle: the version is no longer served.
    """

    kind: ClassVar[CallKind] = "dream"
    pictures: ClassVar[tuple[str, ...]] = ("image", "guide")

    image: ImageSource
    _: KW_ONLY
    layers: Layers | None = None
    octaves: Sequence[int] | None = None
    octave_scale: float | None = None
    steps: int | None = None
    step_size: float | None = None
    recipe: str = FINE
    preserve_color: bool = False
    guide: ImageSource | None = None
    tile: int | None = None
    seed: int = 0
    model: Model | str = DREAM.name

    @property
    def named_layers(self) -> tuple[tuple[str, float], ...] | None:
        """The layers as pairs of name and weight."""
        return cast("tuple[tuple[str, float], ...] | None", self.layers)

    def checked(self) -> dict[str, Any]:
        """Return the layers as pairs, the octaves as a tuple, and the numbers. Raises InvalidInput."""
        return {
            "recipe": values.one_of("recipe", self.recipe, RECIPES),
            "layers": named_layers(self.layers),
            "octaves": None if self.octaves is None else _octaves(self.octaves),
            "preserve_color": values.flag("preserve_color", self.preserve_color),
            **values.within(RANGES, self),
        }

    def begin(self, *, max_pixels: int) -> Begin[DreamProgress]:
        """Read the pictures, and return what plans the dream."""
        picture = read_picture(self.image, max_pixels=max_pixels)
        guide = None if self.guide is None else read_picture(self.guide, max_pixels=max_pixels)
        from impasto.client._models.dream.ascent import ascent

        return lambda model: ascent(self, picture, guide, model)


@dataclass(frozen=True, eq=False, kw_only=True)
class DescribeDream(Job[DreamDescription, Progress]):
    """Ask a served dream model for its network, weights, layers, suggestions and limits.

    Args:
        model: the dream model on the server.

    Raises:
        CallError: the call failed.
    """

    kind: ClassVar[CallKind] = "dream"

    model: Model | str = DREAM.name

    def prepare(self, *, max_pixels: int) -> Steps[DreamDescription]:
        """Return the one step."""
        return describe_dream(PinnedModel(Model.of(self.model)))


def _octaves(octaves: Any) -> tuple[int, ...]:
    try:
        found = tuple(values.whole("octaves", octave, -_INT32 - 1, _INT32) for octave in octaves)
    except TypeError as error:
        raise InvalidInput(f"octaves is {octaves!r}; it must be whole numbers such as [-2, -1, 0]") from error
    if not 1 <= len(found) <= MOST_OCTAVES:
        raise InvalidInput(f"octaves holds {len(found)} numbers; it must hold 1 to {MOST_OCTAVES}")
    return found
