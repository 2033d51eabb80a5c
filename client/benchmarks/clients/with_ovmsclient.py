"""ovmsclient's part of the comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
from ovmsclient.tfs_compat.grpc.requests import make_predict_request
from ovmsclient.tfs_compat.grpc.tensors import make_ndarray
from ovmsclient.tfs_compat.protos.tensorflow_serving.apis import predict_pb2
from worker import as_it_is, work


def parse(payload: bytes) -> Any:
    """The output's TensorProto."""
    return predict_pb2.PredictResponse.FromString(payload).outputs["x"]


def decode(payload: bytes) -> Any:
    """From the response's bytes to the array."""
    return make_ndarray(parse(payload))


def decode_and_own(payload: bytes) -> Any:
    """The same, to an array that can be changed and whose elements are aligned."""
    return np.require(decode(payload), requirements="AW")


def pack(array: Any) -> Any:
    """From the array to the request's bytes."""
    return make_predict_request({"x": array}, "m").raw_request.SerializeToString()


if __name__ == "__main__":
    work(
        {
            "decode": (as_it_is, decode),
            "decode and own": (as_it_is, decode_and_own),
            "decode parsed": (parse, make_ndarray),
            "pack": (as_it_is, pack),
        }
    )
