"""What a model tells of itself is checked before it is believed."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.client._answers import told
from impasto.client.errors import DecodeError
from impasto.client.signatures import STYLIZE

DESCRIBE = STYLIZE.signatures["describe"]


def test_text_that_is_no_utf_8_is_an_answer_that_cannot_be_read() -> None:
    source = np.array([b"hub", b"\xff"], np.object_)
    with pytest.raises(DecodeError, match="painter answered 'source' with text that is no UTF-8"):
        told({"source": source}, DESCRIBE, names=["source"], model="painter")


def test_text_and_numbers_become_plain_values() -> None:
    outputs = {
        "source": np.array(["h\u00fcb".encode()], np.object_),
        "vector_size": np.array([100], np.int32),
    }
    values = told(outputs, DESCRIBE, names=list(outputs), model="painter")
    assert values == {"source": ["h\u00fcb"], "vector_size": [100]}
