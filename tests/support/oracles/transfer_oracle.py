"""Style transfer as its usual recipe computes it: eagerly, on Keras' VGG19 with Keras' Adam, one plain loop.

Written from the recipe alone, to compare what is served with. Nothing of the exporter is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

STYLE_LAYERS = tuple(f"block{block}_conv1" for block in range(1, 6))
CONTENT_LAYERS = ("block5_conv2",)


@dataclass(frozen=True)
class Run:
    """What a run gives: the picture in 0..1, [H, W, 3], and of each step the style loss and the content loss."""

    image: NDArray[np.float32]
    style_losses: list[float]
    content_losses: list[float]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return np.array(self.image * 255, np.uint8)


class StyleTransferrer:
    """The recipe on a Keras VGG19 without its classifier."""

    def __init__(
        self,
        model: Any,
        style_layers: Sequence[str] = STYLE_LAYERS,
        content_layers: Sequence[str] = CONTENT_LAYERS,
    ) -> None:
        names = [*style_layers, *content_layers]
        model.trainable = False
        self._outputs = tf.keras.Model(model.input, [model.get_layer(name).output for name in names])
        self._styles = len(style_layers)

    def extract(self, image: Any) -> tuple[list[Any], list[Any]]:
        """The Gram matrices and the content activations of [1, H, W, 3] in 0..1."""
        outputs = self._outputs(tf.keras.applications.vgg19.preprocess_input(image * 255.0))
        grams = []
        for layer in outputs[: self._styles]:
            sums = tf.linalg.einsum("bijc,bijd->bcd", layer, layer)
            grams.append(sums / tf.cast(tf.shape(layer)[1] * tf.shape(layer)[2], tf.float32))
        return grams, outputs[self._styles :]

    def transfers(
        self,
        content: NDArray[np.float32],
        style: NDArray[np.float32],
        *,
        steps: Sequence[int],
        **settings: float,
    ) -> list[Run]:
        """Paint `content` like `style`, see `Painting`: the run after the first number of steps, the second, ..."""
        painting = Painting(self, content, style, **settings)
        losses: list[list[float]] = []
        runs = []
        for more in steps:
            losses += [[float(loss) for loss in painting.step()] for _ in range(more)]
            style_losses, content_losses = ([pair[kind] for pair in losses] for kind in (0, 1))
            runs.append(Run(painting.image.numpy()[0], style_losses, content_losses))
        return runs


class Painting:
    """A picture being painted: `content` like `style`, both float32 [H, W, 3] in 0..1, starting from the content."""

    def __init__(
        self,
        transferrer: StyleTransferrer,
        content: NDArray[np.float32],
        style: NDArray[np.float32],
        *,
        style_weight: float = 1e-2,
        content_weight: float = 1e4,
        total_variation_weight: float = 0.0,
        learning_rate: float = 0.02,
    ) -> None:
        self._extract = transferrer.extract
        self._targets, _ = transferrer.extract(tf.constant(style)[None])
        _, self._goals = transferrer.extract(tf.constant(content)[None])
        self._weights = style_weight, content_weight, total_variation_weight
        self._optimizer = tf.keras.optimizers.Adam(learning_rate, beta_1=0.99, beta_2=0.999, epsilon=1e-1)
        self.image = tf.Variable(content[None])
        self._optimizer.build([self.image])

    def step(self) -> tuple[Any, Any]:
        """One step; the style loss and the content loss before it."""
        style_weight, content_weight, total_variation_weight = self._weights
        with tf.GradientTape() as tape:
            grams, features = self._extract(self.image)
            pairs = zip(grams, self._targets, strict=True)
            style_loss = tf.add_n([tf.reduce_mean((gram - target) ** 2) for gram, target in pairs])
            style_loss *= style_weight / len(grams)
            pairs = zip(features, self._goals, strict=True)
            content_loss = tf.add_n([tf.reduce_mean((feature - goal) ** 2) for feature, goal in pairs])
            content_loss *= content_weight / len(features)
            loss = style_loss + content_loss
            if total_variation_weight:
                loss += total_variation_weight * tf.reduce_sum(tf.image.total_variation(self.image))
        self._optimizer.apply_gradients([(tape.gradient(loss, self.image), self.image)])
        self.image.assign(tf.clip_by_value(self.image, 0.0, 1.0))
        return style_loss, content_loss


def load(pixels: NDArray[np.uint8], longest_side: int) -> NDArray[np.float32]:
    """A picture uint8 [h, w, 3] as the recipe takes it: in 0..1, its longest side scaled."""
    image = tf.image.convert_image_dtype(pixels, tf.float32)
    sides = tf.cast(tf.shape(image)[:-1], tf.float32)
    scale = longest_side / tf.reduce_max(sides)
    image = tf.image.resize(image, tf.cast(sides * scale, tf.int32))
    result: NDArray[np.float32] = image.numpy()
    return result


def keras_vgg19(arrays: Mapping[str, NDArray[np.float32]]) -> Any:
    """Keras' VGG19 with the weights `<layer>/kernel` and `<layer>/bias`."""
    model = tf.keras.applications.VGG19(include_top=False, weights=None)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            layer.set_weights([arrays[f"{layer.name}/kernel"], arrays[f"{layer.name}/bias"]])
    return model
