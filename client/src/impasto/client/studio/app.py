"""The routes: the page's files, and what its script asks for. Every answer but a picture is JSON."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from impasto.client.studio import forms
from impasto.client.studio.downloads import download_routes, events
from impasto.client.studio.guard import is_token
from impasto.client.studio.pictures import THUMB_SIDES, Kept, thumb
from impasto.client.studio.receiving import body, json_object
from impasto.client.studio.refusals import Refusal, words_of
from impasto.client.studio.sessions import Session
from impasto.client.studio.studio import Studio, named

_log: Final = logging.getLogger(__name__)

_COOKIE: Final = "impasto_session"
_PAGE: Final = Path(str(resources.files("impasto.client.studio") / "page"))
_MEDIA: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


_SHOWN_BY_BROWSERS: Final = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/avif")
_WRONG_TOKEN_SECONDS: Final = 1.0

Handler = Callable[[Request, Session], Awaitable[Response]]


class Routes:
    """The handlers.

    Args:
        studio: what they work on.
        token: the one that people must show, if any.
    """

    def __init__(self, studio: Studio, token: str | None) -> None:
        self._studio = studio
        self._token = token
        self._wrong = asyncio.Lock()

    def app(self) -> Starlette:
        """Return the application."""
        own = self._own
        routes = [
            Route("/", self.index),
            Route("/page/{name}", self.page),
            Route("/health", self.health),
            Route("/api/login", self.login, methods=["POST"]),
            Route("/api/start", self.start),
            Route("/api/pictures", own(self.pictures), methods=["GET"]),
            Route("/api/pictures", own(self.upload), methods=["POST"]),
            Route("/api/pictures/{id}", own(self.picture)),
            Route("/api/pictures/{id}/thumb", own(self.thumb)),
            Route("/api/explain", own(self.explain), methods=["POST"]),
            Route("/api/jobs", own(self.jobs), methods=["GET"]),
            Route("/api/jobs", own(self.begin), methods=["POST"]),
            Route("/api/jobs/{id}", own(self.job), methods=["GET"]),
            Route("/api/jobs/{id}", own(self.delete), methods=["DELETE"]),
            Route("/api/jobs/{id}/stop", own(self.stop), methods=["POST"]),
            Route("/api/jobs/{id}/resume", own(self.resume), methods=["POST"]),
            Route("/api/events", own(self.events)),
            Route("/api/server", own(self.server)),
            *download_routes(self._studio, own),
        ]
        return Starlette(
            routes=routes,
            exception_handlers={
                Refusal: _refused,
                HTTPException: _not_found,
                ClientDisconnect: _went_away,
                Exception: _failed,
            },
        )

    def _own(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Give a handler the session of the request's cookie, or a new one; without the token it is not called."""

        async def with_session(request: Request) -> Response:
            session, is_new = self._session(request)
            if not session.may:
                raise Refusal(401, "Studio wants the token that the person who runs it has given out.")
            answer = await handler(request, session)
            return _with_cookie(request, answer, session) if is_new else answer

        return with_session

    def _session(self, request: Request) -> tuple[Session, bool]:
        sessions, now = self._studio.sessions, self._studio.clock()
        found = sessions.find(request.cookies.get(_COOKIE), now)
        if found is not None:
            return found, False
        if self._token is not None:
            return Session("", now), False  # which may do nothing, and is not kept
        return sessions.begin(now), True

    async def index(self, _: Request) -> Response:
        """Send the page."""
        return _file_of_the_page("index.html")

    async def page(self, request: Request) -> Response:
        """Send a file of the page."""
        return _file_of_the_page(request.path_params["name"])

    async def health(self, _: Request) -> Response:
        """Say that the process is there."""
        return JSONResponse({"status": "ok"})

    async def login(self, request: Request) -> Response:
        """Begin a session with rights; a wrong token is answered slowly, one after the other."""
        given = (await json_object(request)).get("token")
        if self._token is not None and not is_token(given, self._token):
            async with self._wrong:
                await asyncio.sleep(_WRONG_TOKEN_SECONDS)
            raise Refusal(403, "That is not the token.", "token")
        session = self._studio.sessions.begin(self._studio.clock(), may=True)
        return _with_cookie(request, Response(status_code=204), session)

    async def start(self, request: Request) -> Response:
        """Tell the page all that its forms are made of."""
        session, is_new = self._session(request)
        if not session.may:
            return JSONResponse({"login": True})
        studio = self._studio
        answer = JSONResponse(
            {
                "version": metadata.version("impasto-client"),
                "login": False,
                "limits": studio.limits.as_json(),
                "examples": {
                    "photos": [kept.as_json() for kept in studio.photos],
                    "paintings": [kept.as_json() for kept in studio.paintings],
                },
                **await studio.served.start(),
                "fields": forms.described(),
            }
        )
        return _with_cookie(request, answer, session) if is_new else answer

    async def pictures(self, _: Request, session: Session) -> Response:
        """List a person's pictures."""
        return JSONResponse([self._shown(session, kept) for kept in session.pictures.values()])

    async def upload(self, request: Request, session: Session) -> Response:
        """Keep a picture."""
        limits = self._studio.limits
        data = await body(request, most=limits.upload_bytes, seconds=limits.upload_seconds)
        kept = await self._studio.upload(session, data, request.query_params.get("name", ""))
        return JSONResponse(self._shown(session, kept), 201)

    async def picture(self, request: Request, session: Session) -> Response:
        """Send a picture, in a format that browsers show."""
        kept = self._studio.picture(session, request.path_params["id"])
        if kept.kind in _SHOWN_BY_BROWSERS:
            return FileResponse(kept.path, media_type=kept.kind)
        side = max(kept.size)
        return Response(await self._thumb(kept, side), media_type="image/jpeg")

    async def thumb(self, request: Request, session: Session) -> Response:
        """Send a small JPEG of a picture."""
        kept = self._studio.picture(session, request.path_params["id"])
        text = request.query_params.get("side", "256")
        least, most = THUMB_SIDES
        if not (text.isdecimal() and len(text) < 6 and least <= int(text) <= most):
            raise Refusal(422, f"side is {text[:20]!r}; it must be {least} to {most}", "side")
        return Response(await self._thumb(kept, int(text)), media_type="image/jpeg")

    async def _thumb(self, kept: Kept, side: int) -> bytes:
        most = self._studio.limits.max_pixels
        made: bytes = await self._studio.reading(lambda: thumb(kept, side, max_pixels=most))
        return made

    async def explain(self, request: Request, session: Session) -> Response:
        """Tell how a job is made elsewhere, without running it."""
        asked = await json_object(request)
        made = await self._studio.orders.request(
            asked.get("kind"),
            asked.get("fields", {}),
            lambda identity: self._studio.picture(session, identity),
        )
        value = None if made.job is None else made.job.to_json()
        return JSONResponse({"command": made.command, "python": made.python, "json": value})

    async def jobs(self, _: Request, session: Session) -> Response:
        """List a person's jobs."""
        return JSONResponse([job.as_json() for job in session.jobs.values()])

    async def begin(self, request: Request, session: Session) -> Response:
        """Take on a job."""
        asked = await json_object(request)
        record = await self._studio.start(
            session, asked.get("kind"), asked.get("fields", {}), named(asked, "tab")
        )
        return JSONResponse(record.as_json(), 201)

    async def job(self, request: Request, session: Session) -> Response:
        """Tell how a job stands."""
        return JSONResponse(session.job(request.path_params["id"]).as_json())

    async def delete(self, request: Request, session: Session) -> Response:
        """End a job and forget it."""
        await self._studio.delete(session, session.job(request.path_params["id"]))
        return Response(status_code=204)

    async def stop(self, request: Request, session: Session) -> Response:
        """End a job and keep what there is."""
        record = session.job(request.path_params["id"])
        await self._studio.stop(record)
        return JSONResponse(record.as_json())

    async def resume(self, request: Request, session: Session) -> Response:
        """Let a job go on, for the tab that asks."""
        record = session.job(request.path_params["id"])
        self._studio.resume(session, record, named(request.query_params, "tab"))
        return JSONResponse(record.as_json())

    async def events(self, request: Request, session: Session) -> Response:
        """Send the news about the jobs."""
        tab = named(request.query_params, "tab")
        stream = events(self._studio, session, tab, request.is_disconnected)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def server(self, _: Request, session: Session) -> Response:
        """Tell what the model server has."""
        served = self._studio.served
        models = await served.models()
        address = (
            "a socket of this machine" if self._studio.address.startswith("unix:") else self._studio.address
        )
        return JSONResponse({"address": address, "models": models, "error": served.error})

    def _shown(self, session: Session, kept: Kept) -> dict[str, Any]:
        return kept.as_json(self._studio.remember(session, kept))


