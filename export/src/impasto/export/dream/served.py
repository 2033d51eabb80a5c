"""DeepDream as the server runs it: the signatures of the contract `dream`.

Numbers come out as they do in the usual recipe, step by step and rounding by rounding. TensorFlow's graph optimiser
turns `x / 127.5` into `x * (1 / 127.5)`, which rounds differently, so divisors are variables that it cannot see into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impasto.client.signatures import DREAM, SERVING_DEFAULT
from impasto.export import checks
from impasto.export.backbones import Backbone
from impasto.export.backbones.gradients import Gradients, Readings, deepest
from impasto.export.branches import counted
from impasto.export.contract import Tensors, contract_functions, open_list
from impasto.export.dream import limits as bounds
from impasto.export.dream import objectives
from impasto.export.dream.ascent import Ascent, ascend, gaussians
from impasto.export.dream.limits import DreamLimits, DreamSuggestions
from impasto.export.dream.tiles import Gradient, tile_size
from impasto.export.resizing import bilinear


class Conversions(tf.Module):
    """The conversions between uint8 pictures and the state that is optimised, and the octaves' sizes."""

    def __init__(self) -> None:
        super().__init__(name="conversions")
        self._half_range = tf.Variable(127.5, trainable=False, name="half_range")
        self._range = tf.Variable(255.0, trainable=False, name="range")
        self._million = tf.Variable(1e6, trainable=False, dtype=tf.float64, name="million")

    def open(self, image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """uint8 [h, w, 3], resized to `size` [2] without antialiasing: float32 [H, W, 3] in -1..1."""
        return self.to_signed(bilinear(image, size))

    def open_detailed(
        self, image: tf.Tensor, size: tf.Tensor, original: tf.Tensor, details: tf.Tensor
    ) -> tf.Tensor:
        """The outputs of `open`, with the detail that `image` has lost because it is smaller than `size`.

        Args:
            image: uint8 [h, w, 3].
            size: int32 [2], H and W.
            original: uint8 [a, b, 3], the picture whose detail is added: its difference, at `size`, from itself at the
                size of `image` enlarged.
            details: float32 [], how much of that, 0 to 1.
        """
        opened = self.open(image, size)

        def detailed() -> tf.Tensor:
            small = self.open(original, tf.shape(image)[:2])
            lost = self.open(original, size) - bilinear(small, size)
            return tf.clip_by_value(opened + details * lost, -1.0, 1.0)

        return tf.ensure_shape(tf.cond(details > 0.0, detailed, lambda: opened), [None, None, 3])

    def to_signed(self, image: tf.Tensor) -> tf.Tensor:
        """0..255 to -1..1, float32."""
        return tf.cast(image, tf.float32) / self._half_range - 1.0

    def to_bytes(self, state: tf.Tensor) -> tf.Tensor:
        """-1..1 to uint8, cut off rather than rounded."""
        return tf.cast(255.0 * (state + 1.0) / 2.0, tf.uint8)

    def resize(self, image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """uint8 [h, w, 3] to uint8 [H, W, 3]; a picture of that size already stays as it is."""
        resized = bilinear(image, size) / self._range
        return tf.ensure_shape(tf.image.convert_image_dtype(resized, tf.uint8), [None, None, 3])

    def octave_sizes(self, size: tf.Tensor, octave_scale: tf.Tensor, octaves: tf.Tensor) -> tf.Tensor:
        """int32 [k, 2]: float32(size) times octave_scale to the power of each octave, cut off.

        The recipe's 1.3 is a Python float. As float32 it arrives as 1.2999999523, whose powers give other sizes: six
        decimals bring it back.
        """
        exact = tf.round(tf.cast(octave_scale, tf.float64) * self._million) / self._million
        factors = tf.cast(tf.pow(exact, tf.cast(octaves, tf.float64)), tf.float32)
        sides = tf.cast(size, tf.float32)[None, :] * factors[:, None]
        # Beyond int32 a cast gives anything; any number above every limit will do.
        return tf.cast(tf.minimum(sides, float(1 << 30)), tf.int32)


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
        # Apart, as a server builds all that a signature may come to, before its first call is answered.
        self._gradients, self._guided_gradients = (
            Gradients(
                backbone,
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
