"""Transfer as the server runs it: the signatures of the contract `transfer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client.signatures import SERVING_DEFAULT, TRANSFER
from impasto.export import checks
from impasto.export.backbones import Backbone
from impasto.export.backbones.gradients import Gradients, Readings, deepest
from impasto.export.backbones.vgg19 import preprocess
from impasto.export.branches import computed_where, counted, where_positive
from impasto.export.contract import Tensors, contract_functions, open_list
from impasto.export.resizing import bilinear
from impasto.export.transfer import limits as bounds
from impasto.export.transfer import objective as objectives
from impasto.export.transfer.adam import USUAL, Adam, State, start
from impasto.export.transfer.descent import Average, Descent, Losses, descend
from impasto.export.transfer.limits import TransferSuggestions
from impasto.export.transfer.losses import gram, total_variation
from impasto.export.transfer.objective import Objective


class Transfer(tf.Module):
    """A network and the loop around it.

    Args:
        backbone: VGG19, or a network of its kind that has the suggested layers.
        weights: one line on where the network's weights come from and their licence.
        suggestions: the values with which it paints well.
        limits: the limits of a request; by default memory for a few gigabytes, as the network needs about 2 GB for
            each million pixels.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        weights: str,
        suggestions: TransferSuggestions | None = None,
        limits: checks.Limits | None = None,
    ) -> None:
        super().__init__(name="transfer")
        self._backbone = backbone
        self._layer_names = backbone.architecture.layers
        """Each is a convolution with its ReLU."""
        per_layer = tf.TensorSpec([len(self._layer_names)], tf.int32)
        self._targets = Readings(backbone, _prepare, read_targets, per_layer, per_layer)
        self._gradients = Gradients(
            backbone, _prepare, objectives.terms, Objective.specs(len(self._layer_names))
        )
        self._weights = weights
        self._suggestions = suggestions or TransferSuggestions()
        self._limits = limits or checks.Limits(minimum_side=backbone.architecture.minimum_side)
        self._own_layers = {
            "style_layer_weights": self._per_layer(self._suggestions.style_layers),
            "content_layer_weights": self._per_layer(self._suggestions.content_layers),
        }
        self.functions: Mapping[str, Any] = contract_functions(
            TRANSFER,
            {
                SERVING_DEFAULT: self._transfer,
                "open": self._open,
                "open_style": self._open_style,
                "optimize": self._optimize,
                "resize": self._resize,
                "close": self._close,
                "describe": self._describe,
            },
        )
        """A tf.function for each signature of the contract, by name."""

    def _transfer(self, inputs: Tensors) -> Tensors:
        own = tf.constant([0, 0])
        opened = self._open(inputs | {"size": own, "style_size": own})
        usual = {name: tf.constant(value) for name, value in USUAL.items()}
        descent = Descent(
            count=checks.steps_within(inputs["steps"], self._limits),
            done=tf.constant(0),
            adam=bounds.check_adam(inputs["learning_rate"], **usual),
            mask=tf.ones([1, 1, 1]),
            average=Average(opened["image"], tf.constant(0.0)),
            decay=tf.constant(0.0),
        )
        inputs = inputs | opened | {"loss_kind": tf.constant(0)}
        state, *_ = self._optimised(inputs, start(opened["image"]), descent)
        return {"image": _to_bytes(state.image)}

    def _open(self, inputs: Tensors) -> Tensors:
        content = self._painted("content", inputs["content"], inputs["size"])
        _, features = self._targets_of(content, content=self._layers("content", inputs))
        return {"image": content, "content_targets": features} | self._open_style(inputs)

    def _open_style(self, inputs: Tensors) -> Tensors:
        style = self._painted("style", inputs["style"], inputs["style_size"])
        grams, _ = self._targets_of(style, style=self._layers("style", inputs))
        return {"style_targets": grams}

    def _optimize(self, inputs: Tensors) -> Tensors:
        state = bounds.check_state(inputs["image"], inputs["m"], inputs["v"], self._limits)
        descent = Descent(
            count=checks.steps_within(inputs["steps"], self._limits),
            done=bounds.check_iteration(inputs["iteration"]),
            adam=bounds.check_adam(*(inputs[name] for name in Adam._fields)),
            mask=bounds.check_mask(inputs["mask"], state.image),
            average=bounds.check_average(inputs["average"], inputs["averaged"], state.image),
            decay=bounds.check_decay(inputs["average_decay"]),
        )
        state, average, losses = self._optimised(inputs, state, descent)
        named = {f"{name}_loss": loss for name, loss in losses._asdict().items()}
        return {
            **state._asdict(),
            "iteration": descent.done + descent.count,
            "average": tf.reshape(average.image, [-1]),
            **named,
        }

    def _resize(self, inputs: Tensors) -> Tensors:
        return {"image": self._resized(inputs["image"], inputs["size"])}

    def _close(self, inputs: Tensors) -> Tensors:
        size = _size_or_own(inputs["size"], inputs["image"])
        return {"image": _to_bytes(self._resized(inputs["image"], size))}

    def _describe(self, inputs: Tensors) -> Tensors:
        size, longest_side = bounds.check_describe(inputs["size"], inputs["longest_side"])
        suggestions, limits = self._suggestions, self._limits
        own = {name: open_list(weights) for name, weights in self._own_layers.items()}
        return own | {
            "size": _painting_size(size, longest_side),
            "backbone": tf.constant(self._backbone.architecture.name),
            "weights": tf.constant(self._weights),
            "compute": tf.constant(self._backbone.compute.value),
            "layers": open_list(self._layer_names),
            "suggested_steps": tf.constant(suggestions.steps),
            "suggested_style_weight": tf.constant(suggestions.style_weight),
            "suggested_content_weight": tf.constant(suggestions.content_weight),
            "suggested_total_variation_weight": tf.constant(suggestions.total_variation_weight),
            "suggested_learning_rate": tf.constant(suggestions.learning_rate),
            "minimum_side": tf.constant(limits.minimum_side),
            "maximum_steps": tf.constant(limits.maximum_steps),
            "maximum_pixels": tf.constant(limits.maximum_pixels),
        }

    def _targets_of(
        self, picture: tf.Tensor, *, style: tf.Tensor | None = None, content: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The Gram matrices and the activations of the layers of non-zero weight, one after the other."""
        none = tf.zeros([len(self._layer_names)])
        style, content = (none if weights is None else weights for weights in (style, content))
        found = self._targets(picture, deepest(style + content), counted(style), counted(content))
        grams, features = (tf.concat(each, axis=0) for each in zip(*found, strict=True))
        return grams, features

    def _optimised(self, inputs: Tensors, state: State, descent: Descent) -> tuple[State, Average, Losses]:
        variation_weight, objective = self._objective(inputs, tf.shape(state.image)[:2])
        variation_counts = counted(variation_weight)
        depth = deepest(objective.style + objective.content)

        def gradient(picture: tf.Tensor) -> tuple[Losses, tf.Tensor]:
            (style, content), of_layers = self._gradients(picture, depth, objective)

            def smoothed() -> tuple[tf.Tensor, tf.Tensor]:
                loss, smoothing = total_variation(picture, variation_weight, objective.scaled)
                return loss, of_layers + smoothing

            variation, found = where_positive(
                variation_counts, smoothed, lambda: (tf.constant(0.0), of_layers)
            )
            return Losses(style, content, variation), tf.ensure_shape(found, [None, None, 3])

        state, average, losses = descend(state, gradient, descent)
        return bounds.check_result(state), average, losses

    def _objective(self, inputs: Tensors, sides: tf.Tensor) -> tuple[tf.Tensor, Objective]:
        style_weight, content_weight, variation_weight = bounds.check_weights(
            inputs["style_weight"], inputs["content_weight"], inputs["total_variation_weight"]
        )
        style, content = self._layers("style", inputs), self._layers("content", inputs)
        gram_sizes = objectives.gram_sizes(self._backbone)
        feature_sizes = objectives.feature_sizes(self._backbone, sides)
        style_weights = style_weight * objectives.shares(style)
        content_weights = content_weight * objectives.shares(content)
        objective = Objective(
            style=style_weights,
            content=content_weights,
            grams=bounds.check_targets(
                "style_targets", inputs["style_targets"], objectives.total(gram_sizes, style)
            ),
            features=bounds.check_targets(
                "content_targets", inputs["content_targets"], objectives.total(feature_sizes, content)
            ),
            gram_starts=objectives.starts(gram_sizes, style),
            feature_starts=objectives.starts(feature_sizes, content),
            style_counts=counted(style_weights),
            content_counts=counted(content_weights),
            scaled=bounds.check_loss_kind(inputs["loss_kind"]),
        )
        return variation_weight, objective

    def _per_layer(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        return np.array([weights.get(name, 0.0) for name in self._layer_names], np.float32)

    def _layers(self, kind: str, inputs: Tensors) -> tf.Tensor:
        """The weights of a request's layers, or the model's own."""
        name = f"{kind}_layer_weights"
        return bounds.check_layer_weights(name, inputs[name], self._own_layers[name])

    def _painted(self, name: str, picture: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """A uint8 picture as the network takes it, at `size` or its own."""
        picture, least = checks.picture(name, picture), self._limits.minimum_side
        size = checks.picture_size(name, _size_or_own(size, picture), self._limits, least=least)
        return _resize(tf.image.convert_image_dtype(picture, tf.float32), size)

    def _resized(self, image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        image = bounds.check_image(checks.picture("image", image))
        size = checks.picture_size("size", size, self._limits)
        return tf.clip_by_value(_resize(image, size), 0.0, 1.0)


def _prepare(picture: tf.Tensor) -> tf.Tensor:
    """From a picture [H, W, 3] in 0..1 to what VGG19 takes."""
    return preprocess(255.0 * picture[None])


def read_targets(
    index: int, x: tf.Tensor, style: tf.Tensor, content: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The Gram matrix and the activation of a layer, flat; empty where it does not count.

    Args:
        index: the layer's.
        x: its activation.
        style: int32 [n], the layers whose style counts, see `branches.counted`.
        content: int32 [n], those whose content does.
    """

    def flat(read: Callable[[tf.Tensor], tf.Tensor], counts: tf.Tensor) -> tf.Tensor:
        def compute(x: tf.Tensor) -> tf.Tensor:
            return tf.reshape(read(tf.cast(x, tf.float32)), [-1])

        return computed_where(counts[index] > 0, x, compute, tf.zeros([0]))

    return flat(gram, style), flat(tf.identity, content)


def _to_bytes(image: tf.Tensor) -> tf.Tensor:
    """0..1 to uint8, cut off rather than rounded, as the usual recipe does."""
    return tf.cast(255.0 * image, tf.uint8)


def _resize(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """float32 [h, w, 3] to [H, W, 3]: bilinear, without antialiasing; a picture of that size stays as it is."""
    return tf.ensure_shape(bilinear(image, size), [None, None, 3])


def _painting_size(size: tf.Tensor, longest_side: tf.Tensor) -> tf.Tensor:
    """int32 [2]: height and width `size` [2], scaled so that the larger is `longest_side`, and cut off."""
    sides = tf.cast(size, tf.float32)
    scale = tf.math.divide_no_nan(tf.cast(longest_side, tf.float32), tf.reduce_max(sides))
    # Beyond int32 a cast gives anything; any number above every limit will do.
    return tf.cast(tf.minimum(sides * scale, float(1 << 30)), tf.int32)


def _size_or_own(size: tf.Tensor, picture: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.reduce_all(tf.equal(size, 0)), tf.shape(picture)[:2], size)
