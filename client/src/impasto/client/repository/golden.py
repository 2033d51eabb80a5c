"""Golden records: requests of a version as people write them, and the outputs that its exporter computed for them.

    [
      {"signature": "serving_default", "inputs": {"image": "@small.png", "strength": 0.5}},
      {"inputs": {"x": [[1, 2], [3, 4]]}}
    ]

`signature` is `serving_default` where it is left out. An input is a JSON value or `"@FILE"`, relative to the JSON file:
an array (`.npy`), a picture, or the bytes of any file where the input is a string; see `impasto.client.given`.
`"pixels": "0..1"` beside them says which numbers stand for a picture's 0 to 255 where an input is of floats.

Each record is a file `assets.extra/golden/<n>.npz`, named in the manifest's field `golden`, that `numpy.load` opens.
Its arrays are `inputs/<name>` and `outputs/<name>`, and `record`: a JSON text with the signature and each array's
dtype,

    {"signature": "serving_default", "inputs": {"x": "float32"}, "outputs": {"y": "float32"}}

Strings are kept as base64 in ASCII, and the types that numpy lacks (bfloat16, 8-bit floats, 4-bit integers) by their
bits.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from impasto.client._wire.tensor_proto import BY_NAME, OF_ML_DTYPES, ml_dtype
from impasto.client.errors import ImpastoError
from impasto.client.given import PixelRange, Reading, RequestError, from_json
from impasto.client.model import SignatureInfo
from impasto.client.repository.manifest import Manifest
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.texts import NotUtf8, decoded_text

Request = tuple[str, dict[str, NDArray[Any]]]
"""A signature's name and the inputs to send to it."""

_KEYS: Final = frozenset({"signature", "inputs", "pixels"})


def read_requests(path: Path, signatures: Mapping[str, SignatureInfo]) -> list[Request]:
    """Read a file of requests for a model with these signatures.

    Raises:
        RequestError: the file or a request cannot be used; names the file and the request's place, from 1.
        ImageError: a file is no picture that can be used.
        OSError: a file cannot be opened.
    """
    try:
        parsed: object = json.loads(decoded_text(path.read_bytes()))
    except (NotUtf8, ValueError, RecursionError) as error:
        raise RequestError(
            f"{path} is not JSON ({error}): write a list of requests into it, such as "
            '[{"signature": "serving_default", "inputs": {"x": [1, 2]}}]'
        ) from error
    if not isinstance(parsed, list) or not parsed:
        raise RequestError(f"{path} must hold a list of one or more requests")
    entries = cast("list[object]", parsed)
    found: list[Request] = []
    for place, entry in enumerate(entries, 1):
        try:
            found.append(_request(entry, signatures, path.parent))
        except RequestError as error:
            raise RequestError(f"{path}: request {place}: {error}") from error
    return found


def _request(entry: object, signatures: Mapping[str, SignatureInfo], folder: Path) -> Request:
    if not isinstance(entry, dict):
        raise RequestError("it must be an object with `inputs`, and `signature` where it is another")
    values = cast("dict[str, Any]", entry)
    if unknown := values.keys() - _KEYS:
        raise RequestError(
            f"the key {min(unknown)!r} means nothing; there are: {', '.join(sorted(_KEYS))}. Inputs go into `inputs`"
        )
    signature = chosen(values.get("signature", SERVING_DEFAULT), signatures)
    given = values.get("inputs", {})
    if not isinstance(given, dict):
        raise RequestError("`inputs` must be an object: the inputs' values by their names")
    reading = Reading(folder=folder, pixels=_pixels(values.get("pixels")))
    inputs = cast("dict[str, Any]", given)
    check_names(signature, inputs)
    return signature.name, {
        name: from_json(signature.inputs[name], value, reading) for name, value in inputs.items()
    }


def chosen(name: Any, signatures: Mapping[str, SignatureInfo]) -> SignatureInfo:
    """Return the signature of this name. Raises RequestError, which names those that there are."""
    if not isinstance(name, str) or name not in signatures:
        raise RequestError(f"there is no signature {name!r}; there are: {', '.join(signatures) or 'none'}")
    return signatures[name]


