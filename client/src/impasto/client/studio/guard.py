"""The guard before all routes: headers for browsers, the host's name, the token, and no writes for foreign pages."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",  # pictures are private
}
_READS: Final = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Wraps the routes.

    Args:
        app: the routes.
        only_local: answer to names of this machine only, as a foreign page may give its own name this address.
    """

    def __init__(self, app: ASGIApp, *, only_local: bool) -> None:
        self._app = app
        self._only_local = only_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if self._only_local and not is_local(headers.get("host", "")):
            words = "Studio is for this machine alone; open it as http://127.0.0.1, or start it with --host."
            return JSONResponse({"error": words, "field": None}, 421)
        if scope["method"] not in _READS and headers.get("x-impasto") != "1":
            words = "Writes need the header X-Impasto: 1, which only Studio's own page sends."
            return JSONResponse({"error": words, "field": None}, 403)
        return None


def is_local(host: str) -> bool:
    """Return whether the name in a request's Host is one of this machine."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    name = name.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_token(given: object, token: str) -> bool:
    """Return whether a text is the token, in a time that does not tell how much of it is right."""
    return isinstance(given, str) and hmac.compare_digest(
        given.encode(errors="replace"), token.encode(errors="replace")
    )
