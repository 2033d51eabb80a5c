"""Warm-up: recorded requests that are run before a version answers its first call.

The records lie in `<version>/assets.extra/tf_serving_warmup_requests`, a TFRecord file of `PredictionLog`.
Any record that does not parse or does not run fails the loading of its version, as in TensorFlow Serving.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from impasto.serving.errors import StatusError, invalid_argument
from impasto.serving.predict import predict
from impasto.serving.servable import Servable
from impasto.serving.session import status_of

WARM_UP_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS: Final = 1000


def warm_up(servable: Servable) -> int:
    """Runs the version's warm-up records, if it has any.

    Returns:
        The number of records.

    Raises:
        StatusError: a damaged file, a record that does not run, or more than `MAX_RECORDS` records.
    """
    path = servable.directory / WARM_UP_FILE
    if not path.is_file():
        return 0
    count = 0
    for record in _records(path):
        count += 1
        if count > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
        try:
            _replay(servable, prediction_log_pb2.PredictionLog.FromString(record))
        except DecodeError as error:
            raise invalid_argument(f"Failed to parse warmup record: {record!r} from {path}") from error
        except StatusError as error:
            raise StatusError(error.code, f"{error.message} (warm-up record {count} of {path})") from error
    return count


def _records(path: Path) -> Iterator[bytes]:
    try:
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    except tf.errors.DataLossError as error:
        raise StatusError(
            grpc.StatusCode.DATA_LOSS,
            f"{path}: {error.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    except tf.errors.OpError as error:
        raise status_of(error) from error


def _replay(servable: Servable, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(servable, log.predict_log.request)
    elif kind is not None:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise StatusError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Unsupported log_type for warmup: {number} ({kind}; the local server replays predict_log only)",
        )
