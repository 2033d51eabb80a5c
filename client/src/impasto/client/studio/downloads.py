"""The routes to what jobs made: pictures so far, results, strips, archives, and how near a result is to an original."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from impasto.client import read_picture
from impasto.client._transport.asynchronous import in_thread
from impasto.client.studio.names import distinct
from impasto.client.studio.receiving import json_object
from impasto.client.studio.records import Record
from impasto.client.studio.refusals import Refusal, missing
from impasto.client.studio.sessions import Session
from impasto.client.studio.similarity import psnr, ssim
from impasto.client.studio.studio import Studio, named

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
