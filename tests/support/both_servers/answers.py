"""Cases of single calls: statuses and their words, odd tensors, methods that are rarely called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
)

from both_servers.conformance import Case, outcome
from servers.official_stubs import PREDICT, TIMEOUT, OfficialClient, model_spec

METADATA: Final = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD: Final = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

X: Final = np.array([1, 2], np.float32)
FLOAT, UINT8, INT32, STRING, BOOL, HALF, VARIANT, COMPLEX, INT64, UINT64 = 1, 4, 3, 7, 10, 19, 21, 8, 9, 23


def tensor(dtype: int, sizes: tuple[int, ...] = (2,), **fields: Any) -> Any:
    """A TensorProto."""
    proto = tf.make_tensor_proto(np.zeros(0, np.float32))
    proto.Clear()
    proto.dtype = dtype
    for size in sizes:
        proto.tensor_shape.dim.add().size = size
    proto.tensor_shape.SetInParent()
    for name, value in fields.items():
        if name == "unknown_rank":
            proto.tensor_shape.unknown_rank = value
        elif isinstance(value, list):
            getattr(proto, name).extend(value)
        else:
            setattr(proto, name, value)
    return proto


def _calls(method: str, *args: Any, **fields: Any) -> Callable[[OfficialClient], str]:
    return lambda client: outcome(lambda: getattr(client, method)(*args, **fields))


def predict(*args: Any, **fields: Any) -> Callable[[OfficialClient], str]:
    """Predict, as the official stubs' client takes it."""
    return _calls("predict", *args, **fields)


def echo(signature: str, proto: Any) -> Callable[[OfficialClient], str]:
    """Predict with a tensor that comes back."""
    return predict({"name": "echo", "signature_name": signature}, {"x": proto})


def _one_of(names: str, *args: Any) -> Callable[[OfficialClient], str]:
    """Predict, where either server may name any of several inputs: the order is that of a hash table."""

    def ask(client: OfficialClient) -> str:
        said = predict(*args)(client)
        return f"{said[:-1]}one of {names}" if said[-1] in names else said

    return ask


def named(name: str, **more: Any) -> dict[str, Any]:
    """A ModelSpec's fields."""
    return {"name": name, **more}


def _stub(method: str, request: Any) -> Callable[[OfficialClient], str]:
    def ask(client: OfficialClient) -> str:
        said = outcome(lambda: getattr(client.prediction, method)(request, timeout=TIMEOUT))
        return re.split(r"[:.] ", said)[0]

    return ask


def _examples() -> Any:
    example = tf.train.Example().SerializeToString()
    return input_pb2.Input(
        example_list=input_pb2.ExampleList(examples=[tf.train.Example.FromString(example)])
    )


def _raw(method: str, message: bytes) -> Callable[[OfficialClient], str]:
    return lambda client: outcome(lambda: client.raw(method, message))


PREDICTIONS: Final = (
    Case("Predict: unknown model", predict("nope", {"x": X})),
    Case("Predict: a version that is not loaded", predict(named("constant", version=2), {"x": X})),
    Case("Predict: version 0", predict(named("half", version=0), {"x": X})),
    Case("Predict: version -1", predict(named("half", version=-1), {"x": X})),
    Case("Predict: unknown label", predict(named("half", version_label="zzz"), {"x": X})),
    Case("Predict: empty label", predict(named("half", version_label=""), {"x": X})),
    Case("Predict: unknown signature", predict(named("half", signature_name="no"), {"x": X})),
    Case("Predict: no model_spec", predict(None, {"x": X})),
    Case("Predict: an input is missing", predict("add", {"a": X})),
    Case("Predict: an input too many", predict("half", {"x": X, "y": X})),
    Case("Predict: an input of another name", predict("half", {"y": X})),
    Case("Predict: an input without a name", predict("half", {"": X})),
    Case("Predict: another dtype", predict("half", {"x": X.astype(np.int32)})),
    Case("Predict: several inputs of another dtype", predict("add", {"a": [1, 2], "b": [1, 2]})),
    Case("Predict: shapes that do not fit", predict("add", {"a": X, "b": np.zeros(3, np.float32)})),
    Case("Predict: another rank than the signature's", predict("half", {"x": np.ones((2, 2), np.float32)})),
    Case("Predict: a failed assertion", predict("asserting", {"x": -X})),
    Case("Predict: one output of two", predict("half", {"x": X}, output_filter=("z",))),
    Case("Predict: unknown output", predict("half", {"x": X}, output_filter=("no",))),
    Case("Predict: an output twice", predict("half", {"x": X}, output_filter=("y", "y"))),
    Case("Predict: an output that is a variant", predict("variant", {"x": X})),
    Case("Predict: another output than the variant", predict("variant", {"x": X}, output_filter=("y",))),
    Case("Predict: an optional input left out", predict("defaults", {"x": X})),
    Case("Predict: a required one left out", predict("defaults", {"scale": np.float32(1)})),
    Case("Predict: an unknown one instead", predict("defaults", {"x": X, "scal": np.float32(1)})),
    Case("Predict: several inputs that cannot be parsed", _one_of("ab", "add", {a: tensor(0) for a in "ab"})),
)

