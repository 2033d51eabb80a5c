"""DeepDream as the server runs it: the signatures of the contract `dream`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impasto.client.signatures import DREAM, SERVING_DEFAULT
from impasto.export.backbones import Backbone
from impasto.export.contract_functions import Tensors, contract_function
from impasto.export.dream import limits as checks
from impasto.export.dream.ascent import Steps, ascend
from impasto.export.dream.gradients import Gradients
from impasto.export.dream.limits import Limits
from impasto.export.dream.pictures import Pictures
from impasto.export.dream.settings import Settings
from impasto.export.dream.tiles import Gradient, tile_size


class DeepDream(tf.Module):
    """A backbone and the loops around it.

    Args:
        backbone: the network.
        settings: what it dreams well with.
        weights: one line on where the network's weights come from and their licence.
        limits: what a request may ask for; by default what the network needs, and memory for a few gigabytes.
    """

    def __init__(
        self, backbone: Backbone, settings: Settings, *, weights: str, limits: Limits | None = None
    ) -> None:
        super().__init__(name="deep_dream")
        self._backbone = backbone
        self._gradients = Gradients(backbone)
        self._pictures = Pictures()
        self._settings = settings
        self._weights = weights
        self._limits = limits or Limits(minimum_side=backbone.architecture.minimum_side)
        layers = backbone.architecture.layers
        self._layer_weights = np.array([settings.layers.get(layer, 0.0) for layer in layers], np.float32)
        computations: dict[str, Callable[[Tensors], Tensors]] = {
            SERVING_DEFAULT: self._dream,
            "open": self._open,
            "ascend": self._ascend,
            "ascend_guided": self._ascend_guided,
            "close": self._close,
            "describe": self._describe,
        }
        self.functions: Mapping[str, Any] = {
            name: contract_function(DREAM.signatures[name], function)
            for name, function in computations.items()
        }
        """A tf.function for each signature of the contract, by name."""

    def _dream(self, inputs: Tensors) -> Tensors:
        steps, weights = self._checked(inputs, first=tf.constant(0))
        octaves, octave_scale = checks.check_octaves(inputs["octaves"], inputs["octave_scale"])
        original = inputs["image"]
        size = checks.check_result_size(tf.shape(original)[:2], self._limits)
        sizes = self._pictures.octave_sizes(size, octave_scale, octaves)
        sizes = self._check_octave_sizes(sizes, steps.tile)
        gradient = self._gradient(weights)

        def body(octave: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            state, _, _ = ascend(self._pictures.open(image, sizes[octave]), gradient, steps)
            return octave + 1, self._pictures.to_bytes(state)

        _, image = tf.while_loop(
            lambda octave, _: octave < tf.shape(sizes)[0],
            body,
            (tf.constant(0), original),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None, 3])),
            parallel_iterations=1,
        )
        return {"image": self._pictures.resize(image, size)}

    def _open(self, inputs: Tensors) -> Tensors:
        size = checks.check_sizes(inputs["size"], inputs["size"][None], self._limits)
        return {"state": self._pictures.open(checks.check_picture(inputs["image"]), size)}

    def _ascend(self, inputs: Tensors) -> Tensors:
        steps, weights = self._checked(inputs, first=checks.check_first_step(inputs["first_step"]))
        return self._ascended(inputs["state"], self._gradient(weights), steps)

    def _ascend_guided(self, inputs: Tensors) -> Tensors:
        steps, weights = self._checked(inputs, first=checks.check_first_step(inputs["first_step"]))
        guide = self._pictures.to_signed(checks.check_guide(inputs["guide"], self._limits))
        features = self._gradients.features(guide, self._gradients.depth(weights))
        return self._ascended(inputs["state"], self._gradient(weights, features), steps)

    def _ascended(self, state: tf.Tensor, gradient: Gradient, steps: Steps) -> Tensors:
        sizes = self._check_octave_sizes(tf.shape(state)[None, :2], steps.tile)
        with tf.control_dependencies([sizes]):
            state = checks.check_state(state)
        state, loss, scale = ascend(state, gradient, steps)
        return {"state": state, "loss": loss, "gradient_scale": scale}

    def _close(self, inputs: Tensors) -> Tensors:
        size = checks.check_result_size(inputs["size"], self._limits)
        state = checks.check_state(checks.check_picture(inputs["state"]))
        return {"image": self._pictures.resize(self._pictures.to_bytes(state), size)}

    def _describe(self, inputs: Tensors) -> Tensors:
        octaves, octave_scale = checks.check_octaves(inputs["octaves"], inputs["octave_scale"])
        settings, limits = self._settings, self._limits
        return {
            "sizes": self._pictures.octave_sizes(inputs["size"], octave_scale, octaves),
            "backbone": tf.constant(self._backbone.architecture.name),
            "weights": tf.constant(self._weights),
            "layers": _list(self._backbone.architecture.layers),
            "layer_weights": _list(self._layer_weights),
            "suggested_steps": tf.constant(settings.steps),
            "suggested_step_size": tf.constant(settings.step_size),
            "suggested_octave_scale": tf.constant(settings.octave_scale),
            "suggested_octaves": _list(settings.octaves),
            "minimum_side": tf.constant(limits.minimum_side),
            "maximum_steps": tf.constant(limits.maximum_steps),
            "maximum_pixels": tf.constant(limits.maximum_pixels),
            "maximum_tile_pixels": tf.constant(limits.maximum_tile_pixels),
        }

    def _checked(self, inputs: Tensors, *, first: tf.Tensor) -> tuple[Steps, tf.Tensor]:
        """The settings and the layers' weights of a request."""
        steps, step_size, tile = checks.check_settings(
            inputs["steps"], inputs["step_size"], inputs["tile"], self._limits
        )
        weights = checks.check_layer_weights(inputs["layer_weights"], self._layer_weights)
        return Steps(steps, step_size, first, tile, inputs["seed"]), weights

    def _check_octave_sizes(self, sizes: tf.Tensor, tile: tf.Tensor) -> tf.Tensor:
        sizes = checks.check_sizes(sizes, sizes, self._limits)
        _, sides = tile_size(sizes, tile)
        return checks.check_pixels(
            sizes,
            sides,
            self._limits.maximum_tile_pixels,
            hint=" at once: set tile to take gradients in parts",
        )

    def _gradient(self, weights: tf.Tensor, features: list[tf.Tensor] | None = None) -> Gradient:
        depth = self._gradients.depth(weights)
        guide = self._gradients.no_features() if features is None else features

        def gradient(picture: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._gradients.gradient(picture, weights, depth, guide)

        return gradient


def _list(values: Any) -> tf.Tensor:
    """A constant [n] whose length the signature leaves free, as it differs from backbone to backbone."""
    return tf.raw_ops.PlaceholderWithDefault(input=tf.constant(values), shape=[None])
