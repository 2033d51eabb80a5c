"""The things that a client's jobs have learnt of its models, which are asked for once and not for each picture."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from impasto.client._transport import forks


class Knowledge:
    """The things that jobs have learnt, and the right to learn more: one job at a time for each model.

    A client's jobs share one, also in several threads. An AsyncClient's belong to one event loop at a time, as it does.

    Args:
        of: the knowledge of another client for the same server, to share.

    Attributes:
        known: a dict for each name of a model, whose keys and values are the jobs' own.
    """

    def __init__(self, of: Knowledge | None = None) -> None:
        self.known: Final[dict[str, dict[Any, Any]]] = {} if of is None else of.known
        self._locks: dict[str, forks.Lock] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._of_loop: dict[str, asyncio.Lock] = {}

    def about(self, model: str) -> dict[Any, Any]:
        """Return what is known of a model, to be read and changed."""
        return self.known.setdefault(model, {})

    def lock(self, model: str) -> forks.Lock:
        """Return the lock that a thread holds while it learns of a model."""
        return self._locks.setdefault(model, forks.Lock())

    def lock_of_loop(self, model: str) -> asyncio.Lock:
        """Return the lock that a task of the running event loop holds while it learns of a model."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._of_loop = loop, {}
        return self._of_loop.setdefault(model, asyncio.Lock())
