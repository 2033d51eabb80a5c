"""The steps of a job, written once for both clients: generators that yield what to do next and receive its result.

Steps do no I/O. They yield a Call and receive the parsed answer (or have the CallError thrown in); they yield
PatienceWanted and receive how long the job may wait for its server; they yield a Progress for the
caller's callbacks, a Pause to wait, or a Snapshot to keep, and receive None. A sync driver carries them out with
blocking calls, an async one with awaits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

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


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds before the next step."""

    seconds: float


@dataclass(frozen=True, eq=False)
class Snapshot:
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
Step: TypeAlias = Call[Any] | Progress | Pause | Snapshot | PatienceWanted
Steps: TypeAlias = Generator[Step, Any, ResultT]
