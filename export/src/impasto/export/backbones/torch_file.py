"""Reading tensors from PyTorch's older file format without PyTorch, and without running what the file says.

The file is a row of pickles: a magic number, a protocol number, facts about the machine, the object, and the names of
its storages; then each storage's number of elements (int64) and its raw values. A tensor in the object names its
storage, an offset, its shape and its strides.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from impasto.export.errors import ExportError

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
