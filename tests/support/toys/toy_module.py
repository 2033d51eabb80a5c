"""A tiny tf.Module with optional inputs, and its contract."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from impasto.client.signatures import ModelContract, Signature, TensorSpec

_X = TensorSpec("x", "float32", (None, 2), "any numbers")
_GAIN = TensorSpec("gain", "float32", (), "what x is multiplied by", default=3.0)
_STEPS = TensorSpec("steps", "int32", (None,), "whose sum is added", default=(1, 2))
_Y = TensorSpec("y", "float32", (None, 2), "2 gain x + sum(steps)")

TOY_CONTRACT = ModelContract(
    "toy",
    "Multiplies and adds.",
    {"serving_default": Signature("serving_default", inputs=(_X, _GAIN, _STEPS), outputs=(_Y,))},
)


class ToyModule(tf.Module):
    """Computes 2 gain x + sum(steps); the 2 is a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(2.0, trainable=False)
        self.calls = tf.Variable(0, trainable=False)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="x"),
            tf.TensorSpec([], tf.float32, name="gain"),
            tf.TensorSpec([None], tf.int32, name="steps"),
        ]
    )
    def serve(
        self,
        x: Any,
        gain: Any = tf.constant(3.0),  # noqa: B008  # only so does the default reach the SignatureDef
        steps: Any = tf.constant([1, 2]),  # noqa: B008
    ) -> dict[str, Any]:
        """The signature `serving_default`."""
        return {"y": self.weight * gain * x + tf.cast(tf.reduce_sum(steps), tf.float32)}
