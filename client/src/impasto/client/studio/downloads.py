"""The routes to what jobs made, and the news about them as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from impasto.client import read_picture
from impasto.client._transport.asynchronous import in_thread
from impasto.client.studio.pictures import distinct
from impasto.client.studio.receiving import json_object
from impasto.client.studio.records import Record
from impasto.client.studio.refusals import Refusal, missing
from impasto.client.studio.sessions import Session
from impasto.client.studio.similarity import psnr, ssim
from impasto.client.studio.studio import Studio, named

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


Handler = Callable[[Request, Session], Awaitable[Response]]


def download_routes(studio: Studio, own: Callable[[Handler], Any]) -> list[Route]:
    """Return the routes; `own` gives a handler its session."""

    async def preview(request: Request, session: Session) -> Response:
        job = session.job(request.path_params["id"])
        if job.preview is None:
            raise missing("picture")
        return Response(job.preview, media_type="image/jpeg")

    async def result(request: Request, session: Session) -> Response:
        job = session.job(request.path_params["id"])
        path = _result(job)
        sort = "attachment" if request.query_params.get("download") == "1" else "inline"
        return FileResponse(
            path, media_type="image/png", filename=job.request.name, content_disposition_type=sort
        )

    async def strip(request: Request, session: Session) -> Response:
        job = session.job(request.path_params["id"])
        number: int = request.path_params["number"]
        if not number < len(job.strip):
            raise missing("picture")
        return FileResponse(job.strip_path(number), media_type="image/jpeg")

    async def archive(request: Request, session: Session) -> Response:
        asked = [identity for identity in request.query_params.get("jobs", "").split(",") if identity]
        jobs = [session.job(identity) for identity in asked] if asked else list(session.jobs.values())
        jobs = [job for job in jobs if job.result is not None]
        if not jobs:
            raise missing("result")
        path = await in_thread(lambda: _zipped(jobs))
        task = BackgroundTask(path.unlink, missing_ok=True)
        return FileResponse(
            path, media_type="application/zip", filename="impasto-results.zip", background=task
        )

    async def compare(request: Request, session: Session) -> Response:
        asked = await json_object(request)
        job = session.job(named(asked, "job") or "")
        original = studio.picture(session, named(asked, "original") or "")
        path = _result(job)

        def measured() -> dict[str, float | None]:
            made = read_picture(path.read_bytes(), max_pixels=studio.limits.max_result_pixels).rgb
            true = original.read(max_pixels=studio.limits.max_pixels).rgb
            if made.shape != true.shape:
                raise Refusal(
                    422,
                    f"The original has {true.shape[1]} x {true.shape[0]} pixels and the result {made.shape[1]} x "
                    f"{made.shape[0]}; only pictures of one size can be compared",
                    "original",
                )
            return {"psnr": psnr(made, true), "ssim": ssim(made, true)}

        return JSONResponse(cast("dict[str, Any]", await studio.reading(measured)))

    return [
        Route("/api/jobs/{id}/preview", own(preview)),
        Route("/api/jobs/{id}/result", own(result)),
        Route("/api/jobs/{id}/strip/{number:int}", own(strip)),
        Route("/api/results.zip", own(archive)),
        Route("/api/compare", own(compare), methods=["POST"]),
    ]


def _result(job: Record) -> Path:
    if job.result is None or not job.result_path.exists():
        raise missing("result")
    return job.result_path


def _zipped(jobs: list[Record]) -> Path:
    """Return a private file with the results of jobs; whoever sends it deletes it. PNGs are packed already."""
    folder = jobs[0].folder.parent
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for job, name in zip(jobs, distinct(job.request.name for job in jobs), strict=True):
                archive.write(job.result_path, name)
        return Path(file.name)
