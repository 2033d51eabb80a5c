"""The stylizer's networks with seeded random weights and few channels: every path of the graph, in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.export.provenance import Provenance
from impasto.export.stylize.networks import Painter, StylePredictor
from impasto.export.stylize.onnx_file import Kernel
from impasto.export.stylize.package import PackageNetworks
from impasto.export.stylize.publish import publish
from impasto.export.stylize.served import PACKAGE, Stylizer

VECTOR_SIZE = 5
MAXIMUM_PIXELS = 1 << 20


def tiny_networks(*, seed: int = 0) -> PackageNetworks:
    """A predictor of three blocks and a painter, both with a few channels."""
    return PackageNetworks(StylePredictor(predictor_kernels(seed)), Painter(painter_kernels(seed)))


def tiny_stylizer(*, seed: int = 0) -> Stylizer:
    """The networks as a source of the stylizer, which claims to be the package."""
    provenance = Provenance(source=PACKAGE, origin="random", licence="none needed", sha256={})
    return tiny_networks(seed=seed).as_stylizer(provenance)


def publish_tiny(models: Path, *, seed: int = 0) -> Path:
    """Publish it as the next version of `stylize`; returns the version's directory."""
    return publish(tiny_stylizer(seed=seed), models, maximum_pixels=MAXIMUM_PIXELS).path


def predictor_kernels(seed: int = 0) -> dict[str, Kernel]:
    """Convolutions with the names that StylePredictor looks for."""
    rng = np.random.default_rng(seed)
    kernels = {
        "MobilenetV2/Conv": _kernel(rng, 3, 3, 4),
        "MobilenetV2/Conv_1": _kernel(rng, 1, 4, 8),
        "mobilenet_conv/Conv": _kernel(rng, 1, 8, VECTOR_SIZE),
    }
    for number in range(3):
        name = "MobilenetV2/expanded_conv" + (f"_{number}" if number else "")
        if number:
            kernels[f"{name}/expand"] = _kernel(rng, 1, 4, 6)
        channels = 6 if number else 4
        weights = rng.normal(0, 0.4, (3, 3, channels, 1)).astype(np.float32)
        kernels[f"{name}/depthwise"] = Kernel(weights, _bias(rng, channels), depthwise=True)
        kernels[f"{name}/project"] = _kernel(rng, 1, channels, 4)
    return kernels


def painter_kernels(seed: int = 0) -> dict[str, Kernel]:
    """Convolutions with the names that Painter looks for."""
    rng = np.random.default_rng(seed)
    kernels = {
        "transformer/contract/conv1": _kernel(rng, 9, 3, 4),
        "transformer/contract/conv2": _kernel(rng, 3, 4, 4),
        "transformer/contract/conv3": _kernel(rng, 3, 4, 6),
    }
    styled = {f"transformer/residual/residual{i}/conv{j}": (3, 6, 6) for i in range(1, 6) for j in (1, 2)}
    styled |= {
        "transformer/expand/conv1/conv": (3, 6, 4),
        "transformer/expand/conv2/conv": (3, 4, 4),
        "transformer/expand/conv3/conv": (9, 4, 3),
    }
    for name, (side, inputs, outputs) in styled.items():
        kernels[name] = _kernel(rng, side, inputs, outputs)
        for part in ("Conv", "Conv_1"):
            kernels[f"style_params/{name}/StyleNorm/{part}"] = _kernel(rng, 1, VECTOR_SIZE, outputs)
    return kernels


def _kernel(rng: np.random.Generator, side: int, inputs: int, outputs: int) -> Kernel:
    deviation = 1 / np.sqrt(side * side * inputs)
    weights = rng.normal(0, deviation, (side, side, inputs, outputs)).astype(np.float32)
    return Kernel(weights, _bias(rng, outputs))


def _bias(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    return rng.normal(0, 0.3, size).astype(np.float32)
