"""An upscaler as the server runs it: uint8 batches in, uint8 batches of larger pictures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client.signatures import FACTORS, SERVING_DEFAULT, UPSCALE
from impasto.export.checks import require
from impasto.export.contract import Computation, Tensors, contract_functions
from impasto.export.upscale.upscaler import Enlarger, Upscaler


class ServedUpscaler(tf.Module):
    """An upscaler behind the contract `UPSCALE`.

    A factor's computation is one function of the graph, whichever signatures call it.
    """

    def __init__(self, upscaler: Upscaler) -> None:
        super().__init__(name="served_upscaler")
        self.network = upscaler.module
        self._upscaler = upscaler
        self._by_name = {  # the keys are texts, as TensorFlow saves no others
            FACTORS[factor]: tf.function(
                self._computation(enlarger),
                autograph=False,
                input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")],
            )
            for factor, enlarger in upscaler.enlargers.items()
        }
        computations: dict[str, Computation] = {SERVING_DEFAULT: self._calling(upscaler.factors[0])}
        for factor, name in FACTORS.items():
            if factor in upscaler.enlargers:
                computations[name] = self._calling(factor)
        computations["describe"] = self._describe
        self._functions = contract_functions(UPSCALE, computations)

    @property
    def upscaler(self) -> Upscaler:
        """The upscaler that is served."""
        return self._upscaler

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions to serve, by signature."""
        return MappingProxyType(self._functions)

    def upscale(self, image: NDArray[np.uint8], *, factor: int | None = None) -> NDArray[np.uint8]:
        """Enlarge one picture uint8 [H, W, 3] in this process, by the upscaler's first factor if None."""
        run = self._by_name[FACTORS[self._upscaler.factors[0] if factor is None else factor]]
        result: NDArray[np.uint8] = run(tf.constant(image[None]))[0].numpy()
        return result

    def _computation(self, enlarger: Enlarger) -> Callable[[tf.Tensor], tf.Tensor]:
        def compute(image: tf.Tensor) -> tf.Tensor:
            enlarged = enlarger.enlarge(tf.cast(self._checked(image), tf.float32))
            return tf.cast(tf.round(tf.clip_by_value(enlarged, 0.0, 255.0)), tf.uint8)

        return compute

    def _calling(self, factor: int) -> Computation:
        def compute(inputs: Tensors) -> Tensors:
            (spec,) = UPSCALE.signatures[SERVING_DEFAULT].outputs
            return {"image": tf.ensure_shape(self._by_name[FACTORS[factor]](inputs["image"]), spec.shape)}

        return compute

    def _checked(self, image: tf.Tensor) -> tf.Tensor:
        """Return the pictures, once there are some of a size that the network takes."""
        shape = tf.shape(image)
        image = require(
            image,
            tf.reduce_all(shape[:3] > 0),
            "image must have at least one picture and one pixel, its shape is",
            shown=shape,
        )
        least, most = self._upscaler.minimum_side, self._upscaler.maximum_pixels
        if least > 1:
            image = require(
                image,
                tf.reduce_all(shape[1:3] >= least),
                f"image must be at least {least} pixels high and wide, its shape is",
                shown=shape,
            )
        return require(
            image,
            tf.reduce_prod(tf.cast(shape[:3], tf.int64)) <= most,
            f"image must have at most {most} pixels, all pictures of the batch together; send tiles. Its shape is",
            shown=shape,
        )

    def _describe(self, inputs: Tensors) -> Tensors:
        """Say for each element of `query` the same: a batching server wants as many answers as questions."""
        told = self._upscaler
        batch = tf.shape(inputs["query"])[0]
        factors = tf.tile(tf.constant([told.factors], tf.int32), [batch, 1])
        numbers = {
            "reach": told.reach,
            "overlap": told.reach if told.overlap is None else told.overlap,
            "tile": told.tile,
            "minimum_side": told.minimum_side,
            "maximum_pixels": told.maximum_pixels,
        }
        texts = {"network": told.network, "weights": told.weights}
        return {
            # The contract leaves open how many factors there are: forget that it is known here.
            "factors": tf.raw_ops.PlaceholderWithDefault(input=factors, shape=[None, None]),
            **{name: tf.fill([batch], tf.constant(value, tf.int32)) for name, value in numbers.items()},
            **{name: tf.fill([batch], tf.constant(value)) for name, value in texts.items()},
        }
