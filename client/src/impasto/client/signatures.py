"""The contract: every model, signature, input and output that Impasto serves.

This is the one place that names them. The exporters build their SavedModels from it, the client calls by it, and a
test compares it with the SignatureDef of each exported model. Images are RGB; pixel values run from 0 to 255 where
the dtype is uint8 and over the range stated by the input where it is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Default = int | float | tuple[int, ...] | tuple[float, ...]

SERVING_DEFAULT: Final = "serving_default"


@dataclass(frozen=True)
class TensorSpec:
    """One named tensor of a signature.

    Attributes:
        name: the alias under which a request or a response carries it.
        dtype: numpy's name of the element type.
        shape: the static shape, `None` where a dimension is free; `()` is a scalar.
        default: the value the server fills in when a request leaves the input out; `None` means required.
        doc: one line for people: meaning, range, unit.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    doc: str
    default: Default | None = None

    @property
    def required(self) -> bool:
        """True if a request must carry this input."""
        return self.default is None


@dataclass(frozen=True)
class Signature:
    """A callable of a model: its inputs and outputs in order."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def input(self, name: str) -> TensorSpec:
        """The input called `name`; KeyError if there is none."""
        return _named(self.inputs, name)

    def output(self, name: str) -> TensorSpec:
        """The output called `name`; KeyError if there is none."""
        return _named(self.outputs, name)


@dataclass(frozen=True)
class ModelContract:
    """The contract of a served model: its name in the repository and its signatures."""

    name: str
    doc: str
    signatures: Mapping[str, Signature]


def _named(specs: tuple[TensorSpec, ...], name: str) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    raise KeyError(name)


def _model(name: str, doc: str, *signatures: Signature) -> ModelContract:
    return ModelContract(name, doc, MappingProxyType({signature.name: signature for signature in signatures}))


SRCNN: Final = _model(
    "srcnn",
    "Doubles the width and height of photographs (SRCNN super-resolution).",
    Signature(
        SERVING_DEFAULT,
        inputs=(TensorSpec("image", "uint8", (None, None, None, 3), "a batch [B, H, W, 3] of RGB images"),),
        outputs=(TensorSpec("image", "uint8", (None, None, None, 3), "the batch at [B, 2H, 2W, 3]"),),
    ),
)

SRCNN_OVERLAP: Final = 5
"""Pixels of the low-resolution picture that SRCNN's output depends on to each side.

