"""Loss and gradient of a picture, at the cost of the deepest layer that the request weights.

For each candidate layer there is one function that builds the network down to it and no further; a switch picks it at
run time. The functions are shared by all signatures and never inlined, so a server builds each only when a request
first asks for that depth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from impasto.export.backbones import Backbone
from impasto.export.dream.objectives import layer_objective


class Gradients(tf.Module):
    """Losses and gradients over a backbone's candidate layers."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(name="gradients")
        self._backbone = backbone
        self._channels = backbone.channels()
        self._count = len(self._channels)
        picture = tf.TensorSpec([None, None, 3], tf.float32)
        weights = tf.TensorSpec([self._count], tf.float32)
        features = [tf.TensorSpec([None, channels], tf.float32) for channels in self._channels]
        self._gradients = [
            _function(self._gradient_at(depth), picture, weights, features[: depth + 1])
            for depth in range(self._count)
        ]
        self._features = [_function(self._features_at(depth), picture) for depth in range(self._count)]

    def depth(self, weights: tf.Tensor) -> tf.Tensor:
        """The index of the deepest layer of non-zero weight, int32 []."""
        wanted = tf.not_equal(weights, 0.0)
        return tf.reduce_max(tf.where(wanted, tf.range(self._count), 0))

    def gradient(
        self, picture: tf.Tensor, weights: tf.Tensor, depth: tf.Tensor, features: list[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Of the sum of the layers' objectives.

        Args:
            picture: float32 [H, W, 3] in -1..1.
            weights: float32 [n], one for each candidate layer.
            depth: `depth(weights)`.
            features: of a guide, as `features` or `no_features` gives them.

        Returns:
            The loss [] and its gradient [H, W, 3].
        """

        def branch(at: int) -> Callable[[], Any]:
            return lambda: self._gradients[at](picture, weights, features[: at + 1])

        loss, gradient = tf.switch_case(depth, [branch(at) for at in range(self._count)])
        return loss, tf.ensure_shape(gradient, [None, None, 3])

    def features(self, guide: tf.Tensor, depth: tf.Tensor) -> list[tf.Tensor]:
        """The guide's activations: float32 [Q, C] for each candidate layer; Q is 0 beyond `depth`.

        Args:
            guide: float32 [h, w, 3] in -1..1.
            depth: the deepest layer to compute.
        """

        def branch(at: int) -> Callable[[], Any]:
            return lambda: self._features[at](guide)

        found = tf.switch_case(depth, [branch(at) for at in range(self._count)])
        return [
            tf.ensure_shape(feature, [None, channels])
            for feature, channels in zip(found, self._channels, strict=True)
        ]

    def no_features(self) -> list[tf.Tensor]:
        """What `features` would give if there were no guide."""
        return [tf.zeros([0, channels]) for channels in self._channels]

    def _activations(self, picture: tf.Tensor, depth: int) -> list[tf.Tensor]:
        network_input = self._backbone.architecture.from_signed(tf.expand_dims(picture, 0))
        return self._backbone.activations(network_input, depth + 1)

    def _gradient_at(self, depth: int) -> Callable[..., Any]:
        def gradient(
            picture: tf.Tensor, weights: tf.Tensor, features: list[tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(picture)
                activations = self._activations(picture, depth)
            terms, upstream = zip(
                *(
                    layer_objective(layer, feature, weights[index])
                    for index, (layer, feature) in enumerate(zip(activations, features, strict=True))
                ),
                strict=True,
            )
            return tf.add_n(terms), tape.gradient(activations, picture, output_gradients=list(upstream))

        return gradient

    def _features_at(self, depth: int) -> Callable[..., Any]:
        def features(guide: tf.Tensor) -> list[tf.Tensor]:
            found = [tf.reshape(layer, [-1, layer.shape[-1]]) for layer in self._activations(guide, depth)]
            return found + self.no_features()[depth + 1 :]

        return features


def _function(function: Callable[..., Any], *signature: Any) -> Callable[..., Any]:
    # The attribute keeps the graph optimiser from copying the body into every caller.
    wrapped: Callable[..., Any] = tf.function(
        function, autograph=False, input_signature=signature, experimental_attributes={"_noinline": True}
    )
    return wrapped
