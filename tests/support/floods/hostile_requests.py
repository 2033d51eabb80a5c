"""Thousands of mutated requests to each method of the local server, a process of its own with toy models.

    python -m floods.hostile_requests REQUESTS SEED

Whatever a client sends, the call ends with a status: OK, or one of those that TensorFlow Serving gives, with a text
that is short and holds nothing of Python's. The process lives, stays small, and answers a good request. What else
happens is a fault; the report is that of `hostile_answers`.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from floods.flood import Outcome, send_all
from floods.mutations import altered, damaged
from floods.valid_requests import (
    METADATA,
    RELOAD,
    STATUS,
    TOYS,
    of_every_rank,
    reload_request,
    toy_requests,
    write_every_model,
)
from processes.watched_process import usage
from servers.model_servers import server_process
from servers.official_stubs import PREDICT, OfficialClient, official_client, outputs

MEMORY: Final = 3 << 30
"""Bytes of the server's peak; with its toys it takes a third of it."""

_SERVICE: Final = "/tensorflow.serving.PredictionService/"
_CHECK: Final = "/grpc.health.v1.Health/Check"
_UNPARSABLE: Final = {_CHECK: StatusCode.INVALID_ARGUMENT}
_LONGEST_TEXT: Final = 1024 + len("...TRUNCATED")
_IN_FLIGHT: Final = 16
_AT_ONCE: Final = 100

_UNIMPLEMENTED: Final = frozenset({StatusCode.UNIMPLEMENTED})
_REFUSED: Final = frozenset({StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND})
_STATUSES: Final[Mapping[str, frozenset[StatusCode]]] = {
    PREDICT: _REFUSED
    | {StatusCode.FAILED_PRECONDITION, StatusCode.UNIMPLEMENTED, StatusCode.DEADLINE_EXCEEDED},
    METADATA: _REFUSED,
    STATUS: _REFUSED,
    RELOAD: _REFUSED
    | {StatusCode.FAILED_PRECONDITION, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED},
    **{f"{_SERVICE}{name}": _UNIMPLEMENTED for name in ("Classify", "Regress", "MultiInference", "Nothing")},
    _CHECK: frozenset({StatusCode.OK, StatusCode.NOT_FOUND}),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _UNIMPLEMENTED,
}
"""What each method answers to messages that parse."""


def honest_requests(root: Path) -> dict[str, list[Message]]:
    """Good requests by method; for a method that is not there, those of its official type."""
    requests: dict[str, list[Message]] = {method: [] for method in _STATUSES}
    for request in toy_requests():
        requests[request.method].append(request.message)
    requests[RELOAD] = [reload_request(root, *TOYS)]
    examples: tuple[tuple[str, Any], ...] = (
        ("Classify", classification_pb2.ClassificationRequest()),
        ("Regress", regression_pb2.RegressionRequest()),
    )
    for name, message in examples:
        message.model_spec.name = "half"
        message.input.example_list.examples.add().features.feature["x"].float_list.value.append(1)
        requests[f"{_SERVICE}{name}"] = [message]
    several = inference_pb2.MultiInferenceRequest()
    several.tasks.add(method_name="tensorflow/serving/classify").model_spec.name = "half"
    requests[f"{_SERVICE}MultiInference"] = [several]
    for method in _STATUSES:
        requests[method] = requests[method] or [health_pb2.HealthCheckRequest(service="ModelService")]
    return requests


def mutated(honest: Sequence[Message], rng: random.Random) -> bytes:
    """A good request made hostile."""
    message, others = rng.choice(honest), [other.SerializeToString() for other in honest[:20]]
    choice = rng.random()
    if choice < 0.35:
        return damaged(message.SerializeToString(deterministic=True), rng, others=others)
    if choice < 0.45 and getattr(message, "inputs", None):
        changed: bytes = rng.choice(of_every_rank(message)).SerializeToString(deterministic=True)
        return changed
    return altered(message, rng).SerializeToString(deterministic=True)


def fault(outcome: Outcome, kind: type[Message]) -> str | None:
    """What is wrong with the end of a call; None if nothing is."""
    allowed = _STATUSES[outcome.method]
    try:
        kind.FromString(outcome.sent)
    except DecodeError:
        allowed |= {_UNPARSABLE.get(outcome.method, StatusCode.INTERNAL)}
    text = outcome.details
    is_told = outcome.code is StatusCode.OK or outcome.code is StatusCode.INTERNAL or text
    if outcome.code not in allowed or not is_told or len(text) > _LONGEST_TEXT:
        return f"{outcome.method}: {outcome.code.name} {text[:300]!r} to {outcome.sent[:200]!r}"
    if any(word in text for word in ("Traceback", "Exception", "object at 0x")):
        return f"{outcome.method}: {text[:300]!r}"
    return None


def main(requests: int, seed: int) -> None:
    """Run the flood and print the report."""
    # gRPC's client says there that a text was cut inside of a character.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    rng, outcomes, faults = random.Random(seed), Counter[str](), list[str]()
    rows: list[tuple[str, int, float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        root, log = write_every_model(Path(folder, "models")), Path(folder, "log")
        with (
            server_process(root, "-v", log=log, grpc_max_threads=2 * _IN_FLIGHT) as server,
            official_client(server.address) as client,
        ):
            for method, honest in honest_requests(root).items():
                started, before = time.monotonic(), len(faults)
                for done in range(0, requests, _AT_ONCE):
                    batch = [(method, mutated(honest, rng)) for _ in range(min(_AT_ONCE, requests - done))]
                    timeout = 0.5 if method == RELOAD else 20.0
                    for outcome in send_all(client.channel, batch, in_flight=_IN_FLIGHT, timeout=timeout):
                        outcomes[outcome.code.name] += 1
                        faults += filter(None, [fault(outcome, type(honest[0]))])
                if method == RELOAD:
                    _restore(client, honest[0])
                faults += _unsound(client)
                rows.append((method, requests, round(time.monotonic() - started, 1), len(faults) - before))
            megabytes = usage(server.pid).peak >> 20
        if "Traceback" in log.read_text():
            faults.append(f"the log: {log.read_text()[-3000:]}")
    if megabytes > MEMORY >> 20:
        faults.append(f"the server took {megabytes} MiB")
    json.dump({"rows": rows, "megabytes": megabytes, "outcomes": outcomes, "faults": faults[:20]}, sys.stdout)


def _restore(client: OfficialClient, every: Message) -> None:
    """Put the toys in force again, once what hangs from before has been given up."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        (outcome,) = send_all(client.channel, [(RELOAD, every.SerializeToString())], in_flight=1, timeout=60)
        versions = client.status("half").model_version_status if outcome.code is StatusCode.OK else ()
        if any(version.state == version.AVAILABLE for version in versions):
            return
        time.sleep(0.1)


def _unsound(client: OfficialClient) -> list[str]:
    """What a good request finds wrong."""
    try:
        answer = client.predict("half", {"x": np.array([1, 2], np.float32)}, timeout=60)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        return [f"a good request failed: {error!r}"]
    found = outputs(answer)["y"].tolist()
    return [] if found == [2.5, 3.0] else [f"a good request was answered {found}"]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
