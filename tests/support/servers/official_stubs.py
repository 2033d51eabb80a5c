"""Calls to a server through the stubs of the tensorflow-serving-api package: what others' clients use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

PREDICT = "/tensorflow.serving.PredictionService/Predict"
TIMEOUT = 240.0


class OfficialClient:
    """The official stubs over one channel."""

    def __init__(self, address: str) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(address, options=options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(
        self, spec: Any, inputs: Mapping[str, Any], *, timeout: float = TIMEOUT, **fields: Any
    ) -> Any:
        """The response of Predict; see `predict_request`."""
        return self.prediction.Predict(predict_request(spec, inputs, **fields), timeout=timeout)

    def metadata(self, spec: Any, *fields: str) -> Any:
        """The response of GetModelMetadata."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=model_spec(spec), metadata_field=fields
        )
        return self.prediction.GetModelMetadata(request, timeout=TIMEOUT)

    def status(self, spec: Any) -> Any:
        """The response of GetModelStatus."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec(spec))
        return self.models.GetModelStatus(request, timeout=TIMEOUT)

    def raw(self, method: str, message: bytes) -> bytes:
        """Sends bytes as they are."""
        call = self.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        return call(message, timeout=TIMEOUT)


@contextlib.contextmanager
def official_client(address: str) -> Iterator[OfficialClient]:
    """A client whose channel is closed on leaving."""
    client = OfficialClient(address)
    try:
        yield client
    finally:
        client.channel.close()


def model_spec(spec: Any) -> Any:
    """A ModelSpec from a name, from keyword arguments in a dict, or None for none."""
    if isinstance(spec, str):
        spec = {"name": spec}
    if isinstance(spec, dict):
        message = model_pb2.ModelSpec(**{name: value for name, value in spec.items() if name != "version"})
        if spec.get("version") is not None:
            message.version.value = spec["version"]
        return message
    return spec


def predict_request(spec: Any, inputs: Mapping[str, Any], *, output_filter: tuple[str, ...] = ()) -> Any:
    """A PredictRequest; an input is a TensorProto, or anything that `tf.make_tensor_proto` takes."""
    request = predict_pb2.PredictRequest(model_spec=model_spec(spec), output_filter=output_filter)
    for alias, value in inputs.items():
        is_proto = hasattr(value, "tensor_shape")
        request.inputs[alias].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    return request


def outputs(response: Any) -> dict[str, Any]:
    """The outputs of a PredictResponse as arrays.

    TensorFlow's kernel reads them, since `tf.make_ndarray` cannot read strings from `tensor_content`.
    """
    return {alias: _array(proto) for alias, proto in response.outputs.items()}


def _array(proto: Any) -> Any:
    dtype = tf.as_dtype(proto.dtype)
    return np.asarray(tf.io.parse_tensor(proto.SerializeToString(), dtype).numpy(), dtype.as_numpy_dtype)
