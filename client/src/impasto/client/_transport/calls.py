"""Calls as values: a method, the request's bytes, and how to read the response. No I/O here.

A sync and an async transport send the same Call; only the awaiting differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from impasto.client._inputs import as_array
from impasto.client._transport.patience import Patience
from impasto.client._wire import messages
from impasto.client._wire.tensors import Array, as_utf8
from impasto.client.errors import InvalidInput
from impasto.client.metadata import ModelMetadata, VersionStatus
from impasto.client.model import Model
from impasto.client.settings import MOST_SECONDS, CallKind, Timeouts
from impasto.client.signatures import SERVING_DEFAULT

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
        patience: the patience of the job that the call is part of, for its server; None for a call that does not wait.
        on_failure: called each time before the call is sent again.
    """

    method: str
    model: str
    request: bytes
    parse: Callable[[bytes], Result_co]
    patience: Patience | None = None
    on_failure: Callable[[], None] = lambda: None


def predict_call(
    model: Model,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[Outputs]:
    """A Predict call; `outputs` limits what the server sends back (all if empty)."""
    request = _predict_request(model, inputs, signature, outputs)
    wanted = tuple(outputs)
    return Call(PREDICT, model.name, request, lambda payload: _predicted(payload, wanted)[1])


def predict_with_version_call(
    model: Model,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[tuple[int, Outputs]]:
    """Return what `predict_call` does; the response is the version that answered and its outputs."""
    request = _predict_request(model, inputs, signature, outputs)
    return Call(PREDICT, model.name, request, partial(_predicted, wanted=tuple(outputs)))


def metadata_call(model: Model) -> Call[ModelMetadata]:
    """A GetModelMetadata call."""
    return Call(METADATA, model.name, messages.metadata_request(_spec(model)), messages.metadata)


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
    return Call(STATUS, model.name, messages.status_request(_spec(model)), messages.status)


def ping_call() -> Call[object]:
    """A call that any TensorFlow Serving answers at once: the status of no model, which it does not find."""
    return Call(STATUS, "", messages.status_request(b""), messages.status)


def call_timeout(
    call: Call[object], timeout: float | None, *, kind: CallKind, timeouts: Timeouts
) -> float | None:
    """Return the timeout of a call in seconds as gRPC takes it: None for no limit.

    Args:
        call: what is sent. Status and metadata are quick, also where a job of another kind asks for them.
        timeout: what the caller wants; None for what the settings say.
        kind: what the call is for.
        timeouts: the settings.

    Raises:
        ValueError: `timeout` is not more than 0, or more than a limit and not endless.
    """
    if timeout is None:
        return timeouts.for_("status" if call.method in (METADATA, STATUS) else kind)
    check_timeout(timeout)
    return None if timeout == math.inf else timeout


def check_timeout(timeout: float) -> None:
    """Check that `timeout` is more than 0, and within the limit or endless. Raises ValueError."""
    if not 0 < timeout <= MOST_SECONDS and timeout != math.inf:
        raise ValueError(
            f"timeout is {timeout}; it must be seconds, more than 0, at most {MOST_SECONDS}, or math.inf for no limit"
        )


def _spec(model: Model, signature: str | None = None) -> bytes:
    """The bytes of a request's ModelSpec. Raises InvalidInput: the signature's name cannot be sent."""
    return messages.model_spec(
        model.name.encode(),
        version=model.version,
        label=None if model.label is None else model.label.encode(),
        signature=as_utf8("the signature's name", signature) if signature else b"",
    )


def _predict_request(
    model: Model, inputs: Mapping[str, object], signature: str | None, outputs: Sequence[str]
) -> bytes:
    arrays = {
        name: as_array(model.name, signature or SERVING_DEFAULT, name, value)
        for name, value in inputs.items()
    }
    return messages.predict_request(_spec(model, signature), arrays, outputs=outputs)


def _predicted(payload: bytes, wanted: Sequence[str]) -> tuple[int, Outputs]:
    response = messages.prediction(payload, wanted=wanted)
    return response.version, response.outputs
