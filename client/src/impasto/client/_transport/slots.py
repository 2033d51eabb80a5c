"""The calls that a client has under way at once: as many as the setting allows and the server takes."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Final, Generic, Protocol, TypeVar

from impasto.client._threads import wait_until
from impasto.client._transport import forks
from impasto.client._transport.calls import Stop
from impasto.client.errors import ServerOverloaded

_GROWTH: Final = 0.1


class _Waiter(Protocol):
    """Somebody who waits for a turn."""

    def come(self) -> bool:
        """The turn has come. Returns False if it is not waited for any more."""
        ...


WaiterT = TypeVar("WaiterT", bound=_Waiter)


class _Turns(Generic[WaiterT]):
    """The queue of the calls of jobs, which can wait: first come, first served.

    There is no limit until one of them is refused by an overloaded server, which lowers it to the number of those that
    were under way beside it; answers raise it again, slowly, for other clients may have left. By trying their luck in
    turns with those who never pause, the refused would wait for ever: they queue again at the end.
    """

    def __init__(self) -> None:
        self.limit = math.inf
        self._taken = 0
        self._queue: deque[WaiterT] = deque()

    def enter(self, waiter: WaiterT) -> None:
        """Queue; the waiter's turn may come at once."""
        self._queue.append(waiter)
        self._let_in()

    def refused(self) -> None:
        """The server refused a call that had its turn."""
        self.limit = min(self.limit, max(1, self._taken - 1))

    def answered(self) -> None:
        """The server answered a call that had its turn."""
        self.limit += _GROWTH / self.limit

    def leave(self) -> None:
        """A turn is over."""
        self._taken -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and self._taken + 1 <= self.limit:
            if self._queue.popleft().come():
                self._taken += 1


class _Future(asyncio.Future[None]):
    """A turn that a task awaits."""

    def come(self) -> bool:
        if self.done():  # whoever is cancelled does not wait any more
            return False
        self.set_result(None)
        return True


class Slots:
    """Room for the calls of an asynchronous client; those beyond it queue, first come, first served.

    No call goes beyond `most`. The calls of jobs also keep to what the server has shown to take.

    Args:
        most: how many calls may be under way at once, the setting `max_in_flight`.
    """

    def __init__(self, most: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._turns: _Turns[_Future] = _Turns()

    @property
    def limit(self) -> float:
        """The whole part of it is how many calls of jobs may be under way; infinite until one is refused."""
        return self._turns.limit

    @asynccontextmanager
    async def taken(self, *, patient: bool) -> AsyncGenerator[None, None]:
        """Wait for a slot, and hold it for one call.

        Args:
            patient: whether the call is a job's: it keeps to what the server takes, and its outcome tells what that is.
        """
        if not patient:
            async with self._all:
                yield
            return
        await self._enter()
        try:
            async with self._all:
                yield
        except ServerOverloaded:
            self._turns.refused()
            raise
        else:
            self._turns.answered()
        finally:
            self._turns.leave()

    async def _enter(self) -> None:
        turn = _Future(loop=asyncio.get_running_loop())
        self._turns.enter(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come just then
                self._turns.leave()
            raise


class _Event(threading.Event):
    """A turn that a thread waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.has_come = False
        self.is_given_up = False

    def come(self) -> bool:
        if self.is_given_up:
            return False
        self.has_come = True
        self.set()
        return True


class ThreadSlots:
    """Room for the calls of jobs of a blocking client, each of which has a thread: what the server has shown to take.

    Nothing else limits them: whoever has threads decides on their number.

    Attributes:
        process: what they belong to.
    """

    def __init__(self) -> None:
        self.process = forks.process()
        self._turns: _Turns[_Event] = _Turns()
        self._lock = forks.Lock()

    @contextmanager
    def taken(self, stop: Stop | None) -> Generator[None]:
        """Wait for a slot, and hold it for one call of a job.

        Raises:
            CancelledError: it was stopped meanwhile.
        """
        self._enter(stop)
        try:
            yield
        except ServerOverloaded:
            with self._lock:
                self._turns.refused()
            raise
        else:
            with self._lock:
                self._turns.answered()
        finally:
            with self._lock:
                self._turns.leave()

    def _enter(self, stop: Stop | None) -> None:
        turn = _Event()
        with self._lock:
            self._turns.enter(turn)
        try:
            with nullcontext() if stop is None else stop.reaching(turn.set):
                wait_until(turn.wait)
        except BaseException:
            with self._lock:
                turn.is_given_up = True
                if turn.has_come:
                    self._turns.leave()
            raise
