"""The signatures and warm-up requests of a version, read from its files without TensorFlow.

The field numbers are those of tensorflow/core/protobuf and tensorflow_serving/apis; a test compares what is read with
what TensorFlow reads.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from impasto.client._wire.format import LENGTH, Place, WireError, fields, map_entry, text
from impasto.client._wire.tensor_proto import TensorMessage, type_name
from impasto.client.errors import DecodeError, ImpastoError
from impasto.client.model import SignatureInfo
from impasto.client.repository.contract import read_signatures

GRAPH_FILE: Final = "saved_model.pb"
WARM_UP_FILE: Final = "assets.extra/tf_serving_warmup_requests"
SERVE_TAG: Final = "serve"
"""The tag of the graph that TensorFlow Serving loads."""

_MOST_FIELDS: Final = 1 << 24
_RECORD_HEAD: Final = struct.Struct("<QI")
_CHECKSUM_BYTES: Final = 4


class GraphFileError(ImpastoError, ValueError):
    """A file of a version that cannot be read; the message names it."""


def signatures_of(version: Path) -> dict[str, SignatureInfo]:
    """The signatures of the graph that a server loads from the version in a directory.

    Raises:
        GraphFileError: there is no SavedModel for serving, or it is damaged.
    """
    path = version / GRAPH_FILE
    place = Place(_MOST_FIELDS)
    try:
        for number, kind, value in fields(memoryview(path.read_bytes()), place):
            if (number, kind) == (2, LENGTH) and (found := _signatures(value, place.inside())) is not None:
                return read_signatures(found)
    except OSError as error:
        raise GraphFileError(f"{path}: {error.strerror}: name a version with a SavedModel") from error
    except (WireError, DecodeError) as error:
        raise GraphFileError(f"{path} is damaged ({error}): publish the version again") from error
    raise GraphFileError(f"{path} has no graph with the tag {SERVE_TAG!r}: export it for serving")


def _signatures(graph: memoryview, place: Place) -> dict[str, bytes] | None:
    """The SignatureDefs of a MetaGraphDef, if it is the one that is served."""
    tags: list[str] = []
    found: dict[str, bytes] = {}
    for number, kind, value in fields(graph, place):
        if (number, kind) == (1, LENGTH):
            inner = fields(value, place.inside())
            tags += [text(entry) for field, of, entry in inner if (field, of) == (4, LENGTH)]
        elif (number, kind) == (5, LENGTH):
            name, pieces = map_entry(value, place.inside())
            found[name] = b"".join(pieces)
    return found if SERVE_TAG in tags else None


@dataclass(frozen=True)
class WarmUp:
    """A warm-up request.

    Attributes:
        signature: its name.
        inputs: the dtype and the shape of each input that it carries.
    """

    signature: str
    inputs: dict[str, tuple[str, tuple[int, ...]]]


def warm_up_of(version: Path) -> list[WarmUp]:
    """The warm-up requests of the version in a directory; none if it has no file of them.

    Raises:
        GraphFileError: the file is damaged, or cannot be read.
    """
    path = version / WARM_UP_FILE
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise GraphFileError(f"{path}: {error.strerror}") from error
    place = Place(_MOST_FIELDS)
    try:
        return [
            _warm_up(request, place.inside(2))
            for record in _records(data)
            for log in _nested(record, 6, place)  # predict_log
            for request in _nested(log, 1, place.inside())
        ]
    except WireError as error:
        raise GraphFileError(f"{path} is damaged ({error}): publish the version again") from error


def _records(data: memoryview) -> Iterator[memoryview]:
    """The records of a TFRecord file; their checksums are for the server to check."""
    position = 0
    while position < len(data):
        if position + _RECORD_HEAD.size > len(data):
            raise WireError("a record is cut off")
        length, _ = _RECORD_HEAD.unpack_from(data, position)
        start = position + _RECORD_HEAD.size
        position = start + length + _CHECKSUM_BYTES
        if position > len(data):
            raise WireError("a record is cut off")
        yield data[start : start + length]


def _nested(message: memoryview, wanted: int, place: Place) -> Iterator[memoryview]:
    return (value for number, kind, value in fields(message, place) if (number, kind) == (wanted, LENGTH))


def _warm_up(request: memoryview, place: Place) -> WarmUp:
    signature = ""
    inputs: dict[str, tuple[str, tuple[int, ...]]] = {}
    for number, kind, value in fields(request, place):
        if (number, kind) == (1, LENGTH):
            signature = "".join(text(name) for name in _nested(value, 3, place.inside())) or signature
        elif (number, kind) == (2, LENGTH):
            name, pieces = map_entry(value, place.inside())
            tensor = TensorMessage()
            for piece in pieces:
                tensor.merge(piece, place.inside(2))
            inputs[name] = type_name(tensor.dtype), tuple(tensor.sizes)
    return WarmUp(signature or "serving_default", dict(sorted(inputs.items())))
