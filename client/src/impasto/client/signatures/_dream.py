"""The contract of dream."""

from __future__ import annotations

from typing import Final

from impasto.client.signatures._specs import SERVING_DEFAULT, Signature, TensorSpec, model

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
    "of the random shift at each step; nothing depends on it without tiles and with a shift of 0",
    0,
)
_FIRST_STEP: Final = TensorSpec(
    "first_step",
    "int32",
    (),
    "steps already done at this size, 0 to 1e9; shift and fade_in depend on it, so chunks equal one call",
    0,
)
_FINE: Final = (
    TensorSpec(
        "smoothing",
        "float32",
        (None,),
        "at most 8 standard deviations in pixels, 0.1 to 32: the gradient becomes the sum of its copies blurred by "
        "these Gaussians, each divided by its standard deviation; empty leaves it as it is",
        (),
    ),
    TensorSpec(
        "shift",
        "int32",
        (),
        "the most pixels, 0 to 256, by which the network sees the picture shifted, at random at each step, so that its "
        "grid does not show; tiles are shifted in any case",
        0,
    ),
    TensorSpec(
        "fade_in",
        "int32",
        (),
        "the first steps at each size, 0 to 1e9, over which they grow evenly to step_size; 0 and 1 fade nothing in",
        0,
    ),
)
_DETAILS: Final = TensorSpec(
    "details",
    "float32",
    (),
    "how much of the picture's own detail, which smaller sizes lack, a size begins with, 0 to 1",
    0.0,
)
_ASCENT: Final = (_STEPS, _STEP_SIZE, _LAYER_WEIGHTS, _TILE, _SEED, _FIRST_STEP, *_FINE)
_ASCEND_OUTPUTS: Final = (
    TensorSpec("state", "float32", _STATE, "the picture after the steps"),
    TensorSpec("loss", "float32", (), "what the last step saw and raises: sum of weight times activation"),
    TensorSpec("gradient_scale", "float32", (), "standard deviation of the last step's gradient"),
)

DREAM: Final = model(
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
            *_FINE,
            _DETAILS,
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
            TensorSpec(
                "original",
                "uint8",
                (None, None, 3),
                "the picture [a, b, 3] that the dream began with, whose detail is added",
                (((0, 0, 0),),),
            ),
            _DETAILS,
        ),
        outputs=(TensorSpec("state", "float32", _STATE, "the picture at [H, W, 3], pixels in -1..1"),),
    ),
    Signature(
        "ascend",
        inputs=(
            TensorSpec("state", "float32", _STATE, "the picture [H, W, 3] in -1..1"),
            *_ASCENT,
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
            *_ASCENT,
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
