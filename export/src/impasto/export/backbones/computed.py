"""Tensors that are computed from a model's variables when it is loaded, so that no file holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from uuid import uuid4

import tensorflow as tf


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
