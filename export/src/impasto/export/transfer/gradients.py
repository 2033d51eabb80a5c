"""Targets, losses and gradients, at the cost of the deepest layer that a request weights.

Each layer is computed, or left out, at run time; and so is each layer's loss. The functions are shared by all
signatures and never inlined, so a server optimises each once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from impasto.export.transfer import losses
from impasto.export.transfer.network import LAYERS, Network
from impasto.export.transfer.objective import Objective, deepest

# Keeps the graph optimiser from copying a function's body into every caller.
_NOT_INLINED = {"_noinline": True}


class Losses(NamedTuple):
    """The parts of the loss, float32 [], each times its weight."""

    style: tf.Tensor
    content: tf.Tensor
    total_variation: tf.Tensor


class _Layer(NamedTuple):
    """What a layer leaves on the way forward; all but the losses are empty where the layer was left out.

    Attributes:
        activation: [1, h, w, C].
        style: its part of the style loss, [].
        content: its part of the content loss, [].
        difference: of the Gram matrix from its target, [C, C]; empty where the style loss has no part in this layer.
    """

    activation: tf.Tensor
    style: tf.Tensor
    content: tf.Tensor
    difference: tf.Tensor


class Gradients(tf.Module):
    """Targets, losses and gradients over a network's candidate layers."""

    def __init__(self, network: Network) -> None:
        super().__init__(name="gradients")
        self._network = network
        picture = tf.TensorSpec([None, None, 3])
        per_layer = tf.TensorSpec([len(LAYERS)])
        self._targets = _function(self._compute_targets, picture, per_layer, per_layer)
        self._gradient = _function(self._compute_gradient, picture, *Objective.specs())

    def targets(
        self, picture: tf.Tensor, *, style: tf.Tensor | None = None, content: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The Gram matrices and the activations of the layers of non-zero weight, one after the other.

        Args:
            picture: float32 [H, W, 3] in 0..1.
            style: float32 [n], the layers' weights; None is no Gram matrix.
            content: the same for activations.

        Returns:
            Two flat vectors.
        """
        none = tf.zeros([len(LAYERS)])
        grams, features = self._targets(
            picture, none if style is None else style, none if content is None else content
        )
        return grams, features

    def gradient(self, picture: tf.Tensor, objective: Objective) -> tuple[Losses, tf.Tensor]:
        """The losses of a picture, float32 [H, W, 3] in 0..1, and the gradient [H, W, 3] of their sum."""
        style, content, variation, gradient = self._gradient(picture, *objective)
        return Losses(style, content, variation), gradient

    def _compute_targets(
        self, picture: tf.Tensor, style: tf.Tensor, content: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        depth = deepest(style + content)
        grams: list[tf.Tensor] = []
        features: list[tf.Tensor] = []
        x = self._network.from_picture(picture)
        for index in range(len(LAYERS)):
            below = x
            x = tf.cond(
                index <= depth,
                lambda index=index, below=below: self._network.forward(index, below),
                lambda index=index: self._nothing(index),
            )
            grams.append(_flat_if(style[index], losses.gram, x))
            features.append(_flat_if(content[index], losses.in_float32, x))
        return tf.concat(grams, axis=0), tf.concat(features, axis=0)

    def _compute_gradient(self, picture: tf.Tensor, *fields: tf.Tensor) -> tuple[tf.Tensor, ...]:
        objective = Objective(*fields)
        depth = deepest(objective.style + objective.content)
        network_input = self._network.from_picture(picture)
        below = [network_input]
        layers: list[_Layer] = []
        for index in range(len(LAYERS)):
            layers.append(
                tf.cond(
                    index <= depth,
                    lambda index=index: self._forward(objective, index, below[index]),
                    lambda index=index: self._left_out(index),
                )
            )
            below.append(layers[index].activation)
        gradient = tf.zeros_like(below[-1])
        for index in reversed(range(len(LAYERS))):
            gradient = tf.cond(
                index <= depth,
                lambda index=index, above=gradient: self._backward(
                    objective, index, above, below[index], layers[index]
                ),
                # Of the right shape for the layer below: nothing comes from above the deepest one.
                lambda index=index: tf.zeros_like(below[index]),
            )
        variation, smoothing = _total_variation(picture, objective.total_variation)
        return (
            tf.add_n([layer.style for layer in layers]),
            tf.add_n([layer.content for layer in layers]),
            variation,
            tf.ensure_shape(self._network.to_picture(gradient) + smoothing, [None, None, 3]),
        )

    def _forward(self, objective: Objective, index: int, below: tf.Tensor) -> _Layer:
        x = self._network.forward(index, below)
        weight, channels = objective.style[index], self._network.channels[index]

        def style_loss() -> tuple[tf.Tensor, tf.Tensor]:
            difference = losses.gram(x) - objective.gram(index, channels)
            return weight * losses.mean_square(difference), difference

        style, difference = _if(weight, style_loss, lambda: (tf.constant(0.0), tf.zeros([0, channels])))
        content = _if(
            objective.content[index],
            lambda: objective.content[index] * losses.mean_square(_feature_difference(objective, index, x)),
            lambda: tf.constant(0.0),
        )
        return _Layer(x, style, content, difference)

    def _left_out(self, index: int) -> _Layer:
        none = tf.zeros([0, self._network.channels[index]])
        return _Layer(self._nothing(index), tf.constant(0.0), tf.constant(0.0), none)

    def _nothing(self, index: int) -> tf.Tensor:
        return tf.zeros([1, 0, 0, self._network.channels[index]], self._network.dtype(index))

    def _backward(
        self, objective: Objective, index: int, above: tf.Tensor, below: tf.Tensor, layer: _Layer
    ) -> tf.Tensor:
        style, content, x = objective.style[index], objective.content[index], layer.activation

        def with_style() -> tf.Tensor:
            return above + tf.cast(style * losses.style_gradient(x, layer.difference), x.dtype)

        gradient = _if(style, with_style, lambda: above)

        def with_content() -> tf.Tensor:
            # The difference is computed once more rather than kept: it is as large as the activation.
            more = content * losses.content_gradient(_feature_difference(objective, index, x))
            return gradient + tf.cast(more, x.dtype)

        gradient = _if(content, with_content, lambda: gradient)
        return self._network.backward(index, gradient, below=below, activation=x)


def _feature_difference(objective: Objective, index: int, x: tf.Tensor) -> tf.Tensor:
    return losses.content_difference(x, objective.feature(index, tf.size(x)))


def _total_variation(picture: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    def computed() -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(picture)
            loss = losses.total_variation(picture, weight)
        return loss, tape.gradient(loss, picture)

    variation, smoothing = _if(weight, computed, lambda: (tf.constant(0.0), tf.zeros_like(picture)))
    return variation, smoothing


def _if(weight: tf.Tensor, present: Callable[[], object], absent: Callable[[], object]) -> tf.Tensor:
    return tf.cond(tf.not_equal(weight, 0.0), present, absent)


def _flat_if(weight: tf.Tensor, of: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    return _if(weight, lambda: tf.reshape(of(x), [-1]), lambda: tf.zeros([0]))


def _function(function: Callable[..., object], *signature: object) -> Callable[..., tuple[tf.Tensor, ...]]:
    wrapped: Callable[..., tuple[tf.Tensor, ...]] = tf.function(
        function, input_signature=signature, experimental_attributes=_NOT_INLINED
    )
    return wrapped
