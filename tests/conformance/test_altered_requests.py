"""Thousands of requests, valid and altered by a seed: both servers answer each alike, or as the table says."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable

import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc import StatusCode
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from both_servers.conformance import Pair, tidy
from both_servers.differences import DIFFERENCES, UNKNOWN_FIELDS
from floods.flood import Outcome, send_all
from floods.mutations import altered, damaged
from floods.valid_requests import METADATA, toy_requests
from servers.model_servers import needs_real
from servers.official_stubs import PREDICT

pytestmark = needs_real

SEED = 22
COUNT = 2500

DEADLY = {tf.resource.as_datatype_enum, tf.resource.as_datatype_enum + 100}
"""Dtypes that end the real server: the case "tensor: DT_RESOURCE"."""


MOST = 2**26
"""Elements of a tensor; more can end the real server: the case "tensor: more elements than there is memory"."""


def parsed(data: bytes) -> predict_pb2.PredictRequest | None:
    try:
        return predict_pb2.PredictRequest.FromString(data)
    except DecodeError:
        return None


def requests() -> list[tuple[str, bytes]]:
    """The valid ones, and altered and damaged ones."""
    valid = toy_requests()
    sound = [(request.method, request.data) for request in valid]
    others = [data for _, data in sound]
    rng = random.Random(SEED)
    made = list(sound)
    for _ in range(COUNT):
        chosen = rng.choice(valid)
        if rng.random() < 0.75:
            data = altered(chosen.message, rng).SerializeToString(deterministic=True)
        else:
            data = damaged(chosen.data, rng, others=others)
        made.append((chosen.method, data))
    return [(method, data) for method, data in made if method != PREDICT or not is_deadly(data)]


def is_deadly(data: bytes) -> bool:
    request = parsed(data)
    if request is None:
        return False
    return any(
        tensor.dtype in DEADLY or math.prod(dim.size for dim in tensor.tensor_shape.dim) > MOST
        for tensor in request.inputs.values()
    )


def same_answer(one: Outcome, other: Outcome) -> bool:
    """Whether both are the same message; a map's entries come in any order."""
    if one.answer is None or other.answer is None or one.answer == other.answer:
        return one.answer == other.answer
    if one.method == PREDICT:
        return bool(
            predict_pb2.PredictResponse.FromString(one.answer)
            == predict_pb2.PredictResponse.FromString(other.answer)
        )
    if one.method == METADATA:
        return signatures(one.answer) == signatures(other.answer)
    return False


def signatures(answer: bytes) -> object:
    response = get_model_metadata_pb2.GetModelMetadataResponse.FromString(answer)
    found = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(found)
    return response.model_spec, found


def text(outcome: Outcome) -> str:
    """Status and words, but not what a cut leaves of the last character, nor which of several inputs is named."""
    words = outcome.details.removesuffix("...TRUNCATED").rstrip("\ufffd")
    request = parsed(outcome.sent)
    if request is not None and len(request.inputs) > 1:
        words = re.sub(r"^tensor parsing error: \w+$", "tensor parsing error: one of several", words)
    return tidy(f"{outcome.code.name} {words}")


def ranks(outcome: Outcome) -> int:
    request = parsed(outcome.sent)
    return max((len(t.tensor_shape.dim) for t in request.inputs.values()), default=0) if request else 0


def of_a_rank_beyond_numpy(real: Outcome, local: Outcome) -> bool:
    return ranks(local) > 64 and "tensor parsing error" in local.details


def of_an_odd_dtype(real: Outcome, local: Outcome) -> bool:
    return "tensor parsing error" in local.details and bool(
        re.match(r"Expects arg\[\d+\] to be", real.details)
    )


def of_an_entry_with_unknown_fields(real: Outcome, local: Outcome) -> bool:
    """C++ keeps such an entry of a map, Python's parser of messages does not."""
    request = parsed(local.sent)
    inputs = predict_pb2.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].number
    if request is None:
        return False
    fields = UnknownFieldSet(request)
    return any(fields[at].field_number == inputs for at in range(len(fields)))


CLASSES: dict[str, Callable[[Outcome, Outcome], bool]] = {
    "tensor: rank 70": of_a_rank_beyond_numpy,
    "tensor: a variant": of_an_odd_dtype,
    UNKNOWN_FIELDS: of_an_entry_with_unknown_fields,
}
"""The differences that may be met, by the case in the table."""


def test_both_servers_answer_altered_requests_alike(pair: Pair) -> None:
    made = requests()
    assert len(made) > COUNT * 0.9
    real = send_all(pair.real.channel, made, in_flight=8, timeout=240)
    local = send_all(pair.local.channel, made, in_flight=8, timeout=240)
    differing = [
        (one, other)
        for one, other in zip(real, local, strict=True)
        if text(one) != text(other) or not same_answer(one, other)
    ]
    named = [next((name for name, fits in CLASSES.items() if fits(*both)), None) for both in differing]
    unnamed = [both for both, name in zip(differing, named, strict=True) if name is None]
    assert not unnamed, "\n".join(
        f"{one.method} {one.sent!r}\n   real: {text(one)}\n  local: {text(other)}"
        for one, other in unnamed[:20]
    )
    assert {name for name in named if name and name.startswith("altered")} == {UNKNOWN_FIELDS}
    answered = sum(outcome.code is StatusCode.OK for outcome in real)
    assert 0.2 < answered / len(real) < 0.9


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_differences_is_in_the_table(name: str) -> None:
    assert name in {row.case for row in DIFFERENCES}
