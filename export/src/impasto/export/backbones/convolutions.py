"""The ways to compute a network's convolutions: as the usual recipe does, and in less time by what is computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import numpy as np
import tensorflow as tf

from impasto.export.backbones.architecture import Conv, smooth


class Computed(tf.saved_model.experimental.TrackableResource):
    """A constant of a model, computed once: on its creation, and wherever the saved model is loaded.

    Args:
        compute: gives the tensor, of a static shape, from variables that never change.
    """

    def __init__(self, compute: Callable[[], tf.Tensor]) -> None:
        super().__init__()
        self._compute = compute
        # In a function's graph it would be lost with the function.
        with tf.init_scope():
            value = compute()
            self._shape, self._dtype = value.shape, value.dtype
            described = f"{self._dtype.name} {self._shape}".encode()
            self._digest = hashlib.sha256(described + value.numpy().tobytes()).hexdigest()
            self._assign(value)

    @property
    def value(self) -> tf.Tensor:
        """The tensor."""
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=self._dtype)
        return tf.ensure_shape(value, self._shape)

    def _create_resource(self) -> tf.Tensor:
        # Resources of one name are one. A saved model has its own; there the name has to be the same at each export.
        name = str(uuid4()) if tf.executing_eagerly() else self._digest
        return tf.raw_ops.VarHandleOp(dtype=self._dtype, shape=self._shape, shared_name=name)

    def _initialize(self) -> None:
        self._assign(self._compute())

    def _assign(self, value: tf.Tensor) -> None:
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=value)

    def _destroy_resource(self) -> None:
        tf.raw_ops.DestroyResourceOp(resource=self.resource_handle, ignore_lookup_error=True)


EPSILON: Final = np.float32(1e-3)
"""The number that Keras' InceptionV3 adds to the variance."""


@dataclass(frozen=True)
class Parameters:
    """The parameters of one convolution.

    Attributes:
        name: the convolution's.
        kernel: [height, width, C, filters].
        others: the bias; or the batch normalisation's beta, mean and variance.
        backward: the type that its gradient is convolved in.
    """

    name: str
    kernel: tf.Variable
    others: Sequence[tf.Variable]
    backward: tf.DType

    @property
    def constant(self) -> tf.Tensor:
        """The kernel as a tensor without a gradient, which a function's gradient would otherwise compute as well.

        Its shape is static: where TensorFlow knows it, a GPU computes a convolution with its bias and ReLU at once.
        """
        return tf.ensure_shape(tf.stop_gradient(self.kernel), self.kernel.shape)


Take = Callable[[tuple[int, ...]], Parameters]
"""Gives the next convolution's parameters, whose kernel must have the shape asked for."""


class RecipeConv(Conv):
    """Operation by operation as in Keras, with TensorFlow's own gradients: equal to the last bit.

    The gradients have the activations' type.
    """

    def __init__(self, take: Take) -> None:
        self._take = take

    def __call__(
        self, x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        """See `Conv`."""
        own = self._take((*kernel, x.shape[-1], filters))
        x = tf.nn.conv2d(tf.cast(x, own.kernel.dtype), own.constant, strides=stride, padding=padding)
        if len(own.others) == 1:
            return tf.nn.relu(tf.nn.bias_add(x, own.others[0]))
        beta, mean, variance = own.others
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, beta, None, EPSILON))


