"""Tiny SavedModels for tests: each function writes `<root>/<name>/<version>` and returns that directory.

Some are built from a TensorFlow 1 graph, so that their feed names are the short ones (`x:0`) that the table of
TensorFlow Serving's messages was recorded with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

Tensors = Mapping[str, Any]

ECHO_DTYPES: Final = (
    *("float16", "bfloat16", "float32", "float64", "float8_e5m2", "float8_e4m3fn", "complex64", "complex128"),
    *("int4", "int8", "int16", "int32", "int64", "uint4", "uint8", "uint16", "uint32", "uint64"),
    *("qint8", "qint16", "qint32", "quint8", "quint16", "bool", "string"),
)
"""Every dtype that a placeholder can have."""


def half_plus_two(root: Path, version: int = 1, *, name: str = "half") -> Path:
    """x float32 [None] -> y = x / 2 + 2, z = x / 2 + 3."""

    def graph() -> tuple[Tensors, Tensors]:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": x / 2 + 2, "z": x / 2 + 3}

    return _write(root / name / str(version), {"serving_default": graph})


def constant(root: Path, version: int = 1, *, name: str = "constant") -> Path:
    """x float32 [None] -> y = the version's number for each element."""

    def graph() -> tuple[Tensors, Tensors]:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": tf.fill(tf.shape(x), float(version))}

    return _write(root / name / str(version), {"serving_default": graph})


def random(root: Path, version: int = 1, *, name: str = "random") -> Path:
    """x float32 [None] -> y = x + something between 0 and 1, which is another number each time."""

    def graph() -> tuple[Tensors, Tensors]:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": x + tf.random.uniform(tf.shape(x))}

    return _write(root / name / str(version), {"serving_default": graph})


def add(root: Path, version: int = 1, *, name: str = "add") -> Path:
    """a, b float32 [None] -> y = a + b."""

    def graph() -> tuple[Tensors, Tensors]:
        a = tf.compat.v1.placeholder(tf.float32, [None], "a")
        b = tf.compat.v1.placeholder(tf.float32, [None], "b")
        return {"a": a, "b": b}, {"y": tf.add(a, b, "sum")}

    return _write(root / name / str(version), {"serving_default": graph})


def echo(root: Path, version: int = 1, *, name: str = "echo", dtypes: Iterable[str] = ECHO_DTYPES) -> Path:
    """One signature a dtype, named after it: x of any shape -> y = x."""

    def graph(dtype: str) -> Callable[[], tuple[Tensors, Tensors]]:
        def build() -> tuple[Tensors, Tensors]:
            x = tf.compat.v1.placeholder(tf.as_dtype(dtype), None, f"x_{dtype}")
            return {"x": x}, {"y": tf.identity(x)}

        return build

    return _write(root / name / str(version), {dtype: graph(dtype) for dtype in dtypes})


def asserting(root: Path, version: int = 1, *, name: str = "asserting", message: str = "negative") -> Path:
    """x float32 [None] -> y = x, or an INVALID_ARGUMENT that starts with `assertion failed: [message]`."""

    def graph() -> tuple[Tensors, Tensors]:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x >= 0), [message])]):
            return {"x": x}, {"y": tf.identity(x)}

    return _write(root / name / str(version), {"serving_default": graph})


def aborting(root: Path, version: int = 1, *, name: str = "aborting") -> Path:
    """x float32 [] (0) -> y = x, but the process that runs it ends with SIGABRT."""
    zero = tf.constant(0.0)

    def abort(x: Any = zero) -> dict[str, Any]:
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the model wanted it so")]):
            return {"y": tf.identity(x)}

    function = tf.function(abort, input_signature=[tf.TensorSpec([], tf.float32)])
    return _save(root / name / str(version), function)


def slow(root: Path, version: int = 1, *, name: str = "slow") -> Path:
    """steps int32 [] -> y float32 [], after that many steps of about a millisecond each."""

    def spin(steps: Any) -> dict[str, Any]:
        def body(step: Any, matrix: Any) -> tuple[Any, Any]:
            return step + 1, tf.tanh(matrix @ matrix)

        start = (tf.constant(0), tf.fill([256, 256], 0.01))
        _, matrix = tf.while_loop(lambda step, _: step < steps, body, start)
        return {"y": tf.reduce_mean(matrix)}

    function = tf.function(spin, input_signature=[tf.TensorSpec([], tf.int32, "steps")])
    return _save(root / name / str(version), function)


def defaults(root: Path, version: int = 1, *, name: str = "defaults") -> Path:
    """x float32 [None], scale float32 [] (2), offsets int32 [2] (3, 4) -> y = x * scale + sum(offsets)."""
    two, offsets_default = tf.constant(2.0), tf.constant([3, 4])

    def affine(x: Any, scale: Any = two, offsets: Any = offsets_default) -> dict[str, Any]:
        return {"y": x * scale + tf.cast(tf.reduce_sum(offsets), tf.float32)}

    specs = [tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.int32)]
    return _save(root / name / str(version), tf.function(affine, input_signature=specs))


def odd_defaults(root: Path, version: int = 1, *, name: str = "odd_defaults") -> Path:
    """text string [2] (bytes, one of them no UTF-8), limit float32 [] (infinity) -> both."""
    words, endless = tf.constant([b"caf\xc3\xa9", b"\xff"]), tf.constant(float("inf"))

    def same(text: Any = words, limit: Any = endless) -> dict[str, Any]:
        return {"text": tf.identity(text), "limit": tf.identity(limit)}

    specs = [tf.TensorSpec([2], tf.string), tf.TensorSpec([], tf.float32)]
    return _save(root / name / str(version), tf.function(same, input_signature=specs))


def variant(root: Path, version: int = 1, *, name: str = "variant") -> Path:
    """x float32 [None] -> y = x / 2, and v, a list of tensors, whose dtype is variant."""

    def graph() -> tuple[Tensors, Tensors]:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        element_shape = tf.constant([], tf.int32)
        return {"x": x}, {
            "y": x / 2,
            "v": tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=element_shape),
        }

    return _write(root / name / str(version), {"serving_default": graph})


def without_signatures(root: Path, version: int = 1, *, name: str = "mute") -> Path:
    """A model that no request can call."""
    directory = root / name / str(version)
    tf.saved_model.save(tf.Module(), str(directory))
    return directory


def variable(root: Path, version: int = 1, *, name: str = "variable") -> Path:
    """x float32 [3] -> y = x times weights 1, 2, 3 kept in a variable, so in a checkpoint on disk."""
    module = tf.Module()
    module.weights = tf.Variable(np.array([1, 2, 3], np.float32))

    def scaled(x: Any) -> dict[str, Any]:
        return {"y": x * module.weights}

    function = tf.function(scaled, input_signature=[tf.TensorSpec([3], tf.float32)])
    return _save(root / name / str(version), function, module)


def _write(directory: Path, graphs: Mapping[str, Callable[[], tuple[Tensors, Tensors]]]) -> Path:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signatures = {}
        for name, graph in graphs.items():
            inputs, outputs = graph()
            signatures[name] = tf.compat.v1.saved_model.build_signature_def(
                inputs={alias: tf.compat.v1.saved_model.build_tensor_info(t) for alias, t in inputs.items()},
                outputs={
                    alias: tf.compat.v1.saved_model.build_tensor_info(t) for alias, t in outputs.items()
                },
                method_name="tensorflow/serving/predict",
            )
        builder = tf.compat.v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    return directory


def _save(directory: Path, function: Any, module: Any = None) -> Path:
    module = module or tf.Module()
    module.call = function
    tf.saved_model.save(module, str(directory), signatures=function)
    return directory
