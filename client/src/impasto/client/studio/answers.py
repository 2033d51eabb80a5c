"""Answers that many routes give: a file of the page, a session's cookie, and what is said when something fails."""

from __future__ import annotations

import logging
from importlib import resources
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from impasto.client.studio.refusals import Refusal, words_of
from impasto.client.studio.sessions import Session

log: Final = logging.getLogger(__name__)

COOKIE: Final = "impasto_session"
PAGE: Final = Path(str(resources.files("impasto.client.studio") / "page"))
_MEDIA: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def file_of_the_page(name: str) -> Response:
    """Return one of the page's files, which lie in one folder; by a name with a path in it there is none."""
    suffix = Path(name).suffix
    if suffix not in _MEDIA or name not in {path.name for path in PAGE.iterdir()}:
        raise Refusal(404, "There is no such file.")
    return FileResponse(PAGE / name, media_type=_MEDIA[suffix], headers={"cache-control": "no-cache"})


def with_cookie(request: Request, answer: Response, session: Session) -> Response:
    """Give an answer the cookie of a session, for https alone where the page came by it."""
    is_secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    answer.set_cookie(COOKIE, session.id, httponly=True, samesite="strict", secure=is_secure)
    return answer


async def refused(_: Request, error: Exception) -> Response:
    """Answer with a refusal."""
    assert isinstance(error, Refusal)
    again = {"Retry-After": "30"} if error.status in (429, 503) else None
    return JSONResponse({"error": error.words, "field": error.field}, error.status, again)


async def not_found(_: Request, error: Exception) -> Response:
    """Answer to what no route is for."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "field": None}, error.status_code, error.headers)


async def went_away(_: Request, __: Exception) -> Response:
    """Answer to nobody."""
    return Response(status_code=499)


async def failed(request: Request, error: Exception) -> Response:
    """Answer to what nobody thought of; the log has it."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": words_of(error), "field": None}, 500)
