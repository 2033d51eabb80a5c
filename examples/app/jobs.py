"""Jobs in the background: few at a time, a queue with an end, progress to watch, results that are deleted."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from impasto.client import AsyncClient, Job, Waiting, write_picture
from impasto.client.errors import (
    DeadlineExceeded,
    ImageError,
    InvalidInput,
    ServerOverloaded,
    ServerUnavailable,
)

log = logging.getLogger("pictures")

SECONDS_OF_SILENCE = 15
"""How often a watcher is told the same again, so that proxies do not take the connection for a dead one."""

SECONDS_TO_OPEN = 5


@dataclass(frozen=True)
class Limits:
    """What the service takes on; `__main__.py` makes an option of each."""

    upload_megabytes: float = 20.0
    upload_seconds: float = 60.0
    megapixels: float = 16.0
    pictures: int = 16  # uploaded ones in memory
    running: int = 2
    queued: int = 8
    results: int = 50  # jobs that are kept, with those that run and wait
    keep_minutes: float = 15.0  # a result after it is made, an uploaded picture after it came


class Busy(Exception):  # noqa: N818 - it says what is the matter, as the client's errors do
    """A limit is reached; the message says which."""


class Missing(Exception):  # noqa: N818
    """There is no such picture or job, or no longer."""


@dataclass(frozen=True)
class News:
    """The state of a job: queued, running, waiting (for the image server), and at last done, failed or cancelled."""

    state: str
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return self.state in ("done", "failed", "cancelled")


class Background:
    """A job in the background."""

    def __init__(self, result: Path) -> None:
        self.result = result
        self.news = News("queued")
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def tell(self, news: News) -> None:
        """Let everyone who watches know."""
        self.news = news
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch(self) -> AsyncIterator[News]:
        """Yield the news now and whenever they change. Who reads slowly misses some, but never the last."""
        while True:
            changed = self._changed
            yield self.news
            if self.news.is_last:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), SECONDS_OF_SILENCE)


# The task of each job has its own value. The client knows nothing of it, but calls `on_wait` in the job's task.
current: ContextVar[Background] = ContextVar("current")


def tell_of_wait(waiting: Waiting | None) -> None:
    """Tell those who watch a job that it waits for the image server, or goes on."""
    job = current.get()
    job.tell(replace(job.news, state="waiting" if waiting else "running"))


class Jobs:
    """All jobs of this process; their names cannot be guessed, so that each is known to its owner alone."""

    def __init__(self, client: AsyncClient, folder: Path, limits: Limits) -> None:
        self._client = client
        self._folder = folder
        self._limits = limits
        self._places = asyncio.Semaphore(limits.running)
        self._jobs: dict[str, Background] = {}
        self._is_closed = False

    def __getitem__(self, name: str) -> Background:
        if name not in self._jobs:
            raise Missing
        return self._jobs[name]

    def start(self, job: Job[Image.Image, Any]) -> str:
        """Queue a job and return its name. Raises Busy."""
        if self._is_closed:
            raise Busy("The service is stopping.")
        under_way = sum(not known.news.is_last for known in self._jobs.values())
        if under_way >= self._limits.running + self._limits.queued or len(self._jobs) >= self._limits.results:
            raise Busy("Too many jobs at the moment. Try again in a minute.")
        name = secrets.token_urlsafe(16)
        background = self._jobs[name] = Background(self._folder / f"{name}.png")
        background.task = asyncio.create_task(self._work(name, job))
        return name

    async def delete(self, name: str) -> None:
        """Cancel a job if it is under way, and delete its result."""
        job = self[name]
        del self._jobs[name]
        assert job.task is not None
        job.task.cancel()
        await asyncio.wait([job.task])
        if not job.news.is_last:  # cancelled before it had begun
            job.tell(News("cancelled"))
        job.result.unlink(missing_ok=True)

    async def close(self) -> None:
        """Delete all jobs and take no more."""
        self._is_closed = True
        await asyncio.gather(*map(self.delete, list(self._jobs)))

    async def _work(self, name: str, job: Job[Image.Image, Any]) -> None:
        background = self._jobs[name]
        current.set(background)
        try:
            async with self._places:
                background.tell(News("running"))
                image = await self._client.run(
                    job, on_progress=lambda now: background.tell(News("running", now.done, now.total))
                )
                await to_the_end(write_picture, background.result, image)
            background.tell(replace(background.news, state="done"))
        except asyncio.CancelledError:
            background.tell(replace(background.news, state="cancelled"))
            raise
        except Exception as error:  # whatever it is, those who watch must hear that nothing comes any more
            log.exception("job %s failed", name)
            background.tell(News("failed", message=in_words(error)))
        asyncio.get_running_loop().call_later(60 * self._limits.keep_minutes, self._expire, name)

    def _expire(self, name: str) -> None:
        if job := self._jobs.pop(name, None):
            self._delete_file(job)

    def _delete_file(self, job: Background) -> None:
        """Delete a result as soon as those who have just asked for it have opened it."""
        asyncio.get_running_loop().call_later(SECONDS_TO_OPEN, partial(job.result.unlink, missing_ok=True))


async def to_the_end(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread. Who cancels waits until it is done: a thread cannot be stopped."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    finally:
        await asyncio.wait([work])


def in_words(error: Exception) -> str:
    """Return what a stranger may know of an error. The others name servers, or are for the log only."""
    if isinstance(error, ImageError) or (isinstance(error, InvalidInput) and error.code is None):
        return str(error)
    if isinstance(error, ServerUnavailable | ServerOverloaded | DeadlineExceeded):
        return "The image server does not answer. Try again in a minute."
    return "Something went wrong here. Try again, or ask the people who run this page."
