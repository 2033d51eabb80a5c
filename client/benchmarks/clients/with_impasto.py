"""Impasto's part of the comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
from worker import as_it_is, work

from impasto.client import Model
from impasto.client._transport import calls

_CALL = calls.predict_call(Model("m"), {})


def decode(payload: bytes) -> Any:
    """From the response's bytes to the array."""
    return _CALL.parse(payload).outputs["x"]


def decode_and_own(payload: bytes) -> Any:
    """The same, to an array that can be changed and whose elements are aligned."""
    return np.require(decode(payload), requirements="AW")


def pack(array: Any) -> bytes:
    """From the array to the request's bytes."""
    return calls.predict_call(Model("m"), {"x": array}).request


if __name__ == "__main__":
    work(
        {
            "decode": (as_it_is, decode),
            "decode and own": (as_it_is, decode_and_own),
            "decode parsed": (as_it_is, decode),  # nothing is parsed apart: the whole way counts
            "pack": (as_it_is, pack),
        }
    )
