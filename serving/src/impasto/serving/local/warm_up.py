"""Warm-up: the recorded requests of a version, which are run before it answers its first call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.python.lib.io import _pywrap_record_io
from tensorflow_serving.apis import prediction_log_pb2

from impasto.serving.errors import StatusError, invalid_argument
from impasto.serving.local.predict import predict
from impasto.serving.local.servable import Servable, status_of
from impasto.serving.log import get_logger

_LOG: Final = get_logger("impasto.serving")

WARM_UP_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
"""The records of a version, relative to its directory: a TFRecord file of `PredictionLog`."""

MAX_RECORDS: Final = 1000
"""TensorFlow Serving's limit on the records of a version."""

_SHOWN_BYTES: Final = 200
"""The bytes of a record that does not parse which are shown."""

_LARGE_RECORD: Final = 1 << 26


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
            shown = repr(record[:_SHOWN_BYTES]) + ("..." if len(record) > _SHOWN_BYTES else "")
            raise invalid_argument(f"Failed to parse warmup record: {shown} from {path}") from error
        except StatusError as error:
            raise StatusError(error.code, f"{error.message} (warm-up record {count} of {path})") from error
        if kind is not None:
            skipped[kind] += 1
    for kind, times in skipped.items():
        _LOG.warning(
            "%s: %d warm-up records of kind %s are skipped: only predict_log is replayed", path, times, kind
        )
    return count - skipped.total()


def _check_lengths(path: Path) -> None:
    """Refuse a file whose record claims to be much longer than the file: TensorFlow makes room for it, or crashes.

    Raises:
        StatusError: DATA_LOSS, in TensorFlow's words.
    """
    size, position = path.stat().st_size, 0
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head, "little")
            if length > size:
                if length > _LARGE_RECORD:
                    raise _damaged(path, f"corrupted record at {position}")
                return
            position += 8 + 4 + length + 4  # the length, its checksum, the record, and its checksum
            file.seek(position)


def _damaged(path: Path, reason: str) -> StatusError:
    return StatusError(
        grpc.StatusCode.DATA_LOSS, f"{path}: {reason}. Please verify your warmup data is in TFRecord format."
    )


def _records(path: Path) -> Iterator[bytes]:
    try:
        _check_lengths(path)
        # TensorFlow's plain reader, which tf.data needs eager execution to replace.
        yield from _pywrap_record_io.RecordIterator(str(path), "")
    except tf.errors.DataLossError as error:
        raise _damaged(path, error.message) from error
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