def _file_of_the_page(name: str) -> Response:
    """Return one of the page's files, which lie in one folder; by a name with a path in it there is none."""
    suffix = Path(name).suffix
    if suffix not in _MEDIA or name not in {path.name for path in _PAGE.iterdir()}:
        raise Refusal(404, "There is no such file.")
    return FileResponse(_PAGE / name, media_type=_MEDIA[suffix], headers={"cache-control": "no-cache"})


def _with_cookie(request: Request, answer: Response, session: Session) -> Response:
    """Give an answer the cookie of a session, for https alone where the page came by it."""
    is_secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    answer.set_cookie(_COOKIE, session.id, httponly=True, samesite="strict", secure=is_secure)
    return answer


async def _refused(_: Request, error: Exception) -> Response:
    """Answer with a refusal."""
    assert isinstance(error, Refusal)
    again = {"Retry-After": "30"} if error.status in (429, 503) else None
    return JSONResponse({"error": error.words, "field": error.field}, error.status, again)


async def _not_found(_: Request, error: Exception) -> Response:
    """Answer to what no route is for."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "field": None}, error.status_code, error.headers)


async def _went_away(_: Request, __: Exception) -> Response:
    """Answer to nobody."""
    return Response(status_code=499)


async def _failed(request: Request, error: Exception) -> Response:
    """Answer to what nobody thought of; the log has it."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": words_of(error), "field": None}, 500)
