"""The contract of transfer."""

from __future__ import annotations

from typing import Final

from impasto.client.signatures._specs import SERVING_DEFAULT, Signature, TensorSpec, model

_STATE: Final = (None, None, 3)
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
# The defaults are the usual recipe's. With others, `optimize` makes the client's recipe "fine".
_LOSS_KIND: Final = TensorSpec(
    "loss_kind",
    "int32",
    (),
    "0: mean squared differences, and the sum of absolute differences between neighbouring pixels; 1: sums of squares "
    "over sums of absolute values, whose gradients are alike at any size, and the mean of the squares of neighbours",
    0,
)
_OPTIMIZER: Final = (
    TensorSpec("beta_1", "float32", (), "of Adam: what its mean of the gradient keeps, 0 to 0.999999", 0.99),
    TensorSpec("beta_2", "float32", (), "of Adam: what its mean of the square keeps, 0 to 0.999999", 0.999),
    TensorSpec("epsilon", "float32", (), "of Adam, added to the root of that mean, 1e-12 to 1", 0.1),
    TensorSpec(
        "average",
        "float32",
        (None,),
        "H times W times 3 numbers: the average of the pictures after each step, as optimize gave it; empty with "
        "`averaged` 0",
        (),
    ),
    TensorSpec("averaged", "int32", (), "the steps in `average`, 0 to 1e9; 0 begins it anew", 0),
    TensorSpec(
        "average_decay",
        "float32",
        (),
        "what the average keeps at each step, 0 to 0.999999; 0 is the last one",
        0.0,
    ),
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

TRANSFER: Final = model(
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
            _LOSS_KIND,
            *_OPTIMIZER,
        ),
        outputs=(
            TensorSpec("image", "float32", _STATE, "the picture after the steps"),
            TensorSpec("m", "float32", _STATE, "Adam's mean of the gradient"),
            TensorSpec("v", "float32", _STATE, "Adam's mean of its square"),
            TensorSpec("iteration", "int32", (), "steps done"),
            TensorSpec("average", "float32", (None,), "the average, corrected for its start, row by row"),
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
