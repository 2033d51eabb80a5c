"""Predict: run one signature of a loaded model on a request's tensors, and the recorded requests that warm it up."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.lib.io import _pywrap_record_io
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from impasto.serving.errors import StatusError, invalid_argument
from impasto.serving.local import tensors
from impasto.serving.local.repetition import RepetitionBudget
from impasto.serving.local.servable import Servable, Taken, status_of
from impasto.serving.log import get_logger
from impasto.serving.wire import delimited

_LOG: Final = get_logger("impasto.serving")

SERVING_DEFAULT: Final = "serving_default"

WARM_UP_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
"""The records of a version, relative to its directory: a TFRecord file of `PredictionLog`."""

_UNSENDABLE: Final = {types_pb2.DT_VARIANT: "variant", types_pb2.DT_RESOURCE: "resource"}
"""The dtypes of outputs that numpy has no arrays for: lists of tensors, and handles of variables."""

MAX_RECORDS: Final = 1000
"""TensorFlow Serving's limit on the records of a version."""


def predict(
    servable: Servable,
    request: predict_pb2.PredictRequest,
    *,
    timeout_ms: int | None = None,
    as_content: bool = False,
    what_can_be_sent: bool = False,
) -> bytes:
    """Run the request's signature on the servable.

    Args:
        servable: the loaded version; the request's model_spec only names the signature and is copied into the response.
        request: inputs by alias, and the aliases of the wanted outputs (all if it names none).
        timeout_ms: the milliseconds after which the run is aborted; None for no limit.
        as_content: write the outputs into `tensor_content` rather than into typed fields.
        what_can_be_sent: leave out the outputs that no response can hold, rather than refuse them.

    Returns:
        The bytes of the PredictResponse.

    Raises:
        StatusError: the request is refused or fails; code and message are TensorFlow Serving's.
    """
    signature_name = request.model_spec.signature_name or SERVING_DEFAULT
    if signature_name not in servable.signatures:
        raise StatusError(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature_name}" not found.'
        )
    signature = servable.signatures[signature_name]
    feeds = _feeds(servable, signature, request)
    aliases = _output_aliases(signature, request.output_filter)
    if what_can_be_sent:
        aliases = [alias for alias in aliases if signature.outputs[alias].dtype not in _UNSENDABLE]
    _check_sendable(signature, aliases)
    fetches = [signature.outputs[alias].name for alias in aliases]
    outputs = servable.run(feeds, fetches, timeout_ms=timeout_ms)

    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = signature_name
    response.model_spec.version.value = servable.version
    return response.SerializeToString() + b"".join(
        _output_entry(alias, tensors.to_wire(output, as_content=as_content))
        for alias, output in zip(aliases, outputs, strict=True)
    )


def warm_up(servable: Servable) -> int:
    """Run a version's warm-up records, if it has any, before it answers its first call.

    A record that does not parse or run makes the loading of its version fail, as in TensorFlow Serving. Records of
    methods that this server does not answer are skipped, with a warning.

    Returns:
        The number of records that ran.

    Raises:
        StatusError: the file is damaged, a record does not run, or there are more than `MAX_RECORDS` records.
    """
    path = servable.directory / WARM_UP_FILE
    if not path.is_file():
        return 0
    count = 0
    skipped: Counter[str] = Counter()
    for record in _records(path):
        count += 1
        if count > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
        try:
            kind = _replay(servable, prediction_log_pb2.PredictionLog.FromString(record))
        except DecodeError as error:
            raise invalid_argument(f"Failed to parse warmup record: {record!r} from {path}") from error
        except StatusError as error:
            raise StatusError(error.code, f"{error.message} (warm-up record {count} of {path})") from error
        if kind is not None:
            skipped[kind] += 1
    for kind, times in skipped.items():
        _LOG.warning(
            "%s: %d warm-up records of kind %s are skipped: only predict_log is replayed", path, times, kind
        )
    return count - skipped.total()


