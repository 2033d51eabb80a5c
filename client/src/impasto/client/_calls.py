"""Calls as values: a method, the request's bytes, and how to read the response. No I/O here.

A sync and an async transport send the same Call; only the awaiting differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from impasto.client import _predict as predict
from impasto.client._inputs import as_array
from impasto.client.errors import InvalidInput
from impasto.client.metadata import ModelMetadata, VersionStatus
from impasto.client.model import Model
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.tensors import Array, as_utf8
from impasto.client.wire.writer import delimited, number

Outputs = dict[str, Array]
Result_co = TypeVar("Result_co", covariant=True)

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
METADATA: Final = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"


@dataclass(frozen=True)
class Call(Generic[Result_co]):
    """One unary call, ready to send.

    Attributes:
        method: the full gRPC method path.
        model: the model's name, for messages; may be empty.
        request: the serialised request.
        parse: reads the serialised response; raises DecodeError.
        patient: whether it may wait for its turn where an overloaded server takes fewer calls at once.
    """

    method: str
    model: str
    request: bytes
    parse: Callable[[bytes], Result_co]
    patient: bool = False


def predict_call(
    model: Model,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[Outputs]:
    """A Predict call; `outputs` limits what the server sends back (all if empty)."""
    request = _predict_request(model, inputs, signature, outputs)
    return Call(PREDICT, model.name, request, _parse_predict)


def predict_with_version_call(
    model: Model,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[tuple[int, Outputs]]:
    """Return what `predict_call` does; the answer is the version that answered and its outputs."""
    request = _predict_request(model, inputs, signature, outputs)
    return Call(PREDICT, model.name, request, _parse_predict_with_version)


def metadata_call(model: Model) -> Call[ModelMetadata]:
    """A GetModelMetadata call."""
    request = delimited(1, _spec(model)) + delimited(2, b"signature_def")
    return Call(METADATA, model.name, request, _parse_metadata)


def status_call(model: Model) -> Call[tuple[VersionStatus, ...]]:
    """A GetModelStatus call for every version, or the one that `model` names.

    Raises:
        InvalidInput: the model has a label, which a server ignores here.
    """
    if model.label is not None:
        raise InvalidInput(
            f"label {model.label!r}: the status is asked of all versions, or of one by its number, never by label",
            model=model.name,
        )
    return Call(STATUS, model.name, delimited(1, _spec(model)), _parse_status)


def ping_call() -> Call[object]:
    """A call that any TensorFlow Serving answers at once: the status of no model, which it does not find."""
    return Call(STATUS, "", delimited(1, b""), _parse_status)


def _spec(model: Model, signature: str | None = None) -> bytes:
    """The bytes of a request's ModelSpec. Raises InvalidInput: the signature's name cannot be sent."""
    parts = [delimited(1, model.name.encode())]
    if model.version is not None:
        parts.append(delimited(2, number(1, model.version)))  # an Int64Value
    if signature:
        parts.append(delimited(3, as_utf8("the signature's name", signature)))
    if model.label is not None:
        parts.append(delimited(4, model.label.encode()))
    return b"".join(parts)


def _predict_request(
    model: Model, inputs: Mapping[str, object], signature: str | None, outputs: Sequence[str]
) -> bytes:
    arrays = {
        name: as_array(model.name, signature or SERVING_DEFAULT, name, value)
        for name, value in inputs.items()
    }
    return predict.request(_spec(model, signature), arrays, outputs=outputs)


def _parse_predict(payload: bytes) -> Outputs:
    return predict.response(payload).outputs


def _parse_predict_with_version(payload: bytes) -> tuple[int, Outputs]:
    response = predict.response(payload)
    return response.version, response.outputs


def _parse_metadata(payload: bytes) -> ModelMetadata:
    from impasto.client import _descriptions  # with protobuf, which a prediction does without

    return _descriptions.metadata(payload)


def _parse_status(payload: bytes) -> tuple[VersionStatus, ...]:
    from impasto.client import _descriptions

    return _descriptions.status(payload)
