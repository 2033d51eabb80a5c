"""The losses of a picture and their gradient, at the cost of the deepest layer that counts.

A loss is a sum of terms, each a function of one layer's activation. With x the activation of a layer, b that of the
layer below, and g the gradient by x of all deeper terms, back-propagation is

    dL/db = (dx/db)' (g + d(term)/dx for each term of this layer)

TensorFlow differentiates the layers. A term states its own derivative, because it knows more: a Gram matrix is
symmetric, so its derivative takes one matrix product instead of two. A term of weight zero costs nothing: it is neither
computed nor added.

The graph holds every layer once. Behind each its activation goes on to the next, or ends there if no deeper layer
counts: what follows from an activation that did not come is not computed, nor is its gradient. A term is a function
that is never inlined, so a server builds it only when a request first asks for it.

Whether a term counts is said by an int32 beside its weight, as `branches` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from impasto.export.backbones.backbone import Backbone
from impasto.export.branches import joined, routed
from impasto.export.functions import NOT_INLINED, graph_function

Prepare = Callable[[tf.Tensor], tf.Tensor]
"""From a picture [H, W, 3] to the network's own input [1, H, W, 3]."""

Terms = Callable[[int, Any], "Sequence[Term]"]
"""From a layer's index and the objective, which is any structure of tensors, to the layer's terms."""

_PICTURE = tf.TensorSpec([None, None, 3])


class Term(NamedTuple):
    """A part of the loss that depends on one layer's activation x, float32 [1, h, w, C].

    Attributes:
        counts: int32 [], see `branches.counted`; at zero nothing is computed.
        compute: from x to the loss [] and d(loss)/dx, of any shape that broadcasts to x's.
    """

    counts: tf.Tensor
    compute: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Gradients(tf.Module):
    """The losses of a picture and the gradient of their sum.

    Args:
        backbone: the network.
        prepare: see `Prepare`.
        terms: see `Terms`; as many for each layer.
        objective: the tf.TensorSpecs of the objective.
    """

    def __init__(self, backbone: Backbone, prepare: Prepare, terms: Terms, objective: Any) -> None:
        super().__init__(name="gradients")
        self._backbone = backbone
        self._prepare = prepare
        self._terms = terms
        self._function = graph_function(
            self._compute, _PICTURE, tf.TensorSpec([], tf.int32), objective, **NOT_INLINED
        )

    def __call__(
        self, picture: tf.Tensor, depth: tf.Tensor, objective: Any
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return the losses and their gradient.

        Args:
            picture: float32 [H, W, 3].
            depth: the index of the deepest layer that counts, int32 []: see `deepest`.
            objective: the tensors that the terms depend on.

        Returns:
            For each kind of term the sum of its losses over the layers, [], and the gradient [H, W, 3].
        """
        *losses, gradient = self._function(picture, depth, objective)
        return losses, tf.ensure_shape(gradient, [None, None, 3])

    def _compute(self, picture: tf.Tensor, depth: tf.Tensor, objective: Any) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(picture)
            x = self._prepare(picture)
        first = picture, x, tape
        steps = []
        for index in range(len(self._backbone.channels)):
            below = x
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(below)
                x = self._backbone.layer(index, below)
            ended, onward = routed(x, depth > index)
            steps.append((below, x, ended, tape))
            x = onward
        losses = []
        gradient = None
        for index, (below, x, ended, tape) in reversed(list(enumerate(steps))):
            start = tf.zeros_like(ended)
            gradient = start if gradient is None else joined(start, gradient)
            found = []
            for term in self._terms(index, objective):
                loss, gradient = _with_term(term, gradient, x)
                found.append(loss)
            losses.append(found)
            gradient = tape.gradient(x, below, output_gradients=gradient)
        below, x, tape = first
        gradient = tape.gradient(x, below, output_gradients=gradient)
        return [*(tf.add_n(each) for each in zip(*losses, strict=True)), gradient]


class Readings(tf.Module):
    """A picture's activations down to a depth, each as a function reads it.

    Args:
        backbone: the network.
        prepare: see `Prepare`.
        read: from a layer's index, its activation [1, h, w, C] in the type that the network computes in, and more
            tensors, to what is wanted of it, any structure of tensors. Layers beyond the depth are read as empty: h and
            w are 0.
        more: the tf.TensorSpecs of those tensors.
    """

    def __init__(self, backbone: Backbone, prepare: Prepare, read: Callable[..., Any], *more: Any) -> None:
        super().__init__(name="readings")
        self._backbone = backbone
        self._prepare = prepare
        self._read = read
        self._function = graph_function(
            self._compute, _PICTURE, tf.TensorSpec([], tf.int32), *more, **NOT_INLINED
        )

    def __call__(self, picture: tf.Tensor, depth: tf.Tensor, *more: tf.Tensor) -> list[Any]:
        """Return what is read of each candidate layer of a picture [H, W, 3], of which `depth` is the last computed."""
        found: list[Any] = self._function(picture, depth, *more)
        return found

    def _compute(self, picture: tf.Tensor, depth: tf.Tensor, *more: tf.Tensor) -> list[Any]:
        found = []
        x = self._prepare(picture)
        for index in range(len(self._backbone.channels)):
            x = self._backbone.layer(index, x)
            beyond, _ = routed(tf.zeros([1, 0, 0, x.shape[-1]], x.dtype), depth >= index)
            found.append(self._read(index, joined(beyond, x), *more))
            _, x = routed(x, depth > index)
        return found


def deepest(weights: tf.Tensor) -> tf.Tensor:
    """The index of the deepest layer of non-zero weight, int32 []; 0 if there is none."""
    return tf.reduce_max(tf.where(tf.not_equal(weights, 0.0), tf.range(weights.shape[0]), 0))


def _with_term(term: Term, gradient: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of a term, and `gradient` with its derivative; 0, and `gradient` as it is, where it does not count.

    The sum is not made within the function: a graph's layout ends there, and the gradient need not go through it.
    """

    def computed(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss, derivative = term.compute(tf.cast(x, tf.float32))
        return loss, tf.cast(derivative, x.dtype)

    counted = term.counts > 0
    without, with_term = routed(gradient, counted)
    loss, derivative = graph_function(computed, **NOT_INLINED)(routed(x, counted)[1])
    # A function's result has no shape for the layout optimiser, which leaves alone what it is added to.
    total = joined(without, with_term + tf.ensure_shape(derivative, derivative.shape))
    return joined(routed(tf.constant(0.0), counted)[0], loss), total
