"""Many items at once: a bounded number under way, results in the items' order, one failure stopping no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from impasto.client.errors import ImpastoError
from impasto.client.settings import Settings
from impasto.client.settings.addresses import endpoints

CONCURRENCY: Final = 4
"""The number of items that are under way at once unless told otherwise.

It is enough to keep a server and the network busy while pictures are read and written, and few enough for the memory
of both.
"""

_OF_A_REPLICA: Final = 2

# Results that wait for an earlier one keep their places, so that a slow item does not let memory grow.
_PLACES: Final = 2

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
ItemT_co = TypeVar("ItemT_co", covariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Outcome(Generic[ItemT_co, ResultT_co]):
    """The outcome of one item of a map.

    Attributes:
        index: its place among the items, from 0.
        item: the item as it was given.
        error: the reason why it failed, an ImpastoError or an OSError; None if it did not.
    """

    index: int
    item: ItemT_co
    error: ImpastoError | OSError | None
    _result: ResultT_co | None

    @property
    def result(self) -> ResultT_co:
        """The result. Raises `error` if there is none."""
        if self.error is not None:
            raise self.error
        return cast(ResultT_co, self._result)


def at_once(settings: Settings) -> int:
    """Return the number of calls of one job that are under way at once, as far as the job has so many.

    A replica computes one while the other one is on its way. Of a name that stands for several replicas, their number
    is not known.
    """
    return min(max(CONCURRENCY, _OF_A_REPLICA * len(endpoints(settings.address))), settings.max_in_flight)


async def map_in_order(
    function: Callable[[ItemT], Awaitable[ResultT]], items: Iterable[ItemT], *, concurrency: int
) -> AsyncGenerator[Outcome[ItemT, ResultT], None]:
    """Await `function(item)` for each item and yield what became of it, in the items' order.

    Args:
        function: an ImpastoError or OSError that it raises is the item's own; any other exception ends all.
        items: taken as there is room: at most twice `concurrency` are ahead of what was yielded.
        concurrency: how many are awaited at once, at least 1.

    Raises:
        ValueError: `concurrency` is less than 1.
        Exception: what `items` or `function` raised, if it is not an item's own failure; what is under way is
            cancelled, as it is when the generator is closed.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; it must be 1 or more")
    run = _Run(function, concurrency)
    feeding = asyncio.create_task(run.feed(items))
    try:
        while (outcome := await run.next_outcome()) is not None:
            yield outcome
        await feeding  # raises what `items` raised
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, *run.cancel(), return_exceptions=True)


class _Run(Generic[ItemT, ResultT]):
    """The tasks of one map, in the items' order."""

    def __init__(self, function: Callable[[ItemT], Awaitable[ResultT]], concurrency: int) -> None:
        self._function = function
        self._free = asyncio.Semaphore(concurrency)
        self._places = asyncio.Semaphore(_PLACES * concurrency)
        self._tasks: set[asyncio.Task[Outcome[ItemT, ResultT]]] = set()
        self._order: asyncio.Queue[asyncio.Task[Outcome[ItemT, ResultT]] | None] = asyncio.Queue()
        self._mistake: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def feed(self, items: Iterable[ItemT]) -> None:
        """Begin with each item as soon as there is room, and say so when there are no more."""
        try:
            for index, item in enumerate(items):
                await self._places.acquire()
                await self._free.acquire()
                task = asyncio.create_task(self._one(index, item))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
                self._order.put_nowait(task)
        finally:
            self._order.put_nowait(None)

    async def next_outcome(self) -> Outcome[ItemT, ResultT] | None:
        """The outcome of the next item in order; None after the last."""
        task = await self._order.get()
        if task is None:
            return None
        await asyncio.wait((task, self._mistake), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise self._mistake.result()  # another item's: this one may take long
        outcome = task.result()
        self._tasks.discard(task)
        self._places.release()
        return outcome

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Cancel what is under way; the tasks that are to be awaited."""
        for task in self._tasks:
            task.cancel()
        return list(self._tasks)

    def _ended(self, task: asyncio.Task[Outcome[ItemT, ResultT]]) -> None:
        self._free.release()
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._mistake.done():
            self._mistake.set_result(error)

    async def _one(self, index: int, item: ItemT) -> Outcome[ItemT, ResultT]:
        try:
            return Outcome(index, item, None, await self._function(item))
        except (ImpastoError, OSError) as error:
            return Outcome(index, item, error, None)
