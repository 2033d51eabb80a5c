"""Starting TensorFlow without its start-up notes about processors, GPUs and future removals."""

from __future__ import annotations

import logging

from impasto.client.native_stderr import start_up_notes_dropped
from impasto.serving.importing import import_tensorflow


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
