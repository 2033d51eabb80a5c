"""Values that people give to a signature's inputs, as text, JSON or files, made into the arrays that are sent.

`@FILE` stands for what is in a file: an array (`.npy`), a picture or, where the input is a string, the file's bytes. A
text that itself begins with `@` is written `@@...`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._wire.tensor_proto import BY_NAME, OF_ML_DTYPES, ml_dtype
from impasto.client.errors import ImpastoError
from impasto.client.model import TensorInfo, shape_text
from impasto.client.pictures import MAX_PIXELS, Picture, read_picture

_WHITE: Final = 255.0


@dataclass(frozen=True)
class PixelRange:
    """The numbers for black and for white."""

    black: float
    white: float

    @classmethod
    def parse(cls, text: str) -> PixelRange:
        """Read `0..1`. Raises ValueError, which says what it must be."""
        low, dots, high = text.partition("..")
        try:
            black, white = float(low), float(high)
        except ValueError:
            black = white = math.nan
        if not dots or not (math.isfinite(black) and math.isfinite(white)) or black == white:
            raise ValueError(f"{text!r} is no range of pixels; write it as 0..255, 0..1 or -1..1")
        return cls(black, white)

    def of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the model's numbers for a picture's."""
        return self.black + pixels.astype(np.float64) * ((self.white - self.black) / _WHITE)

    def to_pixels(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the picture's for the model's, rounded; beyond the range they are black or white, and so is NaN."""
        scaled = (numbers.astype(np.float64) - self.black) * (_WHITE / (self.white - self.black))
        return np.nan_to_num(np.rint(np.clip(scaled, 0, _WHITE))).astype(np.uint8)


_BATCH_RANK = 4


def picture_as_input(
    info: TensorInfo, path: Path, *, pixels: PixelRange | None, max_pixels: int
) -> NDArray[Any]:
    """Return a picture's pixels [H, W, C], or [1, H, W, C] unless the input has three dimensions.

    Gray, RGB or RGBA as the input's last dimension says; RGB where it is free. A picture is never resized.

    Args:
        info: the input.
        path: the picture's file.
        pixels: the range that an input of floats takes; None where nobody said.
        max_pixels: the largest width times height.

    Raises:
        ValueError: the input takes no picture, or one of floats without `pixels`; says what to do.
        ImageError, OSError: the file cannot be used.
    """
    if info.shape is not None and len(info.shape) not in (_BATCH_RANK - 1, _BATCH_RANK):
        raise ValueError(
            f"the input is {info.dtype} {shape_text(info.shape)}, which is no picture; give numbers or a .npy file"
        )
    picture = read_picture(path, max_pixels=max_pixels)
    array: NDArray[Any] = _channels(picture, None if info.shape is None else info.shape[-1])
    if info.dtype != "uint8":
        array = _as_floats(array, info, pixels)
    return array if info.shape is not None and len(info.shape) < _BATCH_RANK else array[None]


def _channels(picture: Picture, count: int | None) -> NDArray[np.uint8]:
    if count == 1:
        return np.asarray(Image.fromarray(picture.rgb).convert("L"))[..., None]
    if count in (None, 3):
        return picture.rgb
    if count != 4:
        raise ValueError(f"the input has {count} channels, which no picture has; give a .npy file")
    alpha = np.full(picture.rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return np.concatenate([picture.rgb, alpha[..., None]], axis=-1)


def _as_floats(array: NDArray[np.uint8], info: TensorInfo, pixels: PixelRange | None) -> NDArray[Any]:
    dtype = ml_dtype(info.dtype) if info.dtype in OF_ML_DTYPES else None
    if info.dtype not in ("float16", "float32", "float64") and (
        dtype is None or info.dtype in ("int4", "uint4")
    ):
        raise ValueError(f"the input is {info.dtype}, for which a picture has no meaning; give a .npy file")
    if pixels is None:
        raise ValueError(
            f"the input is {info.dtype}, and only the model's maker knows the range of its pixels; "
            "say it (`pixels`): 0..255, 0..1 or -1..1"
        )
    return pixels.of_pixels(array).astype(dtype or info.dtype)


_WHOLE: Final = frozenset({"int4", "uint4"})
_STRING: Final = "string"
_LONGEST_SHOWN: Final = 60

_mapped: Final = cast("Callable[..., NDArray[Any]]", np.lib.format.open_memmap)  # numpy does not type it


class RequestError(ImpastoError, ValueError):
    """A value that an input cannot take; the message names the input, the value and what it must be."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The ways in which files are read.

    Attributes:
        folder: what the names of files are relative to.
        pixels: the range that an input of floats takes for a picture's 0 to 255; None where nobody said.
        max_pixels: the largest width times height of a picture.
    """

    folder: Path = Path()
    pixels: PixelRange | None = None
    max_pixels: int = MAX_PIXELS


def from_json(info: TensorInfo, value: Any, reading: Reading) -> NDArray[Any]:
    """Return the array for an input that a JSON value gives: numbers, texts, lists of them, or `"@FILE"`.

    Bytes that are no text are `{"b64": "..."}`, as in TensorFlow Serving's REST API.

    Raises:
        RequestError: the value does not fit the input's dtype and shape.
        ImageError: a file is no picture that can be used.
        OSError: a file cannot be opened.
    """
    if isinstance(value, str) and value.startswith("@"):
        if not value.startswith("@@"):
            return _from_file(info, reading.folder / value[1:], reading)
        value = value[1:]
    return _shaped(info, _elements(info, value))


def from_text(info: TensorInfo, text: str, reading: Reading) -> NDArray[Any]:
    """Return the array for an input that a word of a command line gives.

    It is a number or JSON (`3.5`, `[1, 2]`, `true`), text where the input is a string, or `@FILE`. One value alone
    fills an input whose dimensions may all be 1.

    Raises:
        RequestError, ImageError, OSError: as `from_json`.
    """
    if text.startswith("@") and not text.startswith("@@"):
        return from_json(info, text, reading)
    text = text.removeprefix("@")
    value = _parsed(info, text)
    array = _elements(info, value)
    if array.ndim == 0 and info.shape and all(size in (None, 1) for size in info.shape):
        array = array.reshape((1,) * len(info.shape))
    return _shaped(info, array)


def _parsed(info: TensorInfo, text: str) -> Any:
    """The JSON value of a word, or the word itself where the input is a string that is no list."""
    may_be_text = info.dtype == _STRING
    if may_be_text and (info.shape == () or not text.startswith("[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if may_be_text:
            return text
        raise RequestError(
            f"input {info.name!r} is {_shown(text)}; it must be {info.dtype} {shape_text(info.shape)}: "
            "give a number, JSON such as [1, 2], or @FILE"
        ) from error


def _from_file(info: TensorInfo, path: Path, reading: Reading) -> NDArray[Any]:
    if path.suffix.lower() == ".npy":
        return _shaped(info, _from_npy(info, path))
    if info.dtype == _STRING:
        array = np.empty((1,) * len(info.shape or ()), object)
        array[...] = path.read_bytes()
        return _shaped(info, array)
    try:
        array = picture_as_input(info, path, pixels=reading.pixels, max_pixels=reading.max_pixels)
    except ValueError as error:
        if isinstance(error, ImpastoError):
            raise
        raise RequestError(f"input {info.name!r} is the picture {path}: {error}") from error
    return _shaped(info, array, remedy="resize or crop the picture first")


def _from_npy(info: TensorInfo, path: Path) -> NDArray[Any]:
    try:
        # Mapped first: a head that claims more than the file holds is refused before memory is taken for it.
        array = np.array(_mapped(path, mode="r"))
    except OSError:
        raise
    except Exception as error:  # numpy raises whatever the bytes lead it to
        raise RequestError(
            f"input {info.name!r} is {path}, which is no .npy file of numbers or texts ({error}): "
            "write it with numpy.save"
        ) from error
    if info.dtype == _STRING:
        if array.dtype.kind not in "SU":
            raise RequestError(
                f"input {info.name!r} is {path}, which holds {array.dtype}; it must hold texts"
            )
        return array.astype(object)
    if array.dtype.kind == "V" and info.dtype in OF_ML_DTYPES:  # numpy.save forgets the names of these types
        storage = BY_NAME[info.dtype].storage
        if array.dtype.itemsize == storage.itemsize:
            return array.view(_dtype(info))
    return _converted(info, array, str(path))


def _elements(info: TensorInfo, value: Any) -> NDArray[Any]:
    """The values in lists in one another as an array of the input's dtype."""
    if info.dtype == _STRING:
        array = np.array(_strings(info, value), dtype=object)
        if any(isinstance(entry, list) for entry in array.ravel().tolist()):
            raise RequestError(f"input {info.name!r} is {_shown(value)}, whose lists have different lengths")
        return array
    _check_numbers(info, value)
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise RequestError(
            f"input {info.name!r} is {_shown(value)}, whose lists have different lengths"
        ) from error
    return _converted(info, array, _shown(value))


def _strings(info: TensorInfo, value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(info, entry) for entry in cast("list[object]", value)]
    if isinstance(value, dict) and (coded := cast("dict[str, Any]", value)).keys() == {"b64"}:
        try:
            return base64.b64decode(coded["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise RequestError(f"input {info.name!r} holds {_shown(value)}, which is not base64") from error
    if not isinstance(value, str):
        raise RequestError(f"input {info.name!r} holds {_shown(value)}; it must be a text in quotation marks")
    return value


def _check_numbers(info: TensorInfo, value: Any) -> None:
    if isinstance(value, list):
        for entry in cast("list[object]", value):
            _check_numbers(info, entry)
    elif isinstance(value, bool) != (info.dtype == "bool") or not isinstance(value, bool | int | float):
        raise RequestError(f"input {info.name!r} holds {_shown(value)}; it must be {info.dtype}")


def _converted(info: TensorInfo, array: NDArray[Any], shown: str) -> NDArray[Any]:
    """The array in the input's dtype, if that keeps its values; a number may become the nearest float."""
    dtype = _dtype(info)
    if array.dtype == dtype:
        return array
    refusal = (
        f"input {info.name!r} is {shown}, which {dtype.name} does not hold; convert it, or send what it holds"
    )
    is_number = array.dtype.kind in "iufc" or (array.dtype.kind == "V" and array.dtype.names is None)
    if array.size and (not is_number or dtype.kind == "b" or (array.dtype.kind == "c" and dtype.kind != "c")):
        raise RequestError(refusal)
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
        is_whole = dtype.kind in "iu" or dtype.name in _WHOLE
        kept = converted == array if is_whole else np.isfinite(converted) == np.isfinite(array)
    if not np.all(kept):
        raise RequestError(refusal)
    return converted


def _dtype(info: TensorInfo) -> np.dtype[Any]:
    kind = BY_NAME.get(info.dtype)
    if kind is None:
        raise RequestError(f"input {info.name!r} is of type {info.dtype}, which no request can carry")
    if kind.name not in OF_ML_DTYPES:
        return np.dtype(kind.name)
    dtype = ml_dtype(kind.name)
    if dtype is None:
        raise RequestError(
            f"input {info.name!r} is {kind.name}, which needs a package: pip install ml_dtypes"
        )
    return dtype


def _shaped(info: TensorInfo, array: NDArray[Any], *, remedy: str = "") -> NDArray[Any]:
    """The array, if it has the input's shape."""
    wanted = info.shape
    if wanted is None or (
        len(wanted) == array.ndim
        and all(size in (None, found) for size, found in zip(wanted, array.shape, strict=True))
    ):
        return array
    if not remedy:
        remedy = "give as many lists in one another" if array.ndim != len(wanted) else "give as many values"
    raise RequestError(
        f"input {info.name!r} has the shape {shape_text(array.shape)}; it must be {shape_text(wanted)}: {remedy}"
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
