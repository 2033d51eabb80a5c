"""Warm-up records: requests that a server runs while it loads a version, before the first caller waits.

TensorFlow Serving reads them from `assets.extra/tf_serving_warmup_requests`, a TFRecord of PredictionLog.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from impasto.export.contract import signature_defs
from impasto.export.errors import ExportError

WARMUP_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
"""Where a server looks for the records, relative to a version."""

MAX_RECORDS: Final = 1000
"""TensorFlow Serving refuses to load a version with more."""

Request = tuple[str, Mapping[str, npt.ArrayLike]]
"""A signature's name and the inputs to send to it."""


class WarmupError(ExportError):
    """Requests that a server could not run, or a file of warm-up requests that cannot be read."""


def write_warmup(directory: str | os.PathLike[str], model_name: str, requests: Iterable[Request]) -> Path:
    """Add warm-up records to the SavedModel in `directory`.

    A record that fails makes TensorFlow Serving give up the version, so each is compared with the
    SignatureDefs. Small inputs are enough: they make the server build every function of the graph.

    Args:
        directory: a SavedModel that is not published yet.
        model_name: the model's name in the repository.
        requests: 1 to 1000. Arrays must have the signature's dtype; Python numbers and lists are converted to
            it. Inputs that have a default may be left out.

    Returns:
        The file.

    Raises:
        WarmupError: none or too many requests, or one that does not fit its signature.
        SavedModelError: there is no SavedModel.
    """
    signatures = signature_defs(directory)
    records = [_record(signatures, model_name, signature, inputs) for signature, inputs in requests]
    if not 1 <= len(records) <= MAX_RECORDS:
        raise WarmupError(f"{len(records)} warm-up requests: give 1 to {MAX_RECORDS}")
    path = Path(directory) / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def read_warmup(directory: str | os.PathLike[str]) -> list[tuple[str, dict[str, npt.NDArray[Any]]]]:
    """The warm-up requests of the version in `directory`, as signature and inputs; none if it has no file.

    Records of other kinds, such as `classify_log`, are left out.

    Raises:
        WarmupError: the file is damaged.
    """
    path = Path(directory) / WARMUP_FILE
    if not path.exists():
        return []
    try:
        logs = [
            prediction_log_pb2.PredictionLog.FromString(record)
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        ]
    except (tf.errors.DataLossError, DecodeError) as error:
        raise WarmupError(f"{path} is damaged ({error}): export the version again") from error
    requests = (log.predict_log.request for log in logs if log.HasField("predict_log"))
    return [
        (
            request.model_spec.signature_name,
            {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()},
        )
        for request in requests
    ]


def checked_inputs(
    signatures: Mapping[str, Any], signature: str, inputs: Mapping[str, npt.ArrayLike]
) -> dict[str, npt.NDArray[Any]]:
    """A request's inputs as arrays of the dtypes that its SignatureDef asks for.

    Raises:
        WarmupError: there is no such signature, or an input is missing, unknown, or of another dtype or shape.
    """
    if signature not in signatures:
        raise WarmupError(f"no signature {signature!r}; there are: {', '.join(signatures)}")
    definition = signatures[signature]
    required = set(definition.inputs) - set(definition.defaults)
    if missing := required - inputs.keys():
        raise WarmupError(f"signature {signature!r} needs input {', '.join(sorted(missing))}")
    found: dict[str, npt.NDArray[Any]] = {}
    for name, value in inputs.items():
        if name not in definition.inputs:
            raise WarmupError(f"signature {signature!r} has no input {name!r}")
        found[name] = _array(f"signature {signature!r}: input {name!r}", value, definition.inputs[name])
    return found


def _record(
    signatures: Mapping[str, Any], model_name: str, signature: str, inputs: Mapping[str, npt.ArrayLike]
) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, array in checked_inputs(signatures, signature, inputs).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    # A map's order is otherwise free, and the same requests should give the same file.
    return bytes(log.SerializeToString(deterministic=True))


def _array(where: str, value: npt.ArrayLike, info: Any) -> npt.NDArray[Any]:
    dtype = np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype)
    array = value if isinstance(value, np.ndarray | np.generic) else _converted(where, value, dtype)
    if array.dtype != dtype:
        raise WarmupError(f"{where} must be {dtype}, not {array.dtype}")
    if not tf.TensorShape(info.tensor_shape).is_compatible_with(array.shape):
        raise WarmupError(f"{where} has shape {array.shape}, not {tf.TensorShape(info.tensor_shape)}")
    return np.asarray(array)


def _converted(where: str, value: npt.ArrayLike, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise WarmupError(f"{where} must be {dtype}: {error}") from error
    # numpy cuts 1.5 to 1 without a word.
    if np.issubdtype(dtype, np.integer) and not np.array_equal(array, np.asarray(value)):
        raise WarmupError(f"{where} must be {dtype}, not {value!r}")
    return array
