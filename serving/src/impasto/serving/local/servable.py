"""A loaded version: a SavedModel in TensorFlow's C++ session, run the way TensorFlow Serving runs it.

The model is loaded with `tf.compat.v1.saved_model.load`. It is run one layer below `Session.run`, through the method
that `Session.run` itself ends in, because `Session.run` does three things that TensorFlow Serving does not: it casts a
fed array to the placeholder's dtype, refuses shapes that differ from the placeholder's, and adds Python's stack trace
to error messages. Below that layer the checks and messages are the C++ session's own.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session

from impasto.serving.errors import StatusError, invalid_argument, not_found

SERVE_TAG: Final = "serve"

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class ServingSession:
    """A loaded SavedModel; calls may run at the same time.

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
        # Otherwise TensorFlow takes a GPU's whole memory at the first session.
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
            # A corrupt file may raise any exception.
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
        """Run the graph once.

        Args:
            feeds: arrays by the name of the tensor that takes them.
            fetches: the names of the wanted tensors; one may appear twice.
            timeout_ms: the milliseconds after which the run is aborted; None for no limit.

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

    def takes(self, name: str) -> Taken | None:
        """Return the dtype and the shape of the tensor that takes a feed; None if the graph has no such tensor."""
        try:
            tensor = self._graph.get_tensor_by_name(_with_index(name))
        except (KeyError, ValueError):
            return None
        return Taken(tensor.dtype.as_datatype_enum, tensor.shape)

    def close(self) -> None:
        """Free the session; a run that is still going is aborted with CANCELLED."""
        self._session.close()

    def _handle(self, name: str) -> _Handle:
        handle = self._handles.get(name)
        if handle is None:
            try:
                tensor = self._graph.get_tensor_by_name(_with_index(name))
            except (KeyError, ValueError) as error:
                raise invalid_argument(
                    f"Tensor {_with_index(name)}, specified in either feed_devices or fetch_devices was not found in "
                    "the Graph"
                ) from error
            handle = _Handle(tensor._as_tf_output(), _numpy_dtype(tensor.dtype))
            self._handles[name] = handle
        return handle


def _with_index(name: str) -> str:
    """Return a tensor's name with its index, which may be left out if it is 0."""
    return name if ":" in name else f"{name}:0"


class Taken(NamedTuple):
    """The tensors that a feed takes."""

    data_type: int
    """The dtype's number in a TensorProto."""
    shape: tf.TensorShape
    """Their shape, as far as the graph says it."""


class Servable:
    """A loaded version of a model: its signatures, and the session that runs them.

    Args:
        name: the model's name.
        version: its version.
        directory: the version's directory.

    Raises:
        StatusError: the SavedModel is missing or corrupt.
    """

    def __init__(self, *, name: str, version: int, directory: Path) -> None:
        self.name = name
        self.version = version
        self.directory = directory
        self._session = ServingSession(directory)
        self._calls = 0
        self._idle = threading.Condition()

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """Every SignatureDef of the model by its name."""
        signatures: Mapping[str, meta_graph_pb2.SignatureDef] = self._session.meta_graph.signature_def
        return signatures

    def run(
        self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str], *, timeout_ms: int | None = None
    ) -> list[NDArray[Any]]:
        """Run the graph once, as `ServingSession.run` describes."""
        return self._session.run(feeds, fetches, timeout_ms=timeout_ms)

    def takes(self, feed_name: str) -> Taken | None:
        """Return what a feed takes, as `ServingSession.takes` describes."""
        return self._session.takes(feed_name)

    def enter(self) -> None:
        """Count a call that is about to use this version, until `leave`."""
        with self._idle:
            self._calls += 1

    def leave(self) -> None:
        """Count a call that has its answer."""
        with self._idle:
            self._calls -= 1
            self._idle.notify_all()

    def drain(self) -> None:
        """Block until every call that entered has left; new calls must no longer find this version."""
        with self._idle:
            self._idle.wait_for(lambda: self._calls == 0)

    def close(self) -> None:
        """Free the session; a call that is still running is aborted with CANCELLED."""
        self._session.close()


class _Handle(NamedTuple):
    """A tensor of the graph."""

    output: Any
    """The C++ session's name for it."""
    dtype: np.dtype[Any]


def _numpy_dtype(dtype: tf.DType) -> np.dtype[Any]:
    try:
        return np.dtype(dtype.as_numpy_dtype)
    except KeyError:  # a variant, which can be named in a call and is refused by the session
        return np.dtype(object)


def _array(value: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a fetched value as an array of the tensor's dtype.

    TensorFlow gives scalars as numpy's scalars, a scalar string as bytes, and quantised types as plain integers.
    """
    if dtype.hasobject:
        return np.array(value, object) if isinstance(value, bytes) else np.asarray(value)
    return np.asarray(value).view(dtype)


def status_of(error: tf.errors.OpError) -> StatusError:
    """Return the gRPC status of a TensorFlow error: the numbers of the codes are the same."""
    return StatusError(_CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), error.message)


@contextlib.contextmanager
def _without_deprecation_notice() -> Iterator[None]:
    """Keep TensorFlow from advising `tf.saved_model.load`: TensorFlow Serving takes the old loader's path."""

    def keep(record: logging.LogRecord) -> bool:
        return "is deprecated" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
