"""Modules in the layout of the Hub's arbitrary stylizer, on small random networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from toys.tiny_stylizer import tiny_networks

_PICTURES = [None, None, None, 3]


class HubModule(tf.Module):
    """Called as the Hub's, and with its names: placeholder and placeholder_1 to [output_0]."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.networks = tiny_networks(seed=seed)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec(_PICTURES, tf.float32, "placeholder"),
            tf.TensorSpec(_PICTURES, tf.float32, "placeholder_1"),
        ],
    )
    def __call__(self, placeholder: tf.Tensor, placeholder_1: tf.Tensor) -> list[tf.Tensor]:
        return [self.stylize(placeholder, placeholder_1)]

    def stylize(self, content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        return self.networks.stylize(content, style)


class TangledModule(HubModule):
    """One whose painting reaches the output by two ways, so that no vector holds all of the style."""

    def stylize(self, content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        return super().stylize(content, style) * tf.reduce_mean(style, axis=[1, 2, 3], keepdims=True)


class PrunedModule(tf.Module):
    """Made the way that Magenta's script makes the Hub's: a pruned function of TensorFlow 1 that checks its numbers.

    Such a check counts as an effect, and after the pruning nothing makes sure that it happens. Here one such function
    calls another.
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.networks = networks = tiny_networks(seed=seed)

        def predict(style: tf.Tensor) -> tf.Tensor:
            return tf.debugging.check_numerics(networks.predictor(style), "the style vector")

        predictor = _pruned(predict, pictures=1)
        self.__call__ = _pruned(
            lambda content, style: networks.painter(content, predictor(style)[0]), pictures=2
        )


def _pruned(function: Callable[..., tf.Tensor], *, pictures: int) -> Any:
    ends: list[tf.Tensor] = []

    def build() -> tf.Tensor:
        ends.extend(tf.compat.v1.placeholder(tf.float32, _PICTURES, "placeholder") for _ in range(pictures))
        ends.append(function(*ends))
        return ends[-1]

    return tf.compat.v1.wrap_function(build, []).prune(ends[:pictures], ends[pictures:])


def write_hub_module(directory: Path, module: HubModule | PrunedModule | None = None) -> Path:
    """Save it; returns the directory."""
    saved = HubModule() if module is None else module
    tf.saved_model.save(saved, str(directory), signatures=saved.__call__)
    return directory
