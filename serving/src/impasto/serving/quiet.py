"""TensorFlow talks while it starts: which CPU it found, which GPU it did not, what will be removed one day."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


def quiet_tensorflow() -> None:
    """Import TensorFlow and run a first session without the start-up notes; for programs, not for libraries.

    What really fails is raised as an exception. With TF_CPP_MIN_LOG_LEVEL set in the environment, everything is shown.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # The first session of a process logs one line past every level.
    with _native_stderr_closed():
        import tensorflow as tf

        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(tf.constant(0))


@contextmanager
def _native_stderr_closed() -> Iterator[None]:
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)
