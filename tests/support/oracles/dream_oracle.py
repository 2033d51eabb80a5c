"""DeepDream as its usual recipe computes it: eagerly, on Keras' own networks, one plain loop after the other.

Written from the recipe alone, to compare what is served with. Nothing of the exporter is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class DeepDreamer:
    """The recipe on a Keras model.

    Args:
        model: a Keras application without its classifier.
        layers: the names of the layers whose mean activations are raised.
        to_input: a picture in -1..1 to the model's own input.
    """

    def __init__(
        self, model: Any, layers: Sequence[str], to_input: Callable[[Any], Any] = tf.identity
    ) -> None:
        self._outputs = tf.keras.Model(model.input, [model.get_layer(name).output for name in layers])
        self._to_input = to_input

    def loss(self, x: Any) -> Any:
        """The sum of the layers' mean activations for a picture [H, W, 3] in -1..1."""
        activations = self._outputs(self._to_input(tf.expand_dims(x, axis=0)))
        if not isinstance(activations, list):
            activations = [activations]
        return tf.add_n([tf.math.reduce_mean(activation) for activation in activations])

    def ascend(self, x: Any, steps: int, step_size: float) -> tuple[Any, Any]:
        """The picture after the steps, and the loss that the last of them saw."""
        loss = tf.constant(0.0)
        for _ in range(steps):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = self.loss(x)
            gradient = tape.gradient(loss, x)
            gradient /= tf.math.reduce_std(gradient) + 1e-8
            x = tf.clip_by_value(x + gradient * step_size, -1, 1)
        return x, loss

    def dream(
        self,
        image: Pixels,
        *,
        steps: int,
        step_size: float = 0.01,
        octaves: Sequence[int] = (-2, -1, 0, 1, 2),
        octave_scale: float = 1.30,
    ) -> Pixels:
        """The dream of a picture uint8 [H, W, 3], of the same size."""
        original_size = tf.shape(image)[:2]
        base = tf.cast(original_size, tf.float32)
        picture = tf.constant(image)
        for octave in octaves:
            size = tf.cast(base * (octave_scale**octave), tf.int32)
            x = tf.image.resize(picture, size) / 127.5 - 1.0
            x, _ = self.ascend(x, steps, step_size)
            picture = tf.cast(255 * (x + 1.0) / 2.0, tf.uint8)
        picture = tf.image.resize(picture, original_size)
        result: Pixels = tf.image.convert_image_dtype(picture / 255.0, tf.uint8).numpy()
        return result


def inception_v3(weights: dict[str, NDArray[np.float32]]) -> Any:
    """Keras' InceptionV3 without its classifier, given kernels and batch normalisation by number."""
    tf.keras.backend.clear_session()  # so that the layers' numbers start at none
    model = tf.keras.applications.InceptionV3(include_top=False, weights=None)
    for number in range(94):
        suffix = f"_{number}" if number else ""
        model.get_layer(f"conv2d{suffix}").set_weights([weights[f"conv{number}/kernel"]])
        model.get_layer(f"batch_normalization{suffix}").set_weights(
            [weights[f"conv{number}/{name}"] for name in ("beta", "mean", "variance")]
        )
    return model


def vgg19(weights: dict[str, NDArray[np.float32]]) -> Any:
    """Keras' VGG19 without its classifier, given kernels and biases by layer."""
    model = tf.keras.applications.VGG19(include_top=False, weights=None)
    for layer in model.layers:
        if "conv" in layer.name:
            layer.set_weights([weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"]])
    return model


def vgg_input(x: Any) -> Any:
    """-1..1 to what Keras feeds VGG19."""
    return tf.keras.applications.vgg19.preprocess_input((x + 1.0) * 127.5)
