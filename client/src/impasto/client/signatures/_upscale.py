"""The contract of the upscalers: models of any name that enlarge pictures by whole factors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from impasto.client.signatures._specs import QUERY, SERVING_DEFAULT, Signature, TensorSpec, model

FACTORS: Final[Mapping[int, str]] = MappingProxyType({2: "x2", 3: "x3", 4: "x4"})
"""The signature of each factor by which an upscaler may enlarge."""

_PICTURES: Final = (None, None, None, 3)
_IMAGE: Final = TensorSpec("image", "uint8", _PICTURES, "a batch [B, H, W, 3] of RGB pictures")


def _enlarged(name: str, factor: str) -> Signature:
    result = TensorSpec("image", "uint8", _PICTURES, f"the batch at [B, {factor}H, {factor}W, 3]")
    return Signature(name, inputs=(_IMAGE,), outputs=(result,))


UPSCALE: Final = model(
    "upscale",
    "Enlarges pictures by the whole factors that describe lists, each by the signature of its name; the first of them "
    "is serving_default's.",
    _enlarged(SERVING_DEFAULT, "f"),
    *(_enlarged(name, str(factor)) for factor, name in FACTORS.items()),
    Signature(
        "describe",
        inputs=(QUERY,),
        outputs=(
            TensorSpec("factors", "int32", (None, None), "the factors [B, F], serving_default's first"),
            TensorSpec(
                "reach",
                "int32",
                (None,),
                "pixels to each side, of the picture sent, that a pixel of the result depends on at most",
            ),
            TensorSpec(
                "overlap",
                "int32",
                (None,),
                "pixels to take along to each side of a tile: as reach, and tiles joined equal the whole bit for bit; "
                "or fewer, and tiles are to be blended where they meet",
            ),
            TensorSpec("tile", "int32", (None,), "the side, in pixels, of the tiles that suit the network"),
            TensorSpec("minimum_side", "int32", (None,), "least height and width of a picture, in pixels"),
            TensorSpec(
                "maximum_pixels", "int32", (None,), "most pixels of a call's pictures, height times width"
            ),
            TensorSpec("network", "string", (None,), "the network's name, for people"),
            TensorSpec(
                "weights", "string", (None,), "where its weights are from, and their licence, in a line"
            ),
        ),
    ),
    models=(
        "srcnn",
        "upscaler-small",
        "upscaler-base",
        "upscaler-large",
        "upscaler-small-real",
        "upscaler-base-real",
        "upscaler-large-real",
        "realesrgan-x4plus",
        "realesrgan-x4plus-anime",
        "realesrgan-animevideov3",
    ),
    one_of=FACTORS.values(),
)