class FastConv(Conv):
    """The same convolutions with biases in less time, equal but for rounding.

    TensorFlow puts a kernel in another order at each gradient by a convolution's input. A convolution by a kernel in
    that order gives the same, so it is kept beside the kernel. Convolutions of one input are computed as one.

    Args:
        take: see `Take`.
        computed: where what is computed from the kernels is kept, by name.
    """

    def __init__(self, take: Take, computed: dict[str, Computed]) -> None:
        self._take = take
        self._computed = computed

    def __call__(
        self, x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        """See `Conv`."""
        own = self._take((*kernel, x.shape[-1], filters))
        (bias,) = own.others
        x = tf.cast(x, bias.dtype)
        back = self._back(own, stride, padding)

        @tf.custom_gradient
        def convolved(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, own.constant, stride, padding), bias))

            def backward(gradient: tf.Tensor) -> tf.Tensor:
                above = tf.cast(_relu_gradient(gradient, y), own.backward)
                return tf.cast(back(above, tf.shape(x)), x.dtype)

            return y, backward

        return convolved(x)

    def heads(self, x: tf.Tensor, filters: Sequence[int], *, smoothed: int | None = None) -> list[tf.Tensor]:
        """See `Conv`."""
        channels = x.shape[-1]
        direct = [self._take((1, 1, channels, count)) for count in filters]
        last = [] if smoothed is None else [self._take((1, 1, channels, smoothed))]
        name, dtype = direct[0].name, direct[0].backward
        kernel = self._once(f"{name}/heads/kernel", lambda: tf.concat([own.kernel for own in direct], axis=3))
        bias = self._once(f"{name}/heads/bias", lambda: tf.concat([own.others[0] for own in direct], axis=0))
        turned = self._once(
            f"{name}/heads/turned",
            lambda: _turned(tf.concat([own.kernel for own in direct + last], axis=3), dtype),
        )

        @tf.custom_gradient
        def convolved(x: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., tf.Tensor]]:
            together = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias))
            heads = tf.split(together, filters, axis=3)
            # A mean of convolutions is a convolution of the mean, and has fewer channels.
            means = [
                tf.nn.relu(tf.nn.bias_add(smooth(tf.nn.conv2d(x, own.constant, 1, "VALID")), own.others[0]))
                for own in last
            ]

            def backward(*gradients: tf.Tensor) -> tf.Tensor:
                above = [_relu_gradient(*pair) for pair in zip(gradients, heads + means, strict=True)]
                above[len(heads) :] = map(_smooth_gradient, above[len(heads) :])
                joined = tf.cast(tf.concat(above, axis=3), dtype)
                return tf.cast(tf.nn.conv2d(joined, turned, 1, "VALID"), x.dtype)

            return heads + means, backward

        found: list[tf.Tensor] = convolved(x)
        return found

    def _back(
        self, own: Parameters, stride: int, padding: str
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """From the gradient of a convolution's output, and the shape of its input, to the input's gradient."""
        if stride != 1:
            # Several kernels, one for each place between the strides, take no less time.
            kernel = own.kernel
            if kernel.dtype != own.backward:
                kernel = self._once(f"{own.name}/back", lambda: tf.cast(own.kernel, own.backward))
            return lambda gradient, shape: tf.nn.conv2d_transpose(gradient, kernel, shape, stride, padding)
        turned = self._once(f"{own.name}/turned", lambda: _turned(own.kernel, own.backward))
        around = _around(own.kernel.shape[:2], padding)
        return lambda gradient, _: tf.nn.conv2d(gradient, turned, 1, around)

    def _once(self, name: str, compute: Callable[[], tf.Tensor]) -> tf.Tensor:
        return _once(self._computed, name, compute)


def _once(computed: dict[str, Computed], name: str, compute: Callable[[], tf.Tensor]) -> tf.Tensor:
    if name not in computed:
        computed[name] = Computed(compute)
    return computed[name].value


def _turned(kernel: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """The kernel by which the gradient of a convolution's output is convolved, to give its input's."""
    return tf.cast(tf.transpose(tf.reverse(kernel, axis=[0, 1]), [0, 1, 3, 2]), dtype)


def _around(kernel: Sequence[int], padding: str) -> list[list[int]]:
    """The padding of that convolution: as much as the other one left out."""
    before = [(side - 1) // 2 if padding == "SAME" else 0 for side in kernel]
    after = [side // 2 if padding == "SAME" else 0 for side in kernel]
    sides = [[side - 1 - a, side - 1 - b] for side, a, b in zip(kernel, before, after, strict=True)]
    return [[0, 0], *sides, [0, 0]]


def _relu_gradient(gradient: tf.Tensor, activation: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ReluGrad(gradients=gradient, features=activation)


def _smooth_gradient(gradient: tf.Tensor) -> tf.Tensor:
    """The gradient of `smooth`, whose input and output have one shape."""
    return tf.raw_ops.AvgPoolGrad(
        orig_input_shape=tf.shape(gradient),
        grad=gradient,
        ksize=[1, 3, 3, 1],
        strides=[1, 1, 1, 1],
        padding="SAME",
    )
