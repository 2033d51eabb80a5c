"""The Studio behind its page: sessions, their pictures and jobs, the queue, and what is deleted when."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from impasto.client import AsyncClient, Settings
from impasto.client._transport.asynchronous import in_thread
from impasto.client.studio import examples, pictures
from impasto.client.studio.ordering import Orders
from impasto.client.studio.pictures import Kept
from impasto.client.studio.queue import Limits, Queue
from impasto.client.studio.records import Record
from impasto.client.studio.refusals import Refusal, missing, refusal_of
from impasto.client.studio.served import Served
from impasto.client.studio.sessions import Session, Sessions, Tabs
from impasto.client.studio.work import Workshop

log: Final = logging.getLogger(__name__)

_READERS: Final = 2
"""The number of pictures that are decoded at once for people who upload or look."""


class Studio:
    """All that one process keeps.

    Args:
        settings: of the model server.
        folder: private, and empty; the caller deletes it.
        limits: what is taken on.
        needs_token: whether sessions begin without rights.
        clock: tells the seconds by which things are deleted.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        limits: Limits,
        *,
        needs_token: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self.clock = clock
        self.sessions: Sessions = Sessions(limits, needs_token=needs_token)
        self.photos: list[Kept] = examples.photos()
        self.paintings: list[Kept] = examples.paintings()
        self._examples = {kept.id: kept for kept in (*self.photos, *self.paintings)}
        self._folder = folder
        self._client = AsyncClient(settings=settings, on_wait=lambda waiting: self._workshop.on_wait(waiting))
        self.address: str = self._client.address
        self.served: Served = Served(self._client)
        self.orders: Orders = Orders(self.served, limits, self.address)
        self._workshop = Workshop(
            self._client, self.served, limits, find=self._found, paintings=self.paintings, tell=self.tell
        )
        self._queue = Queue(limits.jobs, self._workshop.run, self.tell)
        self._readers = asyncio.Semaphore(_READERS)
        self._revision = 0
        self._order = 0
        self.tabs: Tabs = Tabs(limits.tab_seconds, self.stop)

    async def close(self) -> None:
        """End all jobs, and the connection."""
        self.tabs.close()
        await self._queue.close()
        await self.served.close()
        await self._client.close()

    def tell(self, record: Record) -> None:
        """Let the pages of a job's session know that it has changed."""
        self._revision += 1
        record.revision = self._revision
        if not record.is_unfinished and record.ended is None:
            record.ended = self.clock()
        for session in self.sessions:
            if session.id == record.session:
                session.tell()

    async def upload(self, session: Session, data: bytes, name: str) -> Kept:
        """Keep a picture of a person. Raises Refusal."""
        if len(session.pictures) >= self.limits.session_pictures:
            raise Refusal(
                429,
                f"{len(session.pictures)} pictures are the most; reload the page in an hour, or begin anew.",
            )
        await self._check_room(len(data))
        async with self._readers:  # decoding takes memory
            try:
                kept = await in_thread(
                    lambda: pictures.keep(
                        data, name, self._folder, max_pixels=self.limits.max_pixels, now=self.clock()
                    )
                )
            except Exception as error:
                raise refusal_of(error) from error
        session.pictures[kept.id] = kept
        return kept

    def picture(self, session: Session, identity: str) -> Kept:
        """Return a picture of a person, or an example. Raises Refusal."""
        kept = session.pictures.get(identity) or self._examples.get(identity)
        if kept is None:
            raise missing("picture")
        return kept

    async def reading(self, function: Callable[[], Any]) -> Any:
        """Call what decodes a picture, in a thread, few at a time. Raises Refusal."""
        async with self._readers:
            try:
                return await in_thread(function)
            except Exception as error:
                raise refusal_of(error) from error

    def remember(self, session: Session, kept: Kept) -> dict[str, Any] | None:
        """Return the form that a picture of ours was made by, with the pictures that are still there."""
        return self.orders.remembered(kept.note, {**self._examples, **session.pictures})

    async def start(self, session: Session, kind: Any, values: Any, tab: str | None) -> Record:
        """Take on a job. Raises Refusal."""
        request = await self.orders.request(kind, values, lambda identity: self.picture(session, identity))
        self._check_queue(session)
        if len(session.jobs) >= self.limits.session_kept:
            raise Refusal(
                429, f"{len(session.jobs)} jobs are kept at most; delete some of those that are done."
            )
        await self._check_room(0)
        self._order += 1
        identity = secrets.token_urlsafe(16)
        record = Record(identity, session.id, tab, request, self._order, self._folder / f"job-{identity}")
        session.jobs[identity] = record
        self._take_on(session, record)
        return record

    def _take_on(self, session: Session, record: Record) -> None:
        self._queue.add(record)
        self.tell(record)
        if record.tab is not None:
            self.tabs.expect(session, record.tab)

    async def stop(self, record: Record, note: str | None = None) -> None:
        """End a job that waits or runs, and keep what there is of it."""
        if not record.is_unfinished:
            return
        await self._queue.cancel(record)
        if record.is_unfinished:  # it had not begun
            record.state = "stopped"
        if record.state == "stopped":
            record.note = note
        self.tell(record)

    def resume(self, session: Session, record: Record, tab: str | None) -> None:
        """Let a job that was stopped, or failed, go on where it was; it is this tab's now. Raises Refusal."""
        if record.state not in ("stopped", "failed"):
            raise Refusal(
                409, f"The job is {record.state}; only one that is stopped or has failed can go on."
            )
        for identity in record.request.names:
            self.picture(session, identity)
        self._check_queue(session)
        self._order += 1
        record.order, record.error, record.note, record.ended = self._order, None, None, None
        record.tab = tab
        self._take_on(session, record)

    async def delete(self, session: Session, record: Record) -> None:
        """End a job, and forget it with all that it made."""
        await self._queue.cancel(record)
        session.jobs.pop(record.id, None)
        self._revision += 1
        session.gone[record.id] = self._revision
        session.tell()
        await in_thread(lambda: shutil.rmtree(record.folder, ignore_errors=True))

    async def sweep(self) -> None:
        """Delete what is older than an hour, and sessions that are left."""
        before = self.clock() - self.limits.kept_seconds
        for session in self.sessions:
            used = {
                identity
                for job in session.jobs.values()
                if job.is_unfinished
                for identity in job.request.names
            }
            for job in list(session.jobs.values()):
                if job.ended is not None and job.ended <= before:
                    await self.delete(session, job)
            for kept in list(session.pictures.values()):
                if kept.made <= before and kept.id not in used:
                    del session.pictures[kept.id]
                    kept.path.unlink(missing_ok=True)
            if session.seen <= before and not (session.jobs or session.pictures or session.tabs):
                self.sessions.drop(session)

    def _found(self, record: Record, identity: str) -> Kept:
        session = next((one for one in self.sessions if one.id == record.session), None)
        if session is None:
            raise missing("picture")
        return self.picture(session, identity)

    def _check_queue(self, session: Session) -> None:
        if session.unfinished() >= self.limits.session_jobs:
            raise Refusal(
                429, f"{self.limits.session_jobs} of your jobs wait or run already; wait until some are done."
            )
        if self._queue.waiting >= self.limits.waiting:
            raise Refusal(503, f"{self._queue.waiting} jobs wait already; try again in some minutes.")

    async def _check_room(self, more: int) -> None:
        if await in_thread(lambda: _bytes_in(self._folder)) + more > self.limits.kept_bytes:
            raise Refusal(
                503, "Studio keeps as much as it may; delete jobs that are done, or try again later."
            )


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def named(values: Mapping[str, Any], key: str) -> str | None:
    """Return a short text of a request. Raises Refusal for anything else."""
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise Refusal(422, f"{key} must be a text of 1 to 100 signs", key)
    return value
