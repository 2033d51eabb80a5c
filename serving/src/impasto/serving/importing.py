"""Importing TensorFlow with what a server wants of it: memory that it keeps, and results that repeat.

Memory. For each large tensor TensorFlow asks the system for memory on a processor, and gives it back: the system clears
every page of it anew, which takes a fifth of a dream's time. TensorFlow's own allocator keeps what it has for the next
tensor.

Results. On a GPU TensorFlow's gradients differ from call to call, unless it is told to be deterministic. A processor
repeats without it, so there it stays off: deterministic, TensorFlow refuses models that draw random numbers without a
seed, which models of others do.

Programs start it without its notes about processors, GPUs and future removals.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

from impasto.client.native_stderr import start_up_notes_dropped

ALLOCATOR: Final = "TF_CPU_ALLOCATOR_USE_BFC"
"""The variable of the environment that has TensorFlow, and TensorFlow Serving, keep a processor's memory: true."""

SWITCH: Final = "TF_DETERMINISTIC_OPS"
"""The variable of the environment that decides, here and in TensorFlow Serving: 1 to repeat, 0 for speed."""

_LOG: Final = logging.getLogger("impasto.serving")


def import_tensorflow() -> None:
    """Import TensorFlow, and have it keep its memory, and repeat on a GPU, where nobody has decided otherwise.

    Whoever imported TensorFlow before has decided: it stays as it is, for the program's own work with it. Where its
    results on a GPU will not repeat, the log says so.
    """
    is_ours = "tensorflow" not in sys.modules
    if is_ours:
        os.environ.setdefault(ALLOCATOR, "true")
    import tensorflow as tf

    decide(on_gpu=bool(tf.config.list_physical_devices("GPU")), is_ours=is_ours)


def quiet_tensorflow() -> None:
    """Import TensorFlow and run a first session without the start-up notes; for programs, not for libraries.

    A real failure still raises an exception. With TF_CPP_MIN_LOG_LEVEL at 0 or 1 in the environment, all notes are
    shown.
    """
    with start_up_notes_dropped():
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        import_tensorflow()
        import tensorflow as tf

        # As the models' sessions are: the first one of a process decides how much of a GPU's memory is taken.
        options = tf.compat.v1.GPUOptions(allow_growth=True)
        config = tf.compat.v1.ConfigProto(gpu_options=options)
        with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
            session.run(tf.constant(0))


def decide(*, on_gpu: bool, is_ours: bool) -> None:
    """Make TensorFlow deterministic, or say that it is not; the switch goes before both.

    Args:
        on_gpu: TensorFlow sees a GPU.
        is_ours: nobody but the server uses TensorFlow in this process.
    """
    from tensorflow.python.framework import config

    if SWITCH in os.environ or not on_gpu or config.is_op_determinism_enabled():
        return
    if is_ours:
        config.enable_op_determinism()  # what the switch does, which TensorFlow may have read by now
        return
    _LOG.warning(
        "dream and transfer will not repeat their results bit for bit on this GPU, because TensorFlow was imported "
        "before the server; set %s=1 in the environment, or call tf.config.experimental.enable_op_determinism(); %s=0 "
        "ends this message",
        SWITCH,
        SWITCH,
    )
