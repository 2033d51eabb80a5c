"""The golden records of transfer are met by a card that multiplies in TF32, as NVIDIA's do by default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client.checking.invariants import differences
from impasto.client.repository.golden import read_golden
from impasto.client.signatures import TRANSFER
from impasto.export.backbones import Backbone
from impasto.export.backbones.architecture import Conv
from impasto.export.backbones.convolutions import RecipeConv, Take
from impasto.export.transfer.served import Transfer
from toys.transfer_models import ARCHITECTURE, LIMITS, WEIGHTS, tiny_arrays

Outputs = dict[str, NDArray[Any]]


def rounded(x: tf.Tensor) -> tf.Tensor:
    """`x` with 10 bits of mantissa."""
    bits = tf.bitcast(x, tf.int32)
    return tf.bitcast(tf.bitwise.bitwise_and(bits + 0x1000, ~0x1FFF), tf.float32)


class Tf32Conv(RecipeConv):
    """The recipe's convolutions and their gradients as a card computes them."""

    def __call__(
        self, x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        own = self._take((*kernel, x.shape[-1], filters))
        weights = rounded(own.constant)

        @tf.custom_gradient
        def convolved(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
            def backward(gradient: tf.Tensor) -> tf.Tensor:
                return tf.nn.conv2d_transpose(rounded(gradient), weights, tf.shape(x), stride, padding)

            return tf.nn.conv2d(rounded(x), weights, stride, padding), backward

        return tf.nn.relu(tf.nn.bias_add(convolved(x), own.others[0]))


class Tf32Backbone(Backbone):
    """A network of such convolutions."""

    def _conv(self, take: Take) -> Conv:
        return Tf32Conv(take)


def answers(transfer: Transfer, signature: str, inputs: Mapping[str, Any]) -> Outputs:
    found = transfer.functions[signature](**{name: tf.constant(value) for name, value in inputs.items()})
    return {
        name: np.asarray(value.numpy(), object if value.dtype == tf.string else None)
        for name, value in found.items()
    }


def test_records_are_met_in_tf32(exported: Path) -> None:
    rough = Transfer(Tf32Backbone(ARCHITECTURE, tiny_arrays()), weights=WEIGHTS, limits=LIMITS)
    compared = []
    for record in read_golden(exported / TRANSFER.name / "1"):
        found = answers(rough, record.signature, record.inputs)
        for difference in differences(record.outputs, found):
            assert difference.is_allowed, (record.signature, difference.words)
            compared.append(record.signature)
    assert "optimize" in compared