def _feeds(
    servable: Servable, signature: meta_graph_pb2.SignatureDef, request: predict_pb2.PredictRequest
) -> dict[str, NDArray[Any]]:
    """Return the arrays to feed, by tensor name: the request's, else the signature's defaults."""
    sent, wanted = set(request.inputs), set(signature.inputs)
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({_braced(sent)}) != "
            f"len({_braced(wanted)}). Sent extra: {_braced(sent - wanted)}. "
            f"Missing but required: {_braced(wanted - sent)}."
        )
    # An output may have as many dimensions as an input.
    has_strings = any(output.dtype == types_pb2.DT_STRING for output in signature.outputs.values())
    max_rank = tensors.MAX_RANK_WITH_STRINGS if has_strings else tensors.MAX_RANK
    budget = RepetitionBudget()
    feeds = {}
    for alias in sorted(wanted):
        feed_name = signature.inputs[alias].name
        if alias in sent:
            proto = request.inputs[alias]
        elif alias in signature.defaults:
            proto = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed_name}) not found in request and no default "
                f"value provided. Inputs expected to be in the request {_braced(sent)}, or default input "
                f"alias set: {','.join(sorted(signature.defaults))}"
            )
        try:
            feeds[feed_name] = _array(servable.takes(feed_name), proto, max_rank, budget)
        except tensors.TensorParseError as error:
            raise invalid_argument(f"tensor parsing error: {alias}") from error
    if not sent <= wanted:
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(sent & wanted))}, "
            f"request input: {','.join(sorted(sent))}"
        )
    return feeds


def _array(
    taken: Taken | None, proto: tensor_pb2.TensorProto, max_rank: int, budget: RepetitionBudget
) -> NDArray[Any]:
    """Return an input's array; values are repeated only for the dtype, and in bulk only for the shape, of the model."""
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    fits = taken is None or (min(sizes, default=0) >= 0 and taken.shape.is_compatible_with(sizes))
    return tensors.from_proto(
        proto,
        max_rank=max_rank,
        allow=functools.partial(budget.take, fits=fits),
        is_wanted=taken is None or taken.data_type == proto.dtype,
    )


def _output_aliases(signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return list(output_filter) or sorted(signature.outputs)


def _check_sendable(signature: meta_graph_pb2.SignatureDef, aliases: Sequence[str]) -> None:
    for alias in aliases:
        kind = _UNSENDABLE.get(signature.outputs[alias].dtype)
        if kind is not None:
            others = [
                name for name in sorted(signature.outputs) if signature.outputs[name].dtype not in _UNSENDABLE
            ]
            raise StatusError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"output {alias} is a {kind}, which no response of this server can hold; "
                f"ask for others with output_filter: {_braced(others)}",
            )


def _output_entry(alias: str, tensor: bytes) -> bytes:
    """Return an entry of the response's map of outputs: a message of a key and a value."""
    number = predict_pb2.PredictResponse.DESCRIPTOR.fields_by_name["outputs"].number
    return delimited(number, delimited(1, alias.encode()) + delimited(2, tensor))


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _records(path: Path) -> Iterator[bytes]:
    try:
        # TensorFlow's plain reader, which tf.data needs eager execution to replace.
        yield from _pywrap_record_io.RecordIterator(str(path), "")
    except tf.errors.DataLossError as error:
        raise StatusError(
            grpc.StatusCode.DATA_LOSS,
            f"{path}: {error.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    except tf.errors.OpError as error:
        raise status_of(error) from error


def _replay(servable: Servable, log: prediction_log_pb2.PredictionLog) -> str | None:
    """Run a record, and return its kind if it was skipped.

    TensorFlow Serving replays what Classify, Regress and MultiInference log, which this server does not answer. It
    refuses a `session_run_log`.
    """
    kind: str | None = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(servable, log.predict_log.request, what_can_be_sent=True)
    elif kind == "session_run_log":
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise StatusError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Unsupported log_type for warmup: {number} ({kind}; leave such records out)",
        )
    elif kind is not None:
        return kind
    return None