TENSORS: Final = (
    Case("tensor: a scalar comes back with a shape", echo("float32", tensor(FLOAT, (), float_val=[2.5]))),
    Case("tensor: no values", echo("float32", tensor(FLOAT))),
    Case("tensor: fewer values than elements", echo("float32", tensor(FLOAT, (4,), float_val=[1.0, 2.0]))),
    Case("tensor: more values than elements", echo("float32", tensor(FLOAT, (1,), float_val=[1.0, 2.0]))),
    Case("tensor: no elements", echo("float32", tensor(FLOAT, (0, 3)))),
    Case(
        "tensor: content and values", echo("float32", tensor(FLOAT, tensor_content=bytes(8), float_val=[1.0]))
    ),
    Case("tensor: values in the field of another dtype", echo("float32", tensor(FLOAT, int_val=[1, 2]))),
    Case("tensor: short content", echo("float32", tensor(FLOAT, tensor_content=b"abc"))),
    Case("tensor: long content", echo("float32", tensor(FLOAT, tensor_content=bytes(12)))),
    Case("tensor: numbers beyond uint8", echo("uint8", tensor(UINT8, int_val=[300, -1]))),
    Case("tensor: numbers that are no bool", echo("bool", tensor(BOOL, int_val=[1, 0], bool_val=[True]))),
    Case("tensor: content that is no bool", echo("bool", tensor(BOOL, tensor_content=b"\x01\x02"))),
    Case("tensor: content of bools", echo("bool", tensor(BOOL, tensor_content=b"\x01\x00"))),
    Case("tensor: bits of a half beyond 16", echo("float16", tensor(HALF, half_val=[0x13C00, 0x3C00]))),
    Case("tensor: one number of a complex", echo("complex64", tensor(COMPLEX, (1,), scomplex_val=[1.0]))),
    Case("tensor: large whole numbers", echo("uint64", tensor(UINT64, uint64_val=[2**64 - 1, 1]))),
    Case("tensor: the smallest int64", echo("int64", tensor(INT64, int64_val=[-(2**63), 2**63 - 1]))),
    Case("tensor: strings that are no text", echo("string", tensor(STRING, string_val=[b"a\0", b"\xff"]))),
    Case("tensor: content of strings", echo("string", tensor(STRING, tensor_content=b"\x01\x02abc"))),
    Case("tensor: no dtype", echo("float32", tensor(0))),
    Case("tensor: a dtype of no number", echo("float32", tensor(99))),
    Case("tensor: a variant", echo("float32", tensor(VARIANT))),
    Case("tensor: dimension -1", echo("float32", tensor(FLOAT, (-1,)))),
    Case("tensor: unknown rank", echo("float32", tensor(FLOAT, float_val=[1.0, 2.0], unknown_rank=True))),
    Case("tensor: rank 40", echo("float32", tensor(FLOAT, (1,) * 40, float_val=[7.0]))),
    Case("tensor: rank 70", echo("float32", tensor(FLOAT, (1,) * 70, float_val=[7.0]))),
    Case("tensor: no strings of rank 40", echo("string", tensor(STRING, (0,) * 40))),
    Case("tensor: rank 300", echo("float32", tensor(FLOAT, (1,) * 300, float_val=[7.0]))),
    Case("tensor: a huge dimension beside an empty one", echo("float32", tensor(FLOAT, (2**40, 2**40, 0)))),
    Case("tensor: more elements than memory", echo("float32", tensor(FLOAT, (2**62, 2**62)))),
)

METHODS: Final = (
    Case("GetModelMetadata: no model_spec", _calls("metadata", None, "signature_def")),
    Case("GetModelMetadata: no field", _calls("metadata", "half")),
    Case("GetModelMetadata: unknown field", _calls("metadata", "half", "signature_def", "zzz")),
    Case("GetModelMetadata: unknown model", _calls("metadata", "nope", "signature_def")),
    Case("GetModelStatus: no model_spec", _calls("status", None)),
    Case("GetModelStatus: a model", _calls("status", "half")),
    Case("GetModelStatus: several versions on disk", _calls("status", "constant")),
    Case("GetModelStatus: unknown model", _calls("status", "nope")),
    Case("GetModelStatus: unknown version", _calls("status", named("half", version=9))),
    Case("GetModelStatus: unknown label", _calls("status", named("half", version_label="zzz"))),
    Case("Predict: bytes that are no message", _raw(PREDICT, b"\xff\xffgarbage")),
    Case("GetModelStatus: bytes that are no message", _raw(STATUS, b"\xff\xffgarbage")),
    Case("HandleReloadConfigRequest: bytes that are no message", _raw(RELOAD, b"\xff\xffgarbage")),
    Case("HandleReloadConfigRequest: nothing", _raw(RELOAD, b"")),
    Case("health: bytes that are no message", _raw("/grpc.health.v1.Health/Check", b"\xff\xffgarbage")),
    Case("unknown method", _raw("/tensorflow.serving.PredictionService/Nope", b"")),
    Case("unknown service", _raw("/tensorflow.serving.Nope/Predict", b"")),
    Case(
        "Classify",
        _stub(
            "Classify",
            classification_pb2.ClassificationRequest(model_spec=model_spec("half"), input=_examples()),
        ),
    ),
    Case(
        "Regress",
        _stub("Regress", regression_pb2.RegressionRequest(model_spec=model_spec("half"), input=_examples())),
    ),
    Case("MultiInference", _stub("MultiInference", inference_pb2.MultiInferenceRequest(input=_examples()))),
)
