"""A step that is run on a GPU lets it work.

No part of it waits for a copy between the host and the card, and no activation is put in another order on its way
through the network and back.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from impasto.client.signatures import DREAM, TRANSFER
from oracles.gpu_layout import transposed_for
from oracles.gpu_memory import GraphOnAGpu, skip_without_gpu_kernels
from toys.dream_models import ARCHITECTURE


@pytest.fixture(autouse=True)
def a_tensorflow_that_knows_gpu_kernels() -> None:
    skip_without_gpu_kernels()


@pytest.fixture(scope="module")
def transfer(transfer_repository: Path) -> GraphOnAGpu:
    return GraphOnAGpu(transfer_repository / TRANSFER.name / "1")


@pytest.fixture(scope="module")
def dream(dream_repository: Path) -> GraphOnAGpu:
    return GraphOnAGpu(dream_repository / DREAM.name / "1")


@pytest.mark.parametrize("signature", ["optimize", "serving_default"])
def test_a_step_of_transfer_copies_nothing(transfer: GraphOnAGpu, signature: str) -> None:
    assert transfer.copies_in_loops(signature) == set()


def test_a_step_of_dream_copies_nothing(dream: GraphOnAGpu) -> None:
    assert dream.copies_in_loops("ascend") == set()


def test_a_step_with_a_guide_copies_a_constant_for_each_layer(dream: GraphOnAGpu) -> None:
    found = dream.copies_in_loops("ascend_guided")
    assert {copy.split(": ")[1].split()[0] for copy in found} == {"TensorListConcatV2"}
    assert len(found) == len(ARCHITECTURE.layers)


def test_a_branch_chosen_by_what_the_card_computes_is_found(tmp_path: Path) -> None:
    def steps(x: tf.Tensor) -> dict[str, tf.Tensor]:
        def body(index: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return index + 1, tf.cond(x[0] > 0.0, lambda: x + 1.0, lambda: x * 2.0)

        _, y = tf.while_loop(lambda index, _: index < 3, body, (tf.constant(0), x))
        return {"y": y}

    module = tf.Module()
    module.steps = tf.function(steps, input_signature=[tf.TensorSpec([4])])
    tf.saved_model.save(module, str(tmp_path), signatures=module.steps)
    assert any("Greater" in copy for copy in GraphOnAGpu(tmp_path).copies_in_loops("serving_default"))


@pytest.mark.parametrize("signature", ["ascend", "ascend_guided"])
def test_a_step_of_dream_transposes_only_the_picture(dream_repository: Path, signature: str) -> None:
    assert len(transposed_for(dream_repository / DREAM.name / "1", signature)) == 1


def test_a_step_of_transfer_transposes_only_the_picture(transfer_repository: Path) -> None:
    assert len(transposed_for(transfer_repository / TRANSFER.name / "1", "optimize")) == 1


def test_an_activation_that_goes_through_a_function_is_transposed_for_the_next_convolution(
    tmp_path: Path,
) -> None:
    kernel = tf.constant(np.ones([3, 3, 3, 3], np.float32))

    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def halved(x: tf.Tensor) -> tf.Tensor:
        return 0.5 * x

    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
            y = tf.nn.conv2d(tf.ensure_shape(halved(y), [1, 8, 8, 3]), kernel, 1, "SAME")
        return tape.gradient(y, x)

    module = tf.Module()
    module.steps = tf.function(lambda x: {"y": gradient(x)}, input_signature=[tf.TensorSpec([1, 8, 8, 3])])
    tf.saved_model.save(module, str(tmp_path), signatures=module.steps)
    assert len(transposed_for(tmp_path, "serving_default")) > 1
