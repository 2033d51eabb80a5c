"""The news about the jobs of a session, as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from impasto.client.studio.sessions import Session
from impasto.client.studio.studio import Studio

_PAUSE: Final = 0.1
"""Some ten events a second are enough for people."""
_SILENCE: Final = 2.0
"""Seconds after which a browser that went away is noticed, and a comment sent that keeps proxies from cutting in."""


async def events(
    studio: Studio, session: Session, tab: str | None, is_gone: Callable[[], Awaitable[bool]]
) -> AsyncIterator[str]:
    """Yield all jobs as they are, and each again whenever it changes.

    Args:
        studio: the session's.
        session: whose jobs.
        tab: the tab that watches, so that its jobs are stopped when it goes.
        is_gone: whether the browser has closed the stream.
    """
    seen = 0
    if tab is not None:
        studio.tabs.enter(session, tab)
    try:
        yield ": hello\n\n"
        while not await is_gone():
            session.seen = studio.clock()
            changed = session.changed
            newest = seen
            for job in list(session.jobs.values()):
                if job.revision > seen:
                    newest = max(newest, job.revision)
                    yield _event(job.as_json())
            for identity, revision in list(session.gone.items()):
                if revision > seen:
                    newest = max(newest, revision)
                    yield _event({"id": identity, "gone": True})
            seen = newest
            await asyncio.sleep(_PAUSE)
            try:
                await asyncio.wait_for(changed.wait(), _SILENCE)
            except asyncio.TimeoutError:
                yield ": still here\n\n"
    finally:
        if tab is not None:
            studio.tabs.leave(session, tab)


def _event(value: object) -> str:
    return f"data: {json.dumps(value, separators=(',', ':'), allow_nan=False)}\n\n"
