"""Requests as people write them: a JSON list of signatures and inputs, for warm-up and for golden records.

    [
      {"signature": "serving_default", "inputs": {"image": "@small.png", "strength": 0.5}},
      {"inputs": {"x": [[1, 2], [3, 4]]}}
    ]

`signature` is `serving_default` where it is left out. An input is a JSON value or `"@FILE"`, relative to the JSON file:
an array (`.npy`), a picture, or the bytes of any file where the input is a string; see `impasto.client.given.values`.
`"pixels": "0..1"` beside them says which numbers stand for a picture's 0 to 255 where an input is of floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from numpy.typing import NDArray

from impasto.client.given.pixel_range import PixelRange
from impasto.client.given.values import Reading, RequestError, from_json
from impasto.client.metadata import SignatureInfo
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.text_files import NotUtf8, decoded_text

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
