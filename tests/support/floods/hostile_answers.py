"""Thousands of mutated answers to each method of a client, through a real server, in a process of limited memory.

    python -m floods.hostile_answers KIND ANSWERS SEED METHODS...

KIND is sync or async. Whatever a server answers, a method returns its result or raises an ImpastoError, whose text is
safe to show, within some seconds. What else happens is reported as a fault; the report is JSON on standard output, with
a row for each method: its name, the answers, the seconds, and the faults.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from floods.honest_answers import METHODS, Method
from floods.mutations import altered, damaged
from impasto.client import AsyncClient, Client, ImpastoError, Retries, Settings
from impasto.client._jobs import readiness
from impasto.client._wire.format import delimited, varint
from scripted.client_servers import ScriptedServer, scripted

MEMORY: Final = 1536 << 20
"""Bytes that the answers may take beside what the programs do."""

DEADLINE: Final = 20.0
"""Seconds for a method. The answers are of a few kilobytes: this is for what hangs."""

_LONGEST_MESSAGE: Final = 5000
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
UNSAFE_BUT_LINES: Final = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_WORDS: Final = (
    b"\x1b]0;owned\x07\x1b[2J",
    "\u202egnp.exe".encode(),
    b"a\r\nimpasto: done",
    b"\xff\xfe",
    b"",
    b"x" * 70_000,
    b"\0",
)
_SIZES: Final = (0, 1, 2, 3, 1000, 2**15, 2**20, 2**28, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -1, -(2**63))
_DTYPES: Final = (0, 1, 2, 3, 4, 7, 9, 10, 14, 19, 20, 21, 24, 29, 101, 999, -1)


_TRAILERS: Final = (
    (("x-odd", "a" * 7000),),
    (("grpc-status-details-bin", b"\xff" * 100),),
    (("x-odd-bin", bytes(range(256))), ("retry-after", "99999")),
    tuple((f"x-{number}", "") for number in range(100)),
)

# After UNAVAILABLE the client asks the replicas why, which takes seconds.
_STATUSES: Final = tuple(code for code in grpc.StatusCode if code.name not in ("OK", "UNAVAILABLE"))
_SETTINGS: Final = Settings(patience=0.0, retries=Retries(attempts=1))


class Hang(BaseException):
    """A method took longer than the deadline. No Exception: nothing on the way may take it for one."""


def mutated(honest: Message, others: list[bytes], rng: random.Random) -> bytes:
    """An honest answer made hostile."""
    choice = rng.random()
    if choice < 0.04:
        return _crowded(honest.SerializeToString(), rng)
    if choice < 0.3:
        return damaged(honest.SerializeToString(), rng, others=others)
    if choice < 0.4:
        return damaged(altered(honest, rng).SerializeToString(), rng, others=others)
    if choice < 0.5:
        return altered(honest, rng).SerializeToString()
    message = type(honest)()
    message.CopyFrom(honest)
    _lie(message, rng)
    return message.SerializeToString()


def _crowded(honest: bytes, rng: random.Random) -> bytes:
    """The answer among fields that protobuf takes and nobody sends."""
    count = rng.choice((1, 101, 3000))
    crowd = rng.choice(
        (
            b"\x78\x00" * count,  # unknown numbers
            b"\x7b" * count + b"\x7c" * count,  # groups in one another
            b"\x7b\x7c" * count,
            b"\x0a\x00" * count,  # entries of a map without key and value
            b"\x12\x00" * count,
            delimited(1, delimited(1, b"image") + delimited(2, b"\x08\x01") * count),
            delimited(1, delimited(1, b"image") * count),
            varint(15 << 3 | 2) + b"\xff" * 9 + b"\x01",  # a length of 2**64 - 1
            honest * rng.choice((1, 2, 30)),
        )
    )
    return honest + crowd if rng.random() < 0.5 else crowd + honest


def _lie(message: Any, rng: random.Random) -> None:
    if isinstance(message, get_model_metadata_pb2.GetModelMetadataResponse):
        signatures = get_model_metadata_pb2.SignatureDefMap()
        message.metadata["signature_def"].Unpack(signatures)
        if rng.random() < 0.6:
            _spoil(rng.choice(list(_tensors(signatures))), rng)
        else:
            signatures = altered(signatures, rng)
        message.metadata["signature_def"].Pack(signatures)
    elif isinstance(message, predict_pb2.PredictResponse):
        for _ in range(rng.choice((1, 1, 2))):
            _spoil(message.outputs[rng.choice(sorted(message.outputs))], rng)
        if rng.random() < 0.2:
            message.outputs["\x1b[31m\u202e"].CopyFrom(message.outputs[rng.choice(sorted(message.outputs))])
    else:
        count = rng.choice((1, 2, 300))
        for _ in range(count):
            version = message.model_version_status.add(
                version=rng.choice(_SIZES), state=rng.choice((0, 20, 50, 7))
            )
            version.status.error_message = rng.choice(_WORDS).decode(errors="replace")[: 100_000 // count]
        if rng.random() < 0.5:
            del message.model_version_status[:2]


def _tensors(signatures: Any) -> Iterator[Any]:
    for signature in signatures.signature_def.values():
        yield from signature.inputs.values()
        yield from signature.outputs.values()
        yield from signature.defaults.values()


def _spoil(tensor: Any, rng: random.Random) -> None:
    """Make one thing of a tensor (or TensorInfo) what an honest server would not."""
    rng.choice([spoil for spoil, applies in _SPOILS if applies(tensor)])(tensor, rng)


def _dtype(tensor: Any, rng: random.Random) -> None:
    tensor.dtype = rng.choice(_DTYPES)


def _rank(tensor: Any, rng: random.Random) -> None:
    tensor.tensor_shape.ClearField("dim")
    sizes = (rng.choice(_SIZES),) if rng.random() < 0.5 else _SIZES
    for _ in range(rng.choice((0, 1, 2, 3, 4, 33, 65, 254, 255, 3000))):
        tensor.tensor_shape.dim.add(size=rng.choice(sizes))


def _size(tensor: Any, rng: random.Random) -> None:
    rng.choice(tensor.tensor_shape.dim).size = rng.choice(_SIZES)


def _unknown_rank(tensor: Any, rng: random.Random) -> None:
    tensor.tensor_shape.unknown_rank = True


def _repeated(tensor: Any, rng: random.Random) -> None:
    """One value stands for all."""
    tensor.ClearField("tensor_content")
    tensor.ClearField("string_val")
    tensor.float_val.append(rng.choice((float("nan"), float("inf"), -1e38, 0.0)))
    tensor.int_val.append(rng.choice((-1, 0, 300, 2**31 - 1)))
    tensor.string_val.append(rng.choice(_WORDS))


def _extreme(tensor: Any, rng: random.Random) -> None:
    unit = rng.choice(
        (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\xff\xff\xff\x7f", bytes(4), b"\xff" * 4)
    )
    length = len(tensor.tensor_content)
    tensor.tensor_content = (unit * (length // 4 + 1))[:length]


def _word(tensor: Any, rng: random.Random) -> None:
    tensor.string_val[rng.randrange(len(tensor.string_val))] = rng.choice(_WORDS)


def _number(tensor: Any, rng: random.Random) -> None:
    tensor.int_val[0] = rng.choice((0, -1, 1, 2, 2**31 - 1, -(2**31), 7))


_SPOILS: Final[tuple[tuple[Callable[[Any, random.Random], None], Callable[[Any], bool]], ...]] = (
    (_dtype, lambda tensor: True),
    (_rank, lambda tensor: True),
    (_size, lambda tensor: bool(tensor.tensor_shape.dim)),
    (_unknown_rank, lambda tensor: True),
    (_repeated, lambda tensor: hasattr(tensor, "tensor_content")),
    *2 * ((_extreme, lambda tensor: bool(getattr(tensor, "tensor_content", b""))),),
    *2 * ((_word, lambda tensor: bool(getattr(tensor, "string_val", ()))),),
    *3 * ((_number, lambda tensor: bool(getattr(tensor, "int_val", ()))),),
)
"""What can be spoilt of a tensor, and whether it has it."""


class Liar:
    """A server that answers all calls of a method honestly but one or two; now and then with a status of its choice.

    Args:
        rng: decides.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._answers: list[bytes | grpc.StatusCode] = []
        self._calls = 0

    def prepare(self, method: Method, *, honest: bool = False) -> None:
        """Be ready for the next call of a method."""
        self._answers = [answer.SerializeToString() for answer in method.answers]
        self._calls = 0
        others = [answer for answer in self._answers if isinstance(answer, bytes)]
        for _ in range(0 if honest else self._rng.choice((1, 1, 2))):
            place = self._rng.randrange(len(self._answers))
            fails = self._rng.random() < 0.04
            self._answers[place] = (
                self._rng.choice(_STATUSES) if fails else mutated(method.answers[place], others, self._rng)
            )

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        answer = self._answers[min(self._calls, len(self._answers) - 1)]
        self._calls += 1
        if self._rng.random() < 0.02:
            context.set_compression(self._rng.choice((grpc.Compression.Gzip, grpc.Compression.Deflate)))
        if self._rng.random() < 0.02:
            context.set_trailing_metadata(self._rng.choice(_TRAILERS))
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, self._rng.choice(_WORDS)[:2000].decode(errors="replace"))
            raise AssertionError("abort raises")
        return answer


