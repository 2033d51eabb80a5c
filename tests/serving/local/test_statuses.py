"""Every status and message of a real TensorFlow Serving that the local server can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode as Code

from servers.official_stubs import PREDICT, OfficialClient

METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

X = {"x": np.array([1, 2], np.float32)}


class Case(NamedTuple):
    """A call, and the status that answers it."""

    title: str
    call: Callable[[OfficialClient], Any]
    code: Code
    message: str


def tensor(**fields: Any) -> Any:
    """A TensorProto with one dimension of size 2 unless another shape is given."""
    proto = tf.make_tensor_proto(np.zeros(2, np.float32))
    proto.ClearField("tensor_content")
    for name, value in fields.items():
        if name == "sizes":
            proto.tensor_shape.ClearField("dim")
            for size in value:
                proto.tensor_shape.dim.add().size = size
        else:
            setattr(proto, name, value)
    return proto


def predict(*args: Any, **fields: Any) -> Callable[[OfficialClient], Any]:
    return lambda client: client.predict(*args, **fields)


def metadata(*args: Any) -> Callable[[OfficialClient], Any]:
    return lambda client: client.metadata(*args)


def status(*args: Any) -> Callable[[OfficialClient], Any]:
    return lambda client: client.status(*args)


def garbage(method: str) -> Callable[[OfficialClient], Any]:
    return lambda client: client.raw(method, b"\xff\xffgarbage")


def version(number: int, name: str = "half") -> dict[str, Any]:
    return {"name": name, "version": number}


def label(text: str, name: str = "half") -> dict[str, Any]:
    return {"name": name, "version_label": text}


NO_LABEL = "Unrecognized servable version label: "
PARSING = "tensor parsing error: x"

PREDICT_CASES = [
    Case("unknown model", predict("nope", X), Code.NOT_FOUND, "Servable not found for request: Latest(nope)"),
    Case(
        "unknown model with a version",
        predict(version(1, "nope"), X),
        Code.NOT_FOUND,
        "Servable not found for request: Specific(nope, 1)",
    ),
    *(
        Case(
            f"version {number}",
            predict(version(number), X),
            Code.NOT_FOUND,
            f"Servable not found for request: Specific(half, {number})",
        )
        for number in (999, 0, -1)
    ),
    Case(
        "a version on disk that is not the newest",
        predict(version(2, "constant"), X),
        Code.NOT_FOUND,
        "Servable not found for request: Specific(constant, 2)",
    ),
    Case("unknown label", predict(label("zzz"), X), Code.INVALID_ARGUMENT, NO_LABEL + "zzz"),
    Case(
        "label of an unknown model", predict(label("zzz", "nope"), X), Code.INVALID_ARGUMENT, NO_LABEL + "zzz"
    ),
    Case("empty label", predict(label(""), X), Code.INVALID_ARGUMENT, NO_LABEL),
    Case(
        "unknown signature",
        predict({"name": "half", "signature_name": "nosig"}, X),
        Code.FAILED_PRECONDITION,
        'Serving signature key "nosig" not found.',
    ),
    Case("no model_spec", predict(None, X), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
    Case("empty name", predict("", X), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
    Case(
        "input missing",
        predict("add", {"a": X["x"]}),
        Code.INVALID_ARGUMENT,
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
        "Sent extra: {}. Missing but required: {b}.",
    ),
    Case(
        "extra input",
        predict("half", {**X, "extra": X["x"]}),
        Code.INVALID_ARGUMENT,
        "input size does not match signature: 2!=1 len({extra,x}) != len({x}). "
        "Sent extra: {extra}. Missing but required: {}.",
    ),
    Case(
        "wrong name, right count",
        predict("half", {"y": X["x"]}),
        Code.INVALID_ARGUMENT,
        "Signature input alias: x(feed name: x:0) not found in request and no default value provided. "
        "Inputs expected to be in the request {y}, or default input alias set: ",
    ),
    Case(
        "wrong dtype",
        predict("half", {"x": np.array([1, 2], np.int32)}),
        Code.INVALID_ARGUMENT,
        "Expects arg[0] to be float but int32 is provided",
    ),
    Case(
        "wrong dtype of the second input by name",
        predict("add", {"a": X["x"], "b": np.array([1, 2])}),
        Code.INVALID_ARGUMENT,
        "Expects arg[1] to be float but int64 is provided",
    ),
    Case(
        "a kernel's own error",
        predict("add", {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}),
        Code.INVALID_ARGUMENT,
        "Incompatible shapes: [2] vs. [3]\n\t [[{{node sum}}]]",
    ),
    Case(
        "short tensor_content",
        predict("half", {"x": tensor(tensor_content=b"abc")}),
        Code.INVALID_ARGUMENT,
        PARSING,
    ),
    Case(
        "long tensor_content",
        predict("half", {"x": tensor(tensor_content=bytes(12))}),
        Code.INVALID_ARGUMENT,
        PARSING,
    ),
    Case("DT_INVALID", predict("half", {"x": tensor(dtype=0)}), Code.INVALID_ARGUMENT, PARSING),
    Case("a dtype of no kind", predict("half", {"x": tensor(dtype=99)}), Code.INVALID_ARGUMENT, PARSING),
    Case("dimension -1", predict("half", {"x": tensor(sizes=[-1])}), Code.INVALID_ARGUMENT, PARSING),
    Case(
        "a shape beyond all memory",
        predict("half", {"x": tensor(sizes=[2**62, 2**62])}),
        Code.INVALID_ARGUMENT,
        PARSING,
    ),
    Case(
        "unknown output",
        predict("half", X, output_filter=("nope",)),
        Code.INVALID_ARGUMENT,
        "output tensor alias not found in signature: nope Outputs expected to be in the set {y,z}.",
    ),
    Case(
        "an output asked for twice",
        predict("half", X, output_filter=("y", "y")),
        Code.INVALID_ARGUMENT,
        "duplicate output tensor alias: y",
    ),
]

METADATA_CASES = [
    Case("no model_spec", metadata(None, "signature_def"), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
    Case(
        "no field",
        metadata("half"),
        Code.INVALID_ARGUMENT,
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    Case(
        "unknown field",
        metadata("half", "signature_def", "zzz"),
        Code.INVALID_ARGUMENT,
        "Metadata field zzz is not supported",
    ),
    Case(
        "unknown model",
        metadata("nope", "signature_def"),
        Code.NOT_FOUND,
        "Servable not found for request: Latest(nope)",
    ),
    Case(
        "empty name",
        metadata("", "signature_def"),
        Code.INVALID_ARGUMENT,
        "ModelSpec has no name specified.",
    ),
    Case("unknown label", metadata(label("zzz"), "signature_def"), Code.INVALID_ARGUMENT, NO_LABEL + "zzz"),
]

STATUS_CASES = [
    Case("no model_spec", status(None), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
    Case("unknown model", status("nope"), Code.NOT_FOUND, "Could not find any versions of model nope"),
    Case("empty name", status(""), Code.NOT_FOUND, "Could not find any versions of model "),
    Case("unknown version", status(version(9)), Code.NOT_FOUND, "Could not find version 9 of model half"),
    Case(
        "version of an unknown model",
        status(version(9, "nope")),
        Code.NOT_FOUND,
        "Could not find version 9 of model nope",
    ),
]

GARBAGE_CASES = [
    Case(method.rpartition("/")[2], garbage(method), Code.INTERNAL, "")
    for method in (PREDICT, METADATA, STATUS)
]


def _titled(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.title for case in cases])


def _check(case: Case, client: OfficialClient) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        case.call(client)
    assert (caught.value.code(), caught.value.details()) == (case.code, case.message)


@_titled(PREDICT_CASES)
def test_predict_answers_a_wrong_request_as_tensorflow_serving_does(
    case: Case, official: OfficialClient
) -> None:
    _check(case, official)


@_titled(METADATA_CASES)
def test_metadata_answers_a_wrong_request_as_tensorflow_serving_does(
    case: Case, official: OfficialClient
) -> None:
    _check(case, official)


@_titled(STATUS_CASES)
def test_status_answers_a_wrong_request_as_tensorflow_serving_does(
    case: Case, official: OfficialClient
) -> None:
    _check(case, official)


@_titled(GARBAGE_CASES)
def test_bytes_that_are_no_message_are_an_internal_error_without_a_message(
    case: Case, official: OfficialClient
) -> None:
    _check(case, official)


def test_a_failed_assertion_has_the_kernels_code_and_message_and_no_python_stack(
    official: OfficialClient,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        official.predict("asserting", {"x": np.array([-1], np.float32)})
    assert caught.value.code() is Code.INVALID_ARGUMENT
    lines = (caught.value.details() or "").splitlines()
    assert lines[0] == "assertion failed: [negative]"
    assert len(lines) == 2
    assert lines[1].startswith("\t [[{{node ")
