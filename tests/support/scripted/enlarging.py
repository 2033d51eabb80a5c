"""An upscaler that repeats each pixel: quick, and it shows each one that is not where it belongs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from scripted.client_servers import prediction

ENOUGH = 240.0
"""Seconds within which a busy machine does what it does."""


def repeated(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures [B, H, W, C] with each pixel four times."""
    return pictures.repeat(2, 1).repeat(2, 2)


def picture_of(request: predict_pb2.PredictRequest) -> NDArray[np.uint8]:
    """The pictures [B, H, W, C] that a request carries as tensor_content."""
    tensor = request.inputs["image"]
    return np.frombuffer(tensor.tensor_content, np.uint8).reshape(
        [dim.size for dim in tensor.tensor_shape.dim]
    )


@dataclass
class Enlarging:
    """The replicas of an upscaler that repeats each pixel, all of which count in one place.

    Attributes:
        act: called with the number of each call, from 0, and its context, before it is answered.
        most: the most calls that were under way at once.
        answered: the numbers of the calls that were answered, in that order.
    """

    act: Callable[[int, grpc.ServicerContext], None] = lambda number, context: None
    begun: int = 0
    now: int = 0
    most: int = 0
    answered: list[int] = field(default_factory=list[int])
    changes: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        pictures = picture_of(predict_pb2.PredictRequest.FromString(request))
        with self.changes:
            number = self.begun
            self.begun += 1
            self.now += 1
            self.most = max(self.most, self.now)
            self.changes.notify_all()
        try:
            self.act(number, context)
        finally:
            with self.changes:
                self.now -= 1
                self.answered.append(number)
                self.changes.notify_all()
        response = predict_pb2.PredictResponse.FromString(prediction(image=repeated(pictures)))
        response.model_spec.version.value = 1
        answer: bytes = response.SerializeToString()
        return answer

    def until(self, met: Callable[[], bool]) -> None:
        """Wait until what is counted meets this."""
        with self.changes:
            assert self.changes.wait_for(met, ENOUGH)

    def hang(self, context: grpc.ServicerContext) -> None:
        """Answer nothing until the caller has left."""
        gone = threading.Event()
        if context.add_callback(gone.set):
            assert gone.wait(ENOUGH)