class Judge:
    """Counts what became of the calls, and keeps what must not happen."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []

    @contextmanager
    def watch(self, method: str) -> Iterator[None]:
        """Judge how the block ends."""
        started = time.monotonic()
        try:
            yield
        except ImpastoError as error:
            self.outcomes[type(error).__name__] += 1
            text = str(error)
            if _UNSAFE.search(text) or len(text) > _LONGEST_MESSAGE:
                self.faults.append(f"{method}: {len(text)} characters, or unsafe ones: {text[:500]!r}")
        except (Hang, Exception):  # noqa: BLE001 - whatever else happens is reported
            self.faults.append(f"{method}: {traceback.format_exc()[-3000:]}")
        else:
            self.outcomes["result"] += 1
        if time.monotonic() - started > DEADLINE:
            self.faults.append(f"{method}: took {time.monotonic() - started:.0f} s")


def main(kind: str, answers: int, seed: int, names: list[str]) -> None:
    """Run the flood and print the report."""
    warnings.simplefilter("error")
    readiness._POLL_SECONDS = 0.002  # type: ignore[misc] # or most of the time goes by between two looks
    rng, judge = random.Random(seed), Judge()
    before = limit_memory()
    run = _sync if kind == "sync" else _async
    rows: list[tuple[str, int, float, int]] = []
    for name in names:
        # A server for each method: a call that was given up may still arrive, and would take another's answer.
        liar, started, faults = Liar(rng), time.monotonic(), len(judge.faults)
        with scripted(liar) as server:
            run(server, liar, judge, [name], answers)
        rows.append((name, answers, round(time.monotonic() - started, 1), len(judge.faults) - faults))
    report = {
        "rows": rows,
        "answers": answers * len(names),
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10,
        "outcomes": judge.outcomes,
        "faults": judge.faults[:20],
    }
    json.dump(report, sys.stdout)


@contextmanager
def alarm() -> Iterator[None]:
    """Raise Hang in the block once it has taken longer than the deadline."""

    def hang(signum: int, frame: FrameType | None) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _sync(server: ScriptedServer, liar: Liar, judge: Judge, names: list[str], answers: int) -> None:
    with Client(server.address, settings=_SETTINGS, timeout=DEADLINE) as client:
        for name, number in _turns(names, answers):
            liar.prepare(METHODS[name], honest=number == 0)
            with judge.watch(name), alarm():
                _check(name, METHODS[name].call(client), judge, honest=number == 0)


def _async(server: ScriptedServer, liar: Liar, judge: Judge, names: list[str], answers: int) -> None:
    async def run() -> None:
        async with AsyncClient(server.address, settings=_SETTINGS, timeout=DEADLINE) as client:
            for name, number in _turns(names, answers):
                liar.prepare(METHODS[name], honest=number == 0)
                with judge.watch(name):
                    found = await asyncio.wait_for(METHODS[name].call(client), DEADLINE)
                    _check(name, found, judge, honest=number == 0)

    asyncio.run(run())


def _turns(names: list[str], answers: int) -> Iterator[tuple[str, int]]:
    """Each method once with honest answers, and then so many times with others."""
    for name in names:
        for number in range(answers + 1):
            yield name, number


def _check(name: str, found: Any, judge: Judge, *, honest: bool) -> None:
    if honest and not METHODS[name].right(found):
        judge.faults.append(f"{name}: honest answers gave {found!r}")


def limit_memory() -> int:
    """Limit the address space to what is used now and `MEMORY`; returns the resident peak so far, in KiB."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] or list(METHODS))