def check_names(signature: SignatureInfo, inputs: Mapping[str, object]) -> None:
    """Check that all inputs exist, and all that are required are given. Raises RequestError."""
    if unknown := inputs.keys() - signature.inputs.keys():
        there = ", ".join(signature.inputs) or "none"
        raise RequestError(
            f"signature {signature.name!r} has no input {min(unknown)!r}; its inputs are: {there}"
        )
    required = {name for name, info in signature.inputs.items() if info.default is None}
    if missing := sorted(required - inputs.keys()):
        raise RequestError(f"signature {signature.name!r} needs the input {', '.join(map(repr, missing))}")


def _pixels(text: Any) -> PixelRange | None:
    if text is None:
        return None
    try:
        return PixelRange.parse(str(text))
    except ValueError as error:
        raise RequestError(f"`pixels`: {error}") from error


FOLDER: Final = "assets.extra/golden"
"""The place of the records in a version."""

_SIDES: Final = ("inputs", "outputs")
_STRING: Final = "string"


class GoldenError(ImpastoError, ValueError):
    """A golden record that cannot be read; the message names the file."""


@dataclass(frozen=True, eq=False)
class GoldenRecord:
    """A request and its outputs.

    Attributes:
        signature: its name.
        inputs: those that the request carries; strings are object arrays of bytes.
        outputs: all outputs of the signature, in the same way.
    """

    signature: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, NDArray[Any]]

    def to_bytes(self) -> bytes:
        """The record as the bytes of its file; the same for the same record."""
        sides = {"inputs": self.inputs, "outputs": self.outputs}
        dtypes = {side: {name: _name(array) for name, array in sides[side].items()} for side in _SIDES}
        arrays = {f"{side}/{name}": _stored(array) for side in _SIDES for name, array in sides[side].items()}
        file = io.BytesIO()
        record = np.array(json.dumps({"signature": self.signature, **dtypes}, allow_nan=False))
        np.savez(file, allow_pickle=False, record=record, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> GoldenRecord:
        """Read what `to_bytes` wrote. Raises GoldenError."""
        try:
            _check_size(data)
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                told = json.loads(str(file["record"]))
                sides = {
                    side: {
                        name: _restored(file[f"{side}/{name}"], dtype) for name, dtype in told[side].items()
                    }
                    for side in _SIDES
                }
                return cls(str(told["signature"]), sides["inputs"], sides["outputs"])
        except Exception as error:  # zipfile, numpy and json raise whatever the bytes lead them to
            raise GoldenError(f"{where} is no golden record ({error}): publish the version again") from error


def read_golden(version: Path) -> Iterator[GoldenRecord]:
    """The golden records of the version in a directory, in the manifest's order.

    Raises:
        ManifestError: the manifest cannot be read.
        GoldenError: a record is not the one that was published, or cannot be read.
        OSError: its file cannot be opened.
    """
    manifest = Manifest.read(version)
    for name in manifest.golden:
        published = manifest.files.get(name)  # whose paths stay inside of the version
        if published is None:
            raise GoldenError(
                f"{version}: the manifest names the golden record {name!r}, but lists no such file: "
                "publish the version again"
            )
        data = (version / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != published.sha256:
            raise GoldenError(
                f"{version / name} was changed after it was published: copy the version again, or publish a new one"
            )
        yield GoldenRecord.from_bytes(data, where=str(version / name))


def _check_size(data: bytes) -> None:
    """Check that what is unpacked is no larger than the file, which may come from anybody. Raises ValueError."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > len(data):
            raise ValueError("its arrays have more bytes than the file")


def _name(array: NDArray[Any]) -> str:
    return _STRING if array.dtype.kind in "OSU" else array.dtype.name


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind in "OSU":
        coded = [base64.b64encode(_as_bytes(item)) for item in array.ravel().tolist()]
        return np.array(coded, dtype="S").reshape(array.shape)
    if array.dtype.name in OF_ML_DTYPES:
        return array.view(BY_NAME[array.dtype.name].storage)
    return array


def _as_bytes(item: str | bytes) -> bytes:
    return item.encode() if isinstance(item, str) else item


def _restored(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    if dtype == _STRING:
        texts = np.empty(array.size, object)
        texts[:] = [base64.b64decode(item, validate=True) for item in array.ravel().tolist()]
        return texts.reshape(array.shape)
    if dtype in OF_ML_DTYPES:
        # Without ml_dtypes the bits stay integers, as the client gives them.
        return array.view(ml_dtype(dtype) or array.dtype)
    if array.dtype.name != dtype:
        raise ValueError(f"an array is {array.dtype.name}, not {dtype}")
    return array
