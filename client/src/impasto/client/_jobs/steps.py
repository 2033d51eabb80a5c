"""The steps of a job, written once for both clients: generators that yield what to do next and receive its result.

Steps do no I/O. They yield a Call and receive the parsed answer (or have the CallError thrown in); they yield
PatienceWanted and receive how long the job may wait for its server; they yield a Progress for the
caller's callbacks, a Pause to wait, or a Snapshot to keep, and receive None. They yield a Together for the result of
the next of many strands, several of which are carried out at once, and a Learning for what the client's jobs are to
find out only once. A sync driver carries them out with blocking calls and threads, an async one with awaits and tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from numpy.typing import NDArray

from impasto.client._transport.calls import Call
from impasto.client._transport.patience import PatienceWanted


@dataclass(frozen=True)
class Progress:
    """The progress of a job: `done` of `total` steps, by a version of the model; 0 while it is not known.

    Its `note` says what is done otherwise than asked for, such as in smaller tiles because the server
    does not have the memory.
    """

    done: int
    total: int
    version: int = field(default=0, kw_only=True, compare=False)
    note: str = field(default="", kw_only=True, compare=False)


class Pause(NamedTuple):
    """Wait this many seconds before the next step."""

    seconds: float


class Snapshot(NamedTuple):
    """The state of a job, from which the same job can go on in another process.

    Attributes:
        job: what identifies the job: everything that its result depends on, as JSON values.
        position: how far it is, by names of its own.
        arrays: its state.
    """

    job: Mapping[str, Any]
    position: Mapping[str, int]
    arrays: Mapping[str, NDArray[Any]]


ResultT = TypeVar("ResultT")


class Together(Generic[ResultT]):
    """Carry out several strands at once, and receive the result of the next one, in their order; ENDED after the last.

        tiles = Together(one_tile(piece) for piece in pieces)
        while (tile := (yield tiles)) is not ENDED:
            ...

    The same Together is yielded again and again. Strands are taken from it as there is room, so that few of them have
    begun at any time, and few results wait. When one fails, the others are stopped, and its exception is thrown in
    after the results that were there before it.

    Args:
        strands: the steps of each. They yield only what calls need: a Call, a Pause or a PatienceWanted; and they touch
            nothing that another strand does, for each may be in a thread of its own.
    """

    def __init__(self, strands: Iterator[Steps[ResultT]]) -> None:
        self.strands = strands


class Learning(Generic[ResultT]):
    """Carry out steps while no other job of the client learns of the same model, and receive their result.

    Args:
        model: the model's name.
        steps: takes what the client's jobs have learnt of the model, a dict to read and to change, and returns the
            steps, which yield what calls need.
    """

    def __init__(self, model: str, steps: Callable[[dict[Any, Any]], Steps[ResultT]]) -> None:
        self.model = model
        self.steps = steps


class Ended:
    """The answer to a Together whose strands have all ended."""


ENDED: Final = Ended()

Step: TypeAlias = Call[Any] | Progress | Pause | Snapshot | PatienceWanted | Together[Any] | Learning[Any]
Steps: TypeAlias = Generator[Step, Any, ResultT]
