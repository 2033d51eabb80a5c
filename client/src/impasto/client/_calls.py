"""Calls as values: a method, the request's bytes, and how to read the response. No I/O here.

A sync and an async transport send the same Call; only the awaiting differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from impasto.client import _predict as predict
from impasto.client._inputs import as_array
from impasto.client._values import whole
from impasto.client.errors import InvalidInput
from impasto.client.metadata import ModelMetadata, VersionStatus
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


@dataclass(frozen=True)
class ModelRef:
    """Which model, and which version of it: the newest unless `version` or `label` says otherwise.

    Attributes:
        name: of the model.
        version: its number.
        label: such as `stable`.
        pinned: whether the version is the one that answered earlier in the same job.
    """

    name: str
    version: int | None = None
    label: str | None = None
    pinned: bool = False

    def spec(self, signature: str | None = None) -> bytes:
        """The bytes of the request's ModelSpec.

        Raises:
            InvalidInput: an empty name, a version together with a label, or one of them cannot be sent.
        """
        if not self.name:
            raise InvalidInput("model is empty: name the model to call, as `impasto models` lists them")
        if self.version is not None and self.label is not None:
            raise InvalidInput(
                f"version {self.version} and label {self.label!r}: give one of them", model=self.name
            )
        parts = [delimited(1, as_utf8("the model's name", self.name))]
        if self.version is not None:
            # Even one that no model has is for the server to refuse; an Int64Value (1) holds it.
            version = whole("version", self.version, -(2**63), 2**63 - 1)
            parts.append(delimited(2, number(1, version)))
        if signature:
            parts.append(delimited(3, as_utf8("the signature's name", signature)))
        if self.label is not None:
            parts.append(delimited(4, as_utf8("the label", self.label)))
        return b"".join(parts)


def predict_call(
    ref: ModelRef,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[Outputs]:
    """A Predict call; `outputs` limits what the server sends back (all if empty)."""
    request = _predict_request(ref, inputs, signature, outputs)
    return Call(PREDICT, ref.name, request, _parse_predict)


def predict_with_version_call(
    ref: ModelRef,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[tuple[int, Outputs]]:
    """Return what `predict_call` does; the answer is the version that answered and its outputs."""
    request = _predict_request(ref, inputs, signature, outputs)
    return Call(PREDICT, ref.name, request, _parse_predict_with_version)


def metadata_call(ref: ModelRef) -> Call[ModelMetadata]:
    """A GetModelMetadata call."""
    request = delimited(1, ref.spec()) + delimited(2, b"signature_def")
    return Call(METADATA, ref.name, request, _parse_metadata)


def status_call(ref: ModelRef) -> Call[tuple[VersionStatus, ...]]:
    """A GetModelStatus call for every version, or the one that `ref` names."""
    return Call(STATUS, ref.name, delimited(1, ref.spec()), _parse_status)


def ping_call() -> Call[object]:
    """A call that any TensorFlow Serving answers at once: the status of no model, which it does not find."""
    return Call(STATUS, "", delimited(1, b""), _parse_status)


def _predict_request(
    ref: ModelRef, inputs: Mapping[str, object], signature: str | None, outputs: Sequence[str]
) -> bytes:
    arrays = {
        name: as_array(ref.name, signature or SERVING_DEFAULT, name, value) for name, value in inputs.items()
    }
    return predict.request(ref.spec(signature), arrays, outputs=outputs)


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
