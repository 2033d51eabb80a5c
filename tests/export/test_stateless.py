from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from impasto.export.contract import SavedModelError
from impasto.export.stateless import assert_stateless

X = tf.TensorSpec([None], tf.float32, name="x")


class Stateful(tf.Module):
    """Holds what a request could change."""

    def __init__(self) -> None:
        super().__init__()
        self.total = tf.Variable(0.0)
        self.rows = tf.Variable([0.0, 0.0])
        self.random = tf.random.Generator.from_seed(1)
        self.words = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1.0]), 0.0)
        self.seen = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)


def _assign(module: Stateful, x: Any) -> Any:
    module.total.assign(tf.reduce_sum(x))
    return x


def _in_a_loop(module: Stateful, x: Any) -> Any:
    return tf.while_loop(
        lambda i: i < 3, lambda i: (i + tf.cast(module.total.assign_add(1.0), tf.int32),), [0]
    )[0]


def _in_a_branch(module: Stateful, x: Any) -> Any:
    return tf.cond(x[0] > 0, lambda: module.total.assign_add(1.0), lambda: tf.constant(0.0))


def _in_a_switch(module: Stateful, x: Any) -> Any:
    return tf.switch_case(tf.cast(x[0], tf.int32), [lambda: x[0], lambda: module.total.assign_sub(1.0)])


def _in_a_nested_function(module: Stateful, x: Any) -> Any:
    inner = tf.function(lambda value: module.total.assign(value))
    return tf.function(lambda value: inner(value[0]))(x)


def _one_row(module: Stateful, x: Any) -> Any:
    return module.rows.scatter_nd_update([[0]], x[:1])


def _optimiser(module: Stateful, x: Any) -> Any:
    tf.raw_ops.ResourceApplyGradientDescent(var=module.total.handle, alpha=0.1, delta=x[0])
    return x


def _random_state(module: Stateful, x: Any) -> Any:
    return module.random.normal([2])


def _table_insert(module: Stateful, x: Any) -> Any:
    module.seen.insert("a", x[0])
    return x


def _read(module: Stateful, x: Any) -> Any:
    return x * module.total + tf.gather(module.rows, [0, 1]) + module.words.lookup(tf.constant(["a"]))


def _functional_loop(module: Stateful, x: Any) -> Any:
    def step(i: Any, value: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(value)
            loss = tf.reduce_sum(value * value * module.total)
        return i + 1, value - 0.1 * tape.gradient(loss, value)

    return tf.while_loop(lambda i, _: i < 3, step, [0, x])[1]


def _stateless_random(module: Stateful, x: Any) -> Any:
    return x + tf.random.stateless_normal([2], [1, 2])


def _checked(module: Stateful, x: Any) -> Any:
    with tf.control_dependencies([tf.debugging.assert_positive(x)]):
        return tf.identity(x)


Compute = Callable[[Stateful, Any], Any]


def _save(compute: Compute, directory: Path) -> Path:
    module = Stateful()
    module.serve = tf.function(lambda x: {"y": compute(module, x)}, input_signature=[X])
    # Not served, so it may write.
    module.train = tf.function(lambda x: module.total.assign(x[0]), input_signature=[X])
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.serve})
    return directory


@pytest.mark.parametrize(
    ("compute", "op"),
    [
        (_assign, "AssignVariableOp"),
        (_in_a_loop, "AssignAddVariableOp"),
        (_in_a_branch, "AssignAddVariableOp"),
        (_in_a_switch, "AssignSubVariableOp"),
        (_in_a_nested_function, "AssignVariableOp"),
        (_one_row, "ResourceScatterNdUpdate"),
        (_optimiser, "ResourceApplyGradientDescent"),
        (_random_state, "RngReadAndSkip"),
        (_table_insert, "LookupTableInsertV2"),
    ],
)
def test_a_signature_that_changes_shared_state_is_refused(tmp_path: Path, compute: Compute, op: str) -> None:
    directory = _save(compute, tmp_path / "model")
    with pytest.raises(SavedModelError, match=f"signature 'serving_default': .* runs {op}"):
        assert_stateless(directory)


@pytest.mark.parametrize("compute", [_read, _functional_loop, _stateless_random, _checked])
def test_a_signature_that_only_reads_and_computes_passes(tmp_path: Path, compute: Compute) -> None:
    assert_stateless(_save(compute, tmp_path / "model"))
