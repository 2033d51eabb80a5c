"""Transfer as the server runs it: the signatures of the contract `transfer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client.signatures import SERVING_DEFAULT, TRANSFER
from impasto.export.backbones import VGG19
from impasto.export.contract_functions import Tensors, contract_function
from impasto.export.transfer import limits as checks
from impasto.export.transfer import objective as objectives
from impasto.export.transfer import pictures
from impasto.export.transfer.adam import State, start
from impasto.export.transfer.gradients import Gradients, Losses
from impasto.export.transfer.limits import Limits
from impasto.export.transfer.network import LAYERS, MINIMUM_SIDE, Network
from impasto.export.transfer.objective import Objective
from impasto.export.transfer.optimisation import Steps, optimise
from impasto.export.transfer.settings import Settings


class Transfer(tf.Module):
    """A network and the loop around it.

    Args:
        network: VGG19.
        weights: one line on where the network's weights come from and their licence.
        settings: what it paints well with.
        limits: what a request may ask for; by default memory for a few gigabytes.
    """

    def __init__(
        self,
        network: Network,
        *,
        weights: str,
        settings: Settings | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name="transfer")
        self._network = network
        self._gradients = Gradients(network)
        self._weights = weights
        self._settings = settings or Settings()
        self._limits = limits or Limits()
        self._own_layers = {
            "style_layer_weights": _per_layer(self._settings.style_layers),
            "content_layer_weights": _per_layer(self._settings.content_layers),
        }
        computations: dict[str, Callable[[Tensors], Tensors]] = {
            SERVING_DEFAULT: self._transfer,
            "open": self._open,
            "open_style": self._open_style,
            "optimize": self._optimize,
            "resize": self._resize,
            "close": self._close,
            "describe": self._describe,
        }
        self.functions: Mapping[str, Any] = {
            name: contract_function(TRANSFER.signatures[name], function)
            for name, function in computations.items()
        }
        """A tf.function for each signature of the contract, by name."""

    def _transfer(self, inputs: Tensors) -> Tensors:
        own = tf.constant([0, 0])
        opened = self._open(inputs | {"size": own, "style_size": own})
        steps = Steps(
            count=checks.check_steps(inputs["steps"], self._limits),
            done=tf.constant(0),
            learning_rate=checks.check_learning_rate(inputs["learning_rate"]),
            mask=tf.ones([1, 1, 1]),
        )
        state, _ = self._optimised(inputs | opened, start(opened["image"]), steps)
        return {"image": pictures.to_bytes(state.image)}

    def _open(self, inputs: Tensors) -> Tensors:
        content = self._painted("content", inputs["content"], inputs["size"])
        _, features = self._gradients.targets(content, content=self._layers("content", inputs))
        return {"image": content, "content_targets": features} | self._open_style(inputs)

    def _open_style(self, inputs: Tensors) -> Tensors:
        style = self._painted("style", inputs["style"], inputs["style_size"])
        grams, _ = self._gradients.targets(style, style=self._layers("style", inputs))
        return {"style_targets": grams}

    def _optimize(self, inputs: Tensors) -> Tensors:
        state = checks.check_state(inputs["image"], inputs["m"], inputs["v"], self._limits)
        steps = Steps(
            count=checks.check_steps(inputs["steps"], self._limits),
            done=checks.check_iteration(inputs["iteration"]),
            learning_rate=checks.check_learning_rate(inputs["learning_rate"]),
            mask=checks.check_mask(inputs["mask"], state.image),
        )
        state, losses = self._optimised(inputs, state, steps)
        named = {f"{name}_loss": loss for name, loss in losses._asdict().items()}
        return {**state._asdict(), "iteration": steps.done + steps.count, **named}

    def _resize(self, inputs: Tensors) -> Tensors:
        return {"image": self._resized(inputs["image"], inputs["size"])}

    def _close(self, inputs: Tensors) -> Tensors:
        size = _size_or_own(inputs["size"], inputs["image"])
        return {"image": pictures.to_bytes(self._resized(inputs["image"], size))}

    def _describe(self, inputs: Tensors) -> Tensors:
        size, longest_side = checks.check_describe(inputs["size"], inputs["longest_side"])
        settings, limits = self._settings, self._limits
        own = {name: _list(weights) for name, weights in self._own_layers.items()}
        return own | {
            "size": pictures.painting_size(size, longest_side),
            "backbone": tf.constant(VGG19.name),
            "weights": tf.constant(self._weights),
            "compute": tf.constant(self._network.compute.name),
            "layers": _list(LAYERS),
            "suggested_steps": tf.constant(settings.steps),
            "suggested_style_weight": tf.constant(settings.style_weight),
            "suggested_content_weight": tf.constant(settings.content_weight),
            "suggested_total_variation_weight": tf.constant(settings.total_variation_weight),
            "suggested_learning_rate": tf.constant(settings.learning_rate),
            "minimum_side": tf.constant(MINIMUM_SIDE),
            "maximum_steps": tf.constant(limits.maximum_steps),
            "maximum_pixels": tf.constant(limits.maximum_pixels),
        }

    def _optimised(self, inputs: Tensors, state: State, steps: Steps) -> tuple[State, Losses]:
        objective = self._objective(inputs, tf.shape(state.image)[:2])

        def gradient(picture: tf.Tensor) -> tuple[Losses, tf.Tensor]:
            return self._gradients.gradient(picture, objective)

        state, losses = optimise(state, gradient, steps)
        return checks.check_result(state), losses

    def _objective(self, inputs: Tensors, sides: tf.Tensor) -> Objective:
        style_weight, content_weight, variation_weight = checks.check_weights(
            inputs["style_weight"], inputs["content_weight"], inputs["total_variation_weight"]
        )
        style, content = self._layers("style", inputs), self._layers("content", inputs)
        gram_sizes = objectives.gram_sizes(self._network.channels)
        feature_sizes = objectives.feature_sizes(self._network.channels, sides)
        return Objective(
            style=style_weight * objectives.shares(style),
            content=content_weight * objectives.shares(content),
            total_variation=variation_weight,
            grams=checks.check_targets(
                "style_targets", inputs["style_targets"], objectives.total(gram_sizes, style)
            ),
            features=checks.check_targets(
                "content_targets", inputs["content_targets"], objectives.total(feature_sizes, content)
            ),
            gram_starts=objectives.starts(gram_sizes, style),
            feature_starts=objectives.starts(feature_sizes, content),
        )

    def _layers(self, kind: str, inputs: Tensors) -> tf.Tensor:
        """The weights of a request's layers, or the model's own."""
        name = f"{kind}_layer_weights"
        return checks.check_layer_weights(name, inputs[name], self._own_layers[name])

    def _painted(self, name: str, picture: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """A uint8 picture as the network takes it, at `size` or its own."""
        picture = checks.check_picture(name, picture)
        size = checks.check_painted_size(name, _size_or_own(size, picture), self._limits)
        return pictures.resize(pictures.from_bytes(picture), size)

    def _resized(self, image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        image = checks.check_image(checks.check_picture("image", image))
        size = checks.check_result_size(size, self._limits)
        return tf.clip_by_value(pictures.resize(image, size), 0.0, 1.0)


def _size_or_own(size: tf.Tensor, picture: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.reduce_all(tf.equal(size, 0)), tf.shape(picture)[:2], size)


def _per_layer(weights: Mapping[str, float]) -> NDArray[np.float32]:
    return np.array([weights.get(layer, 0.0) for layer in LAYERS], np.float32)


def _list(values: Any) -> tf.Tensor:
    """A constant [n] whose length the signature leaves free."""
    return tf.raw_ops.PlaceholderWithDefault(input=tf.constant(values), shape=[None])
