"""DeepDream as the server runs it: the signatures of the contract `dream`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impasto.client.signatures import DREAM, SERVING_DEFAULT
from impasto.export import checks
from impasto.export.backbones import Backbone
from impasto.export.backbones.gradients import Gradients, Readings, deepest, layer_functions
from impasto.export.branches import counted
from impasto.export.contract_functions import Tensors, contract_functions, open_list
from impasto.export.dream import limits as bounds
from impasto.export.dream import objectives
from impasto.export.dream.ascent import Ascent, ascend, gaussians
from impasto.export.dream.conversions import Conversions
from impasto.export.dream.limits import DreamLimits, DreamSuggestions
from impasto.export.dream.tiles import Gradient, tile_size


class DeepDream(tf.Module):
    """A backbone and the loops around it.

    Args:
        backbone: the network.
        suggestions: the values with which it dreams well.
        weights: one line on where the network's weights come from and their licence.
        limits: the limits of a request; by default what the network needs, and memory for a few gigabytes.
    """

    def __init__(
        self,
        backbone: Backbone,
        suggestions: DreamSuggestions,
        *,
        weights: str,
        limits: DreamLimits | None = None,
    ) -> None:
        super().__init__(name="deep_dream")
        self._backbone = backbone
        computed = layer_functions(backbone)
        # Apart, as a server builds all that a signature may come to, before its first call is answered.
        self._gradients, self._guided_gradients = (
            Gradients(
                computed,
                self._network_input,
                objectives.terms,
                objectives.specs(backbone.channels, guided=guided),
            )
            for guided in (False, True)
        )
        self._features = Readings(backbone, self._network_input, _places)
        self._conversions = Conversions()
        self._suggestions = suggestions
        self._weights = weights
        self._limits = limits or DreamLimits(minimum_side=backbone.architecture.minimum_side)
        layers = backbone.architecture.layers
        self._layer_weights = np.array([suggestions.layers.get(layer, 0.0) for layer in layers], np.float32)
        self.functions: Mapping[str, Any] = contract_functions(
            DREAM,
            {
                SERVING_DEFAULT: self._dream,
                "open": self._open,
                "ascend": self._ascend,
                "ascend_guided": self._ascend_guided,
                "close": self._close,
                "describe": self._describe,
            },
        )
        """A tf.function for each signature of the contract, by name."""

    def _dream(self, inputs: Tensors) -> Tensors:
        ascent, weights = self._checked(inputs, first=tf.constant(0))
        octaves, octave_scale = bounds.check_octaves(inputs["octaves"], inputs["octave_scale"])
        original = inputs["image"]
        size = checks.picture_size("size", tf.shape(original)[:2], self._limits)
        sizes = self._conversions.octave_sizes(size, octave_scale, octaves)
        sizes = self._check_octave_sizes(sizes, ascent.tile)
        details = bounds.check_details(inputs["details"])
        gradient = self._gradient(weights)

        def body(octave: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            state = self._conversions.open_detailed(image, sizes[octave], original, details)
            state, _, _ = ascend(state, gradient, ascent)
            return octave + 1, self._conversions.to_bytes(state)

        _, image = tf.while_loop(
            lambda octave, _: octave < tf.shape(sizes)[0],
            body,
            (tf.constant(0), original),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None, 3])),
            parallel_iterations=1,
        )
        return {"image": self._conversions.resize(image, size)}

    def _open(self, inputs: Tensors) -> Tensors:
        size = bounds.check_sizes(inputs["size"], inputs["size"][None], self._limits)
        image, original = (checks.picture(name, inputs[name]) for name in ("image", "original"))
        details = bounds.check_details(inputs["details"])
        return {"state": self._conversions.open_detailed(image, size, original, details)}

    def _ascend(self, inputs: Tensors) -> Tensors:
        ascent, weights = self._checked(inputs, first=bounds.check_first_step(inputs["first_step"]))
        return self._ascended(inputs["state"], self._gradient(weights), ascent)

    def _ascend_guided(self, inputs: Tensors) -> Tensors:
        ascent, weights = self._checked(inputs, first=bounds.check_first_step(inputs["first_step"]))
        guide = self._conversions.to_signed(bounds.check_guide(inputs["guide"], self._limits))
        found = self._features(guide, deepest(weights))
        features = [
            tf.ensure_shape(places, [None, channels])
            for places, channels in zip(found, self._backbone.channels, strict=True)
        ]
        return self._ascended(inputs["state"], self._gradient(weights, features), ascent)

    def _ascended(self, state: tf.Tensor, gradient: Gradient, ascent: Ascent) -> Tensors:
        sizes = self._check_octave_sizes(tf.shape(state)[None, :2], ascent.tile)
        with tf.control_dependencies([sizes]):
            state = bounds.check_state(state)
        state, loss, scale = ascend(state, gradient, ascent)
        return {"state": state, "loss": loss, "gradient_scale": scale}

    def _close(self, inputs: Tensors) -> Tensors:
        size = checks.picture_size("size", inputs["size"], self._limits)
        state = bounds.check_state(checks.picture("state", inputs["state"]))
        return {"image": self._conversions.resize(self._conversions.to_bytes(state), size)}

    def _describe(self, inputs: Tensors) -> Tensors:
        octaves, octave_scale = bounds.check_octaves(inputs["octaves"], inputs["octave_scale"])
        suggestions, limits = self._suggestions, self._limits
        return {
            "sizes": self._conversions.octave_sizes(inputs["size"], octave_scale, octaves),
            "backbone": tf.constant(self._backbone.architecture.name),
            "weights": tf.constant(self._weights),
            "layers": open_list(self._backbone.architecture.layers),
            "layer_weights": open_list(self._layer_weights),
            "suggested_steps": tf.constant(suggestions.steps),
            "suggested_step_size": tf.constant(suggestions.step_size),
            "suggested_octave_scale": tf.constant(suggestions.octave_scale),
            "suggested_octaves": open_list(suggestions.octaves),
            "minimum_side": tf.constant(limits.minimum_side),
            "maximum_steps": tf.constant(limits.maximum_steps),
            "maximum_pixels": tf.constant(limits.maximum_pixels),
            "maximum_tile_pixels": tf.constant(limits.maximum_tile_pixels),
        }

    def _checked(self, inputs: Tensors, *, first: tf.Tensor) -> tuple[Ascent, tf.Tensor]:
        """The parameters of the ascent, and the layers' weights."""
        steps, step_size, tile = bounds.check_settings(
            inputs["steps"], inputs["step_size"], inputs["tile"], self._limits
        )
        weights = bounds.check_layer_weights(inputs["layer_weights"], self._layer_weights)
        ascent = Ascent(
            count=steps,
            size=step_size,
            first=first,
            tile=tile,
            seed=inputs["seed"],
            gaussians=gaussians(bounds.check_sigmas(inputs["smoothing"])),
            shift=checks.within("shift", inputs["shift"], 0, bounds.MAX_SHIFT),
            fade_in=checks.within("fade_in", inputs["fade_in"], 0, bounds.MAX_FIRST_STEP),
        )
        return ascent, weights

    def _check_octave_sizes(self, sizes: tf.Tensor, tile: tf.Tensor) -> tf.Tensor:
        sizes = bounds.check_sizes(sizes, sizes, self._limits)
        _, sides = tile_size(sizes, tile)
        return bounds.check_pixels(
            sizes,
            sides,
            self._limits.maximum_tile_pixels,
            hint=" at once: set tile to take gradients in parts",
        )

    def _gradient(self, weights: tf.Tensor, guide: list[tf.Tensor] | None = None) -> Gradient:
        gradients = self._gradients if guide is None else self._guided_gradients
        objective = objectives.Objective(weights, counted(weights), guide or [])
        depth = deepest(weights)

        def gradient(picture: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            (loss,), found = gradients(picture, depth, objective)
            return loss, found

        return gradient

    def _network_input(self, picture: tf.Tensor) -> tf.Tensor:
        return self._backbone.architecture.from_signed(picture[None])


def _places(_: int, x: tf.Tensor) -> tf.Tensor:
    """A layer's activations [1, h, w, C] as float32 [Q, C]."""
    return tf.reshape(tf.cast(x, tf.float32), [-1, x.shape[-1]])
