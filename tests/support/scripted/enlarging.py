"""Upscalers that repeat each pixel: quick, and they show each one that is not where it belongs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from scripted.client_servers import Answer, prediction

ENOUGH = 240.0
"""Seconds within which a busy machine does what it does."""


TOLD: Mapping[str, Any] = {
    "factors": (2,),
    "reach": 5,
    "overlap": 5,
    "tile": 512,
    "minimum_side": 1,
    "maximum_pixels": 1 << 24,
    "network": "repeating",
    "weights": "none",
}
"""What an upscaler tells of itself unless a test says otherwise."""


def description(version: int = 0, **told: Any) -> bytes:
    """The answer of an upscaler's describe, with some things told otherwise; None leaves one out."""
    values = {name: value for name, value in {**TOLD, **told}.items() if value is not None}
    arrays = {
        name: np.array([value.encode()], object) if isinstance(value, str) else np.array([value], np.int32)
        for name, value in values.items()
    }
    return by_version(prediction(**arrays), version)


def by_version(answer: bytes, version: int) -> bytes:
    """A PredictResponse as a version of a model gives it; 0 leaves it out."""
    response = predict_pb2.PredictResponse.FromString(answer)
    if version:
        response.model_spec.version.value = version
    named: bytes = response.SerializeToString()
    return named


def describing(answer: Answer, **told: Any) -> Answer:
    """Answers as an upscaler that tells this of itself, and all other calls as `answer` does."""

    def described(request: bytes, context: grpc.ServicerContext) -> bytes:
        return description(**told) if asks_what_it_is(request) else answer(request, context)

    return described


def asks_what_it_is(request: bytes) -> bool:
    """True of the bytes of a request for the signature describe."""
    # A request for metadata or status reads as one without inputs, and without a signature's name.
    called: str = predict_pb2.PredictRequest.FromString(request).model_spec.signature_name
    return called == "describe"


def repeated(pictures: NDArray[np.uint8], factor: int = 2) -> NDArray[np.uint8]:
    """The pictures [B, H, W, C] with each pixel four times, or as a factor says."""
    return pictures.repeat(factor, 1).repeat(factor, 2)


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
        told: what they tell of themselves; the calls that ask for it are not counted with the others.
        described: how many of those there were.
        sizes: height and width of what each call sends, and its factor.
        most: the most calls that were under way at once.
        answered: the numbers of the calls that were answered, in that order.
    """

    act: Callable[[int, grpc.ServicerContext], None] = lambda number, context: None
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    described: int = 0
    sizes: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    begun: int = 0
    now: int = 0
    most: int = 0
    answered: list[int] = field(default_factory=list[int])
    changes: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if asks_what_it_is(request):
            with self.changes:
                self.described += 1
            return description(**{"version": 1, **self.told})
        call = predict_pb2.PredictRequest.FromString(request)
        pictures = picture_of(call)
        signature = call.model_spec.signature_name
        first = self.told.get("factors", TOLD["factors"])[0]
        factor = int(signature[1:]) if signature.startswith("x") else first
        with self.changes:
            self.sizes.append((pictures.shape[1], pictures.shape[2], factor))
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
        return by_version(prediction(image=repeated(pictures, factor)), self.told.get("version", 1))

    def until(self, met: Callable[[], bool]) -> None:
        """Wait until what is counted meets this."""
        with self.changes:
            assert self.changes.wait_for(met, ENOUGH)

    def hang(self, context: grpc.ServicerContext) -> None:
        """Answer nothing until the caller has left."""
        gone = threading.Event()
        if context.add_callback(gone.set):
            assert gone.wait(ENOUGH)
