"""A SavedModel in TensorFlow's C++ session, run the way TensorFlow Serving runs it.

The model is loaded with `tf.compat.v1.saved_model.load`. It is run one layer below `Session.run`, through
the method that `Session.run` itself ends in, because `Session.run` does three things that TensorFlow Serving
does not: it casts a fed array to the placeholder's dtype, refuses shapes that differ from the
placeholder's, and adds Python's stack trace to error messages. Below that layer the checks and messages are
the C++ session's own.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.client import pywrap_tf_session

from impasto.serving.errors import StatusError, invalid_argument, not_found

SERVE_TAG: Final = "serve"

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class ServingSession:
    """One SavedModel, loaded; calls may run at the same time.

    Args:
        directory: the SavedModel's directory.

    Raises:
        StatusError: the SavedModel is missing or corrupt.
    """

    def __init__(self, directory: Path) -> None:
        if not any((directory / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            raise not_found(
                "Specified file path does not appear to contain a SavedModel bundle (should have a file called "
                f"`saved_model.pb`)\nSpecified file path: {directory}"
            )
        self._graph = tf.Graph()
        # TensorFlow otherwise takes a whole GPU's memory at the first session.
        options = tf.compat.v1.GPUOptions(allow_growth=True)
        self._session = tf.compat.v1.Session(
            graph=self._graph, config=tf.compat.v1.ConfigProto(gpu_options=options)
        )
        try:
            with self._graph.as_default(), _without_deprecation_notice():
                self.meta_graph = tf.compat.v1.saved_model.load(self._session, [SERVE_TAG], str(directory))
            self._session._extend_graph()
        except tf.errors.OpError as error:
            self.close()
            raise status_of(error) from error
        except OSError as error:
            self.close()
            raise StatusError(
                grpc.StatusCode.DATA_LOSS, f"Can't parse {directory}/saved_model.pb as binary proto"
            ) from error
        except Exception as error:
            # A corrupt file surfaces as whatever the reader stumbles over.
            self.close()
            raise StatusError(grpc.StatusCode.UNKNOWN, f"{directory}: {error}") from error
        self._graph.finalize()
        self._handles: dict[str, _Handle] = {}

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
    ) -> list[NDArray[Any]]:
        """Runs the graph once.

        Args:
            feeds: arrays by the name of the tensor they are fed to.
            fetches: names of the tensors wanted; one may be named twice.
            timeout_ms: the run is aborted after this many milliseconds; None lets it run.

        Returns:
            The fetched tensors, in order.

        Raises:
            StatusError: the C++ session's own code and message; DEADLINE_EXCEEDED at the timeout.
        """
        feed_handles = {self._handle(name).output: array for name, array in feeds.items()}
        fetch_handles = [self._handle(name) for name in fetches]
        options = None
        if timeout_ms is not None:
            serialized = tf.compat.v1.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
            options = pywrap_tf_session.TF_NewBufferFromString(serialized)
        try:
            fetched = self._session._call_tf_sessionrun(
                options, feed_handles, [handle.output for handle in fetch_handles], [], None
            )
        except tf.errors.OpError as error:
            raise status_of(error) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        return [_array(value, handle.dtype) for value, handle in zip(fetched, fetch_handles, strict=True)]

    def close(self) -> None:
        """Frees the session; a run still going is aborted with CANCELLED."""
        self._session.close()

    def _handle(self, name: str) -> _Handle:
        handle = self._handles.get(name)
        if handle is None:
            try:
                tensor = self._graph.get_tensor_by_name(name)
            except (KeyError, ValueError) as error:
                raise invalid_argument(
                    f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the Graph"
                ) from error
            handle = _Handle(tensor._as_tf_output(), np.dtype(tensor.dtype.as_numpy_dtype))
            self._handles[name] = handle
        return handle


class _Handle(NamedTuple):
    """A tensor of the graph."""

    output: Any
    """What the C++ session knows it by."""
    dtype: np.dtype[Any]


def _array(value: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A fetched value as an array of the tensor's dtype.

    Scalars come as numpy's scalars, a scalar string as bytes, and quantised types as plain integers.
    """
    if dtype.hasobject:
        return np.array(value, object) if isinstance(value, bytes) else np.asarray(value)
    return np.asarray(value).view(dtype)


def status_of(error: tf.errors.OpError) -> StatusError:
    """The gRPC status of a TensorFlow error: the numbers of the codes are the same."""
    return StatusError(_CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), error.message)


@contextlib.contextmanager
def _without_deprecation_notice() -> Iterator[None]:
    """Keeps TensorFlow from advising `tf.saved_model.load`: the old loader is TensorFlow Serving's path."""

    def keep(record: logging.LogRecord) -> bool:
        return "is deprecated" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
