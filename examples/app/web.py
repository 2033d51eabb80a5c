"""The web service: one page, and the calls that it makes. No call has a body but the upload, which has a limit."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jobs import Background, Busy, Jobs, Limits, Missing, in_words, tell_of_wait
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impasto.client import AsyncClient, Dream, State, Stylize, Transfer, Upscale, read_picture
from impasto.client.errors import ImageError, ImageTooLarge, ImpastoError, ModelNotFound

KINDS: dict[str, Callable[..., Any]] = {
    "upscale": Upscale,
    "stylize": Stylize,
    "dream": Dream,
    "transfer": Transfer,
}
WITH_STYLE = ("stylize", "transfer")

HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",  # pictures are private
}


class Service:
    """What the calls share: the connection to the models, the uploaded pictures and the jobs."""

    def __init__(self, client: AsyncClient, folder: Path, limits: Limits) -> None:
        self.client = client
        self.limits = limits
        self.jobs = Jobs(client, folder, limits)
        self.pictures: dict[str, bytes] = {}
        self._readers = asyncio.Semaphore(limits.running)

    async def keep(self, data: bytes) -> str:
        """Look at an uploaded picture and keep it for a while; return its name. Raises Busy, ImageError."""
        async with self._readers:  # decoding takes memory
            await asyncio.to_thread(read_picture, data, max_pixels=round(1e6 * self.limits.megapixels))
        if len(self.pictures) >= self.limits.pictures:
            raise Busy("Too many pictures at the moment. Try again in a minute.")
        name = secrets.token_urlsafe(16)
        self.pictures[name] = data
        seconds = 60 * self.limits.keep_minutes
        asyncio.get_running_loop().call_later(seconds, self.pictures.pop, name, None)
        return name

    def picture(self, name: str) -> bytes:
        """Return an uploaded picture. Raises Missing."""
        if name not in self.pictures:
            raise Missing
        return self.pictures[name]

    async def serves(self, model: str) -> bool:
        """Whether the image server has a model ready. Raises CallError."""
        try:
            return any(version.state is State.AVAILABLE for version in await self.client.status(model))
        except ModelNotFound:
            return False


def create_app(limits: Limits | None = None) -> FastAPI:
    """Make the service; its image server is the one that `impasto config` shows."""
    limits = limits or Limits()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="pictures-") as folder:  # readable by this user alone
            async with AsyncClient(on_wait=tell_of_wait) as client:
                app.state.service = Service(client, Path(folder), limits)
                yield
                await app.state.service.jobs.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(Headers)

    @app.get("/offer")
    async def offer(request: Request) -> dict[str, Any]:
        """What the image server can do now, and the limits of an upload."""
        service: Service = request.app.state.service
        served = await asyncio.gather(*(service.serves(kind.model) for kind in KINDS.values()))  # type: ignore[attr-defined]
        kinds = [name for name, is_served in zip(KINDS, served, strict=True) if is_served]
        return {"kinds": kinds, "with_style": WITH_STYLE, "megabytes": limits.upload_megabytes}

    @app.post("/pictures", status_code=201)
    async def upload(request: Request) -> dict[str, str]:
        """Take a picture, the file itself as the body, and name it."""
        most = round(1e6 * limits.upload_megabytes)
        data = await asyncio.wait_for(received(request, most), limits.upload_seconds)
        return {"picture": await request.app.state.service.keep(data)}

    @app.post("/jobs", status_code=202)
    async def start(
        request: Request,
        kind: Literal["upscale", "stylize", "dream", "transfer"],
        photo: str,
        style: str | None = None,
    ) -> dict[str, str]:
        """Begin a job with uploaded pictures, and name it."""
        service: Service = request.app.state.service
        if (kind in WITH_STYLE) != (style is not None):
            raise HTTPException(422, f"style: {kind} takes {'one' if kind in WITH_STYLE else 'none'}")
        pictures = [service.picture(name) for name in (photo, style) if name is not None]
        return {"job": service.jobs.start(KINDS[kind](*pictures))}

    @app.get("/jobs/{name}/events")
    async def events(request: Request, name: str) -> StreamingResponse:
        """Send the job's progress as server-sent events, until its last."""
        job: Background = request.app.state.service.jobs[name]

        async def lines() -> AsyncIterator[str]:
            async for news in job.watch():
                yield f"data: {json.dumps(asdict(news))}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    @app.get("/jobs/{name}/result")
    async def result(request: Request, name: str) -> FileResponse:
        """Send the picture that a job has made."""
        job: Background = request.app.state.service.jobs[name]
        if job.news.state != "done":
            raise HTTPException(409, f"The job is {job.news.state}.")
        return FileResponse(job.result, media_type="image/png")

    @app.delete("/jobs/{name}", status_code=204)
    async def delete(request: Request, name: str) -> None:
        """Cancel a job, or delete its result."""
        await request.app.state.service.jobs.delete(name)

    answers: dict[type[Exception], int] = {
        Missing: 404,
        asyncio.TimeoutError: 408,
        ImageTooLarge: 413,
        ImageError: 422,
        ClientDisconnect: 499,  # nobody is there to read it
        Busy: 503,
        ImpastoError: 503,
    }
    for kind, status in answers.items():
        app.add_exception_handler(kind, answer_with(status))
    app.mount("/", StaticFiles(directory=Path(__file__).parent / "page", html=True))
    return app


def answer_with(status: int) -> Callable[[Request, Exception], Response]:
    """Make the handler that answers a kind of error with a status."""
    words = {404: "There is no such picture or job, or no longer.", 408: "The upload took too long."}

    def handler(_: Request, error: Exception) -> Response:
        detail = words.get(status) or (str(error) if isinstance(error, Busy) else in_words(error))
        return JSONResponse({"detail": detail}, status, {"Retry-After": "30"} if status == 503 else None)

    return handler


async def received(request: Request, most: int) -> bytes:
    """Return the body of a request, which is not read further than it may be long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"The picture is larger than {most / 1e6:g} MB.")
    return bytes(body)


class Headers:
    """Adds the headers that keep browsers from doing more than the page needs, to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers)
