"""An event loop in a thread of its own, for callers that have none or whose own is busy (a notebook's)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from impasto.client._threads import wait_until
from impasto.client._transport import forks
from impasto.client.errors import ForkedProcess

if TYPE_CHECKING:
    from typing_extensions import Self

ResultT = TypeVar("ResultT")


class BackgroundLoop:
    """Runs coroutines while the calling thread waits. A context manager.

    What interrupts the waiting, such as Ctrl-C, cancels what is under way, and its end is awaited. A second interrupt
    gives that up, for a thread cannot be stopped: then nothing is awaited any more, and the loop is left to itself.

    A child that is forked meanwhile does not have the thread, so nothing is awaited in it either.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_on, name="impasto-calls", daemon=True)
        self._process = forks.process()
        self._interrupted = False
        self._given_up = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(self._loop.shutdown_asyncgens())
        self.finish(self._loop.shutdown_default_executor())
        if self._is_lost:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """The coroutine's result. Raises what it raises, and what interrupts the waiting; or ForkedProcess."""
        if self._process is not forks.process():
            work.close()
            raise ForkedProcess(
                "this work began in the process that this one was forked from, and goes on there; begin it anew here"
            )
        ended = threading.Event()
        tasks: list[asyncio.Task[ResultT]] = []

        def start() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda _: ended.set())

        def cancel() -> None:
            if not tasks:  # what interrupts may come before the work is handed over
                start()
            tasks[0].cancel()

        try:
            self._loop.call_soon_threadsafe(start)
            wait_until(ended.wait)
        except BaseException:
            # Given up until the end has come: whatever interrupts the rest of this leaves it so.
            self._given_up = True
            self._loop.call_soon_threadsafe(cancel)
            if not self._interrupted:
                self._interrupted = True
                wait_until(ended.wait)
                self._given_up = False
            raise
        return tasks[0].result()

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what cleans up, unless waiting has been given up."""
        if self._is_lost:
            work.close()
        else:
            self.run(work)

    @property
    def _is_lost(self) -> bool:
        """True if the thread is not to be waited for."""
        return self._given_up or self._process is not forks.process()

    def _run_on(self) -> None:
        """asyncio raises a task's SystemExit and KeyboardInterrupt out of the loop, too, not only where the task is
        awaited; there they reach the caller, so the loop goes on."""
        while True:
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()
                return
