"""The encoding that a server chose for its answer: tensor_content, or a field for each type."""

from __future__ import annotations

import math

from impasto.client._wire.format import LENGTH, Place, WireError, fields, map_entry
from impasto.client._wire.tensor_message import TensorMessage
from impasto.client.errors import DecodeError


def typed_outputs(payload: bytes) -> list[str]:
    """Return the outputs of a PredictResponse whose numbers came in typed fields.

    Strings and single numbers do not count: servers send those so whatever their flags say.

    Raises:
        DecodeError: the response cannot be parsed.
    """
    place = Place()
    try:
        return [
            name
            for field_number, kind, value in fields(memoryview(payload), place)
            if (field_number, kind) == (1, LENGTH)
            for name, pieces in [map_entry(value, place.inside())]
            if _is_typed(TensorMessage.of(pieces, place.inside(2)))
        ]
    except WireError as error:
        raise DecodeError(f"the server's PredictResponse cannot be parsed: {error}") from error


def _is_typed(message: TensorMessage) -> bool:
    return math.prod(message.sizes) > 1 and any(field.coding != "strings" for field in message.values)
