"""The standard error of native code, which Python cannot be asked to hold back; shared with export and serving."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

LEVEL: Final = "TF_CPP_MIN_LOG_LEVEL"
"""The environment variable for TensorFlow's own messages: 0 for all, 3 for the worst alone."""


@contextmanager
def start_up_notes_dropped() -> Generator[None]:
    """Drop what TensorFlow says while it starts: which processor it found, which GPU it did not.

    Some of it comes before TensorFlow heeds any level. With TF_CPP_MIN_LOG_LEVEL at 0 or 1, everything is shown.
    """
    if os.environ.setdefault(LEVEL, "3") in ("0", "1"):
        yield
        return
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)
