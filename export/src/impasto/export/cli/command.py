"""Commands that compute with TensorFlow."""

from __future__ import annotations

import logging
from typing import Any

import click

from impasto.client.native_stderr import start_up_notes_dropped


class TensorFlowCommand(click.Command):
    """A command that starts TensorFlow, without the notes of its start, once its arguments are understood."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with start_up_notes_dropped():
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
            import tensorflow as tf

            tf.constant(0)  # it looks for its devices now, of which it tells
        return super().invoke(ctx)
