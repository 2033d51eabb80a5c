"""TensorFlow talks while it starts: which CPU it found, which GPU it did not, what will be removed one day."""

from __future__ import annotations

import logging
import os


def quiet_tensorflow() -> None:
    """Let only errors that a person can act on reach the terminal; call it before TensorFlow is imported.

    Native messages up to "error" are start-up notes (a missing GPU is one of them); what really fails is raised
    as an exception. TF_CPP_MIN_LOG_LEVEL, if set, is respected.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