Bicubic interpolation reaches 2; the convolutions 9-1-5 reach 4 + 0 + 2 = 6 pixels of the doubled picture,
which are 3.
"""

_STATE: Final = (None, None, 3)
_STEPS: Final = TensorSpec("steps", "int32", (), "gradient steps at each size, 0 to maximum_steps", 100)
_STEP_SIZE: Final = TensorSpec(
    "step_size", "float32", (), "how far a step moves the picture's range -1..1, 0 to 1", 0.01
)
_OCTAVE_SCALE: Final = TensorSpec(
    "octave_scale", "float32", (), "ratio of one octave's sides to the next smaller one's, 0.1 to 10", 1.3
)
_OCTAVES: Final = TensorSpec(
    "octaves",
    "int32",
    (None,),
    "1 to 32 powers of octave_scale, in the order they run; 0 is the picture's own size",
    (-2, -1, 0, 1, 2),
)
_LAYER_WEIGHTS: Final = TensorSpec(
    "layer_weights",
    "float32",
    (None,),
    "weight of each candidate layer in the order of describe's `layers`, -1e6 to 1e6, not all zero; "
    "empty takes the backbone's own",
    (),
)
_TILE: Final = TensorSpec(
    "tile",
    "int32",
    (),
    "0 takes gradients of the whole picture; else the longest side in pixels of the tiles they are taken in, "
    "at least twice minimum_side: less memory, equal pictures to the eye",
    0,
)
_SEED: Final = TensorSpec(
    "seed",
    "int32",
    (),
    "of the random shift of the tiles at each step; nothing depends on it without tiles",
    0,
)
_FIRST_STEP: Final = TensorSpec(
    "first_step",
    "int32",
    (),
    "steps already done at this size, 0 to 1e9; the tiles' shift depends on it, so chunks equal one call",
    0,
)
_ASCEND_OUTPUTS: Final = (
    TensorSpec("state", "float32", _STATE, "the picture after the steps"),
    TensorSpec("loss", "float32", (), "what the last step saw and raises: sum of weight times activation"),
    TensorSpec("gradient_scale", "float32", (), "standard deviation of the last step's gradient"),
)

DREAM: Final = _model(
    "dream",
    "DeepDream: changes a picture so that chosen layers of a network respond more strongly. "
    "The client alone keeps colours and zooms; it needs no signature for them.",
    Signature(
        SERVING_DEFAULT,
        inputs=(
            TensorSpec("image", "uint8", (None, None, 3), "the picture [H, W, 3]"),
            _STEPS,
            _STEP_SIZE,
            _OCTAVE_SCALE,
            _OCTAVES,
            _LAYER_WEIGHTS,
            _TILE,
            _SEED,
        ),
        outputs=(TensorSpec("image", "uint8", (None, None, 3), "the dream [H, W, 3]"),),
    ),
    # For each of describe's `sizes`: open, ascend as often as one likes, close at that same size, and again
    # with what close gave. The last close takes the picture's own size. This equals serving_default.
    Signature(
        "open",
        inputs=(
            TensorSpec("image", "uint8", (None, None, 3), "a picture [h, w, 3] of any size"),
            TensorSpec("size", "int32", (2,), "height and width H, W of the octave, at least minimum_side"),
        ),
        outputs=(TensorSpec("state", "float32", _STATE, "the picture at [H, W, 3], pixels in -1..1"),),
    ),
    Signature(
        "ascend",
        inputs=(
            TensorSpec("state", "float32", _STATE, "the picture [H, W, 3] in -1..1"),
            _STEPS,
            _STEP_SIZE,
            _LAYER_WEIGHTS,
            _TILE,
            _SEED,
            _FIRST_STEP,
        ),
        outputs=_ASCEND_OUTPUTS,
    ),
    Signature(
        "ascend_guided",
        inputs=(
            TensorSpec("state", "float32", _STATE, "the picture [H, W, 3] in -1..1"),
            TensorSpec(
                "guide",
                "uint8",
                (None, None, 3),
                "the picture [h, w, 3] to dream towards, sides of minimum_side to 512: each place of a layer "
                "is drawn to the guide's feature that fits it best",
            ),
            _STEPS,
            _STEP_SIZE,
            _LAYER_WEIGHTS,
            _TILE,
            _SEED,
            _FIRST_STEP,
        ),
        outputs=_ASCEND_OUTPUTS,
    ),
    Signature(
        "close",
        inputs=(
            TensorSpec("state", "float32", _STATE, "the picture [h, w, 3] in -1..1"),
            TensorSpec("size", "int32", (2,), "height and width H, W of the result"),
        ),
        outputs=(TensorSpec("image", "uint8", (None, None, 3), "the picture [H, W, 3]"),),
    ),
    # All inputs are optional: without any it says what the model is. It has some because TensorFlow
    # Serving's REST API refuses signatures that have none.
    Signature(
        "describe",
        inputs=(
            TensorSpec("size", "int32", (2,), "height and width H, W of a picture to dream", (0, 0)),
            _OCTAVE_SCALE,
            _OCTAVES,
        ),
        outputs=(
            TensorSpec("sizes", "int32", (None, 2), "H, W of each octave; not checked against the limits"),
            TensorSpec("backbone", "string", (), "the network's name"),
            TensorSpec("weights", "string", (), "where its weights are from, and their licence"),
            TensorSpec("layers", "string", (None,), "the candidate layers, from shallow to deep"),
            TensorSpec("layer_weights", "float32", (None,), "the weights taken when none are sent"),
            TensorSpec("suggested_steps", "int32", (), "steps that suit the backbone"),
            TensorSpec("suggested_step_size", "float32", (), "the step_size that suits the backbone"),
            TensorSpec("suggested_octave_scale", "float32", (), "the octave_scale that suits the backbone"),
            TensorSpec("suggested_octaves", "int32", (None,), "the octaves that suit the backbone"),
            TensorSpec("minimum_side", "int32", (), "least height and width of an octave, in pixels"),
            TensorSpec("maximum_steps", "int32", (), "most steps a call"),
            TensorSpec("maximum_pixels", "int32", (), "most pixels of an octave"),
            TensorSpec(
                "maximum_tile_pixels", "int32", (), "most pixels of a tile, and of an octave without tiles"
            ),
        ),
    ),
)

_SIZE_OR_OWN: Final = "0, 0 keeps its own"
_STYLE_LAYER_WEIGHTS: Final = TensorSpec(
    "style_layer_weights",
    "float32",
    (None,),
    "weight of each candidate layer in the style loss, in the order of describe's `layers`, 0 to 1e6, "
    "not all zero; empty takes the model's own",
    (),
)
_CONTENT_LAYER_WEIGHTS: Final = TensorSpec(
    "content_layer_weights", "float32", (None,), "the same for the content loss", ()
)
_TRANSFER_WEIGHTS: Final = (
    TensorSpec("style_weight", "float32", (), "of the style loss in the sum, 0 to 1e10", 1e-2),
    TensorSpec("content_weight", "float32", (), "of the content loss in the sum, 0 to 1e10", 1e4),
    TensorSpec(
        "total_variation_weight",
        "float32",
        (),
        "of the sum of absolute differences between neighbouring pixels in the sum, 0 to 1e10; smooths",
        0.0,
    ),
    TensorSpec("learning_rate", "float32", (), "of Adam, about how far a step moves a pixel, 0 to 1", 0.02),
    _STYLE_LAYER_WEIGHTS,
    _CONTENT_LAYER_WEIGHTS,
)
_STYLE_TARGETS: Final = TensorSpec(
    "style_targets",
    "float32",
    (None,),
    "the Gram matrices of the style layers of non-zero weight, one after the other",
)
_CONTENT_TARGETS: Final = TensorSpec(
    "content_targets",
    "float32",
    (None,),
    "the activations of the content layers of non-zero weight, one after the other",
)
_PIXELS: Final = TensorSpec("image", "float32", _STATE, "the picture [H, W, 3], pixels in 0..1")

TRANSFER: Final = _model(
    "transfer",
    "Paints a content picture in the style of another by optimising its pixels (Gatys et al.). The loss is "
    "style_weight times the weighted mean over layers of the mean squared difference of Gram matrices, "
    "content_weight times that of activations, and the total variation. The client alone keeps colours, makes "
    "noise and mixes styles; it needs no signatures for them.",
    Signature(
        SERVING_DEFAULT,
        inputs=(
            TensorSpec("content", "uint8", (None, None, 3), "the picture to paint [H, W, 3]"),
            TensorSpec("style", "uint8", (None, None, 3), "the picture to paint like [h, w, 3]"),
            TensorSpec("steps", "int32", (), "optimisation steps, 0 to maximum_steps", 1000),
            *_TRANSFER_WEIGHTS,
        ),
        outputs=(TensorSpec("image", "uint8", (None, None, 3), "the painting [H, W, 3]"),),
    ),
    # open once, optimize as often as one likes with what open and the last optimize gave and the same settings,
    # close: this equals serving_default. To mix styles, take the weighted mean of the style_targets of several
    # open_style. From coarse to fine: open at each size, resize the last size's image to it, and start there
    # with m and v zero.
    Signature(
        "open",
        inputs=(
            TensorSpec("content", "uint8", (None, None, 3), "the picture to paint, of any size"),
            TensorSpec("style", "uint8", (None, None, 3), "the picture to paint like, of any size"),
            TensorSpec("size", "int32", (2,), f"height and width H, W to paint at; {_SIZE_OR_OWN}", (0, 0)),
            TensorSpec(
                "style_size",
                "int32",
                (2,),
                f"height and width to take the style at, larger for coarser strokes; {_SIZE_OR_OWN}",
                (0, 0),
            ),
            _STYLE_LAYER_WEIGHTS,
            _CONTENT_LAYER_WEIGHTS,
        ),
        outputs=(
            TensorSpec(
                "image", "float32", _STATE, "the content at [H, W, 3], pixels in 0..1: where to start"
            ),
            _STYLE_TARGETS,
            _CONTENT_TARGETS,
        ),
    ),
    Signature(
        "open_style",
        inputs=(
            TensorSpec("style", "uint8", (None, None, 3), "the picture to paint like, of any size"),
            TensorSpec(
                "style_size", "int32", (2,), f"height and width to take it at; {_SIZE_OR_OWN}", (0, 0)
            ),
            _STYLE_LAYER_WEIGHTS,
        ),
        outputs=(_STYLE_TARGETS,),
    ),
    Signature(
        "optimize",
        inputs=(
            _PIXELS,
            TensorSpec("m", "float32", _STATE, "Adam's mean of the gradient; zeros at the start"),
            TensorSpec("v", "float32", _STATE, "Adam's mean of its square; zeros at the start"),
            _STYLE_TARGETS,
            _CONTENT_TARGETS,
            TensorSpec("iteration", "int32", (), "steps already done, 0 to 1e9", 0),
            TensorSpec("steps", "int32", (), "steps to do, 0 to maximum_steps", 100),
            *_TRANSFER_WEIGHTS,
            TensorSpec(
                "mask",
                "float32",
                (None,),
                "H times W numbers 0 to 1, row by row: the part of its steps that each pixel takes, so 0 keeps "
                "it as it is; empty is 1 everywhere",
                (),
            ),
        ),
        outputs=(
            TensorSpec("image", "float32", _STATE, "the picture after the steps"),
            TensorSpec("m", "float32", _STATE, "Adam's mean of the gradient"),
            TensorSpec("v", "float32", _STATE, "Adam's mean of its square"),
            TensorSpec("iteration", "int32", (), "steps done"),
            # Their sum is what the last step saw and lowers; 0 if there was none.
            TensorSpec("style_loss", "float32", (), "the style loss times its weight, before the last step"),
            TensorSpec("content_loss", "float32", (), "the content loss times its weight"),
            TensorSpec("total_variation_loss", "float32", (), "the total variation times its weight"),
        ),
    ),
    Signature(
        "resize",
        inputs=(_PIXELS, TensorSpec("size", "int32", (2,), "height and width H, W of the result")),
        outputs=(TensorSpec("image", "float32", _STATE, "the picture at [H, W, 3], pixels in 0..1"),),
    ),
    Signature(
        "close",
        inputs=(
            _PIXELS,
            TensorSpec("size", "int32", (2,), f"height and width H, W of the result; {_SIZE_OR_OWN}", (0, 0)),
        ),
        outputs=(TensorSpec("image", "uint8", (None, None, 3), "the picture [H, W, 3]"),),
    ),
    # All inputs are optional, and there are some, for the reason given at dream's.
    Signature(
        "describe",
        inputs=(
            TensorSpec("size", "int32", (2,), "height and width of a picture", (0, 0)),
            TensorSpec("longest_side", "int32", (), "the longer side to paint it at, in pixels", 512),
        ),
        outputs=(
            TensorSpec("size", "int32", (2,), "H, W to paint it at; not checked against the limits"),
            TensorSpec("backbone", "string", (), "the network's name"),
            TensorSpec("weights", "string", (), "where its weights are from, and their licence"),
            TensorSpec("compute", "string", (), "the type the network computes in: float32 or bfloat16"),
            TensorSpec("layers", "string", (None,), "the candidate layers, from shallow to deep"),
            TensorSpec("style_layer_weights", "float32", (None,), "the weights taken when none are sent"),
            TensorSpec("content_layer_weights", "float32", (None,), "the weights taken when none are sent"),
            TensorSpec("suggested_steps", "int32", (), "steps that suit the model"),
            TensorSpec("suggested_style_weight", "float32", (), "the style_weight that suits the model"),
            TensorSpec("suggested_content_weight", "float32", (), "the content_weight that suits the model"),
            TensorSpec(
                "suggested_total_variation_weight", "float32", (), "the total_variation_weight that suits"
            ),
            TensorSpec("suggested_learning_rate", "float32", (), "the learning_rate that suits the model"),
            TensorSpec("minimum_side", "int32", (), "least height and width of a picture, in pixels"),
            TensorSpec("maximum_steps", "int32", (), "most steps a call"),
            TensorSpec("maximum_pixels", "int32", (), "most pixels of a picture"),
        ),
    ),
)

STYLE_SIDE: Final = 256
"""Height and width, in pixels, at which `stylize` looks at a painting."""

CONTENT_MINIMUM_SIDE: Final = 16
"""The least height and width, in pixels, of a photo that `stylize` paints."""

_CONTENT: Final = TensorSpec("content", "uint8", (None, None, None, 3), "photos [B, H, W, 3], sides of 16 up")
_STYLE: Final = TensorSpec(
    "style",
    "uint8",
    (None, None, None, 3),
    "paintings [B, h, w, 3] or one for all [1, h, w, 3], of any size: they are looked at in 256 x 256",
)
_PAINTED: Final = TensorSpec("image", "uint8", (None, None, None, 3), "the photos painted, [B, H, W, 3]")

STYLIZE: Final = _model(
    "stylize",
    "Paints photos in the style of any painting. "
    "Which network is inside, describe says; a source whose style vector cannot be split off serves neither "
    "style_vector nor apply.",
    Signature(SERVING_DEFAULT, inputs=(_CONTENT, _STYLE), outputs=(_PAINTED,)),
    # As google/magenta/arbitrary-image-stylization-v1-256/2 names them; tensorflow_hub.load calls this one.
    Signature(
        "hub",
        inputs=(
            TensorSpec(
                "placeholder", "float32", (None, None, None, 3), "photos [B, H, W, 3] in 0..1, sides of 16 up"
            ),
            TensorSpec(
                "placeholder_1",
                "float32",
                (None, None, None, 3),
                "paintings [B, h, w, 3] or [1, h, w, 3] in 0..1; best at 256 x 256, and not resized here",
            ),
        ),
        outputs=(
            TensorSpec(
                "output_0", "float32", (None, None, None, 3), "the photos painted, [B, H, W, 3] in 0..1"
            ),
        ),
    ),
    Signature(
        "style_vector",
        inputs=(TensorSpec("style", "uint8", (None, None, None, 3), "paintings [B, h, w, 3] of any size"),),
        outputs=(
            TensorSpec(
                "vector",
                "float32",
                (None, None),
                "the style of each as numbers [B, N]; a weighted mean of vectors is a blend of styles",
            ),
        ),
    ),
    Signature(
        "apply",
        inputs=(
            _CONTENT,
            TensorSpec(
                "vector", "float32", (None, None), "style vectors [B, N] or [1, N] of this very version"
            ),
        ),
        outputs=(_PAINTED,),
    ),
    # A first dimension everywhere, because a server that batches refuses scalars.
    Signature(
        "describe",
        inputs=(
            TensorSpec(
                "query", "int32", (None,), "one answer for each element [B], whatever its value", (0,)
            ),
        ),
        outputs=(
            TensorSpec("source", "string", (None,), "where the network is from: hub or package"),
            TensorSpec("weights", "string", (None,), "what it is and its licence, in a line for people"),
            TensorSpec("vector_size", "int32", (None,), "N; 0 where the style vector cannot be split off"),
            TensorSpec("minimum_side", "int32", (None,), "least height and width of content, in pixels"),
            TensorSpec("maximum_pixels", "int32", (None,), "most pixels, height times width, of content"),
        ),
    ),
)

MODELS: Final[Mapping[str, ModelContract]] = MappingProxyType(
    {model.name: model for model in (SRCNN, STYLIZE, DREAM, TRANSFER)}
)
"""Every model by its name in the repository."""
