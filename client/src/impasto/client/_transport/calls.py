"""Calls as values: a method, the request's bytes, and how to read the response; and the end of several at once.

A sync and an async transport send the same Call; only the awaiting differs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from impasto.client._transport import forks
from impasto.client._transport.patience import Patience
from impasto.client._wire import messages
from impasto.client._wire.tensors import Array, as_utf8
from impasto.client.errors import InvalidInput
from impasto.client.model import Model, ModelMetadata, VersionStatus
from impasto.client.settings import MOST_SECONDS, CallKind, Timeouts
from impasto.client.signatures import MODELS, SERVING_DEFAULT

_ARRAYS: Final = (np.ndarray, np.generic)

# What numpy raises for a value that is no array, and what other libraries raise for tensors that numpy cannot see.
_REFUSALS: Final = (ValueError, TypeError, RuntimeError, BufferError, OverflowError)

# Which of numpy's kinds a plain Python number may become, seen from the kind that numpy gives it.
_WIDENS: Final = {"b": "b", "i": "iuf", "u": "iuf", "f": "f"}


def as_array(model: str, signature: str, name: str, value: object) -> NDArray[Any]:
    """The array to send for one input.

    An array (or numpy scalar) is sent with the dtype it has: a wrong one is for the server to refuse, never
    for the client to convert in silence. Plain Python numbers and lists have no dtype of their own, so they
    take the contract's for this model, signature and input where that keeps their value (an int may become
    any integer that holds it, or a float; a float never becomes an integer); otherwise, and for models
    outside the contract, they are what numpy makes of them (int64, float64, strings).

    Raises:
        InvalidInput: numpy cannot make an array of the value (a ragged list, a tensor on a GPU), or the array has
            masked values.
    """
    if isinstance(value, _ARRAYS):
        return _unmasked(model, name, cast("NDArray[Any]", value))
    try:
        array = _of_others(value)
        if array is not None:
            return array
        array = np.asarray(value)
    except _REFUSALS as error:
        raise InvalidInput(f"input {name!r} is not an array: {error}", model=model) from error
    if array.dtype.kind == "O":
        _check_strings(model, name, array)
    if array.dtype.kind in "SU":
        return np.asarray(value, dtype=object)  # numpy's own byte strings lose trailing zero bytes
    wanted = _contract_dtype(model, signature, name)
    if wanted is None or wanted == array.dtype:
        return array
    if array.size == 0:
        return array.astype(wanted)
    if wanted.kind not in _WIDENS.get(array.dtype.kind, ""):
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    # A Python float is meant as the nearest float of the contract's type; an int is meant exactly.
    holds = np.isfinite(converted) == np.isfinite(array) if array.dtype.kind == "f" else converted == array
    return converted if holds.all() else array


def _of_others(value: object) -> NDArray[Any] | None:
    """Return the array of another library's tensor, which has a dtype of its own; None for anything else."""
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(cast(Any, value))
    return None


def _unmasked(model: str, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as a plain one. Raises InvalidInput where values are masked, which no tensor can say."""
    mask = getattr(array, "mask", None)
    if mask is not None and (masked := int(np.count_nonzero(mask))):
        raise InvalidInput(
            f"input {name!r} has masked values ({masked}), which no request can say; fill them: array.filled(0)",
            model=model,
        )
    plain = np.asarray(array)
    if plain.dtype.kind == "O":
        _check_strings(model, name, plain)
    return plain


def _check_strings(model: str, name: str, array: NDArray[Any]) -> None:
    """Check that what numpy took as objects are strings. Raises InvalidInput, which says what else there is."""
    for item in array.ravel().tolist():
        if isinstance(item, str | bytes):
            continue
        if item is None:
            what = "None; an input that has a default may be left out"
        elif isinstance(item, int):
            what = f"{item}, a number beyond 64 bits, or among strings"
        else:
            what = (
                f"a {type(item).__name__}, which is no number and no text; give numbers, str, bytes or arrays"
            )
        raise InvalidInput(f"input {name!r} {'is' if array.ndim == 0 else 'holds'} {what}", model=model)


def _contract_dtype(model: str, signature: str, name: str) -> np.dtype[Any] | None:
    known = MODELS.get(model)
    if known is None or signature not in known.signatures:
        return None
    for spec in known.signatures[signature].inputs:
        if spec.name == name and spec.dtype != "string":
            return np.dtype(spec.dtype)
    return None


Outputs = dict[str, Array]
Metadata = tuple[tuple[str, str | bytes], ...]
Result_co = TypeVar("Result_co", covariant=True)

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
METADATA: Final = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"


@dataclass(frozen=True, eq=False)
class Call(Generic[Result_co]):
    """One unary call, ready to send.

    Attributes:
        method: the full gRPC method path.
        model: the model's name, for messages; may be empty.
        request: the serialised request.
        parse: reads the serialised response; raises DecodeError.
        version: the version that is asked for; 0 if none is.
        signature: the signature's name; empty for a call of status or metadata.
        patience: the patience of the job that the call is part of, for its server; None for a call that does not wait.
        on_failure: called each time before the call is sent again.
        fits: the server has answered as large a call of the same job.
        stop: ends a call that waits in a thread; None for one that only its own thread ends. A task is cancelled.
    """

    method: str
    model: str
    request: bytes
    parse: Callable[[bytes], Result_co]
    version: int = 0
    signature: str = ""
    patience: Patience | None = None
    on_failure: Callable[[], None] = lambda: None
    fits: bool = False
    stop: Stop | None = None


def predict_call(
    model: Model,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[messages.Prediction]:
    """A Predict call; `outputs` limits what the server sends back (all if empty)."""
    request = _predict_request(model, inputs, signature, outputs)
    parse = partial(messages.prediction, wanted=tuple(outputs))
    return Call(
        PREDICT,
        model.name,
        request,
        parse,
        version=model.version or 0,
        signature=signature or SERVING_DEFAULT,
    )


def metadata_call(model: Model) -> Call[ModelMetadata]:
    """A GetModelMetadata call."""
    request = messages.metadata_request(_spec(model))
    return Call(METADATA, model.name, request, messages.metadata, version=model.version or 0)


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
    request = messages.status_request(_spec(model))
    return Call(STATUS, model.name, request, messages.status, version=model.version or 0)


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


class Stop:
    """Stops the calls that were made with it, in whichever threads they wait, and all that begin later."""

    def __init__(self) -> None:
        self._is_set = False
        self._ways: dict[object, Callable[[], object]] = {}
        self._lock = forks.Lock()

    def set(self) -> None:
        """Stop what is under way."""
        with self._lock:
            self._is_set = True
            ways = list(self._ways.values())
        for stop in ways:
            stop()

    @contextmanager
    def reaching(self, stop: Callable[[], object]) -> Generator[None]:
        """Do what `stop`, called from any thread, ends. What had begun before this was stopped is ended here.

        Raises:
            CancelledError: it was stopped.
        """
        key = object()
        with self._lock:
            is_late = self._is_set
            if not is_late:
                self._ways[key] = stop
        if is_late:
            stop()
            raise CancelledError
        try:
            yield
        finally:
            with self._lock:
                del self._ways[key]
            if self._is_set:
                raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Wait, unless it is stopped. Raises CancelledError."""
        woken = threading.Event()
        with self.reaching(woken.set):
            woken.wait(seconds)
