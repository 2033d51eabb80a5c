"""The contract of stylize."""

from __future__ import annotations

from typing import Final

from impasto.client.signatures._specs import QUERY, SERVING_DEFAULT, Signature, TensorSpec, model

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

STYLIZE: Final = model(
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
    Signature(
        "describe",
        inputs=(QUERY,),
        outputs=(
            TensorSpec("source", "string", (None,), "where the network is from: hub or package"),
            TensorSpec("weights", "string", (None,), "what it is and its licence, in a line for people"),
            TensorSpec("vector_size", "int32", (None,), "N; 0 where the style vector cannot be split off"),
            TensorSpec("minimum_side", "int32", (None,), "least height and width of content, in pixels"),
            TensorSpec("maximum_pixels", "int32", (None,), "most pixels, height times width, of content"),
        ),
    ),
    optional=("style_vector", "apply"),
)
