"""Reading the bodies of requests: never more than may come, never longer than it may take."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, cast

from starlette.requests import Request

from impasto.client.studio.refusals import Refusal

_MOST_JSON: Final = 256 * 1024
_JSON_SECONDS: Final = 20.0


async def body(request: Request, *, most: int, seconds: float) -> bytes:
    """Return a request's body. Raises Refusal: it is too long, or too slow."""
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or len(told) > 18 or int(told) > most:
        raise _too_long(most)
    try:
        return await asyncio.wait_for(_received(request, most), seconds)
    except asyncio.TimeoutError as error:
        raise Refusal(408, f"It took longer than {seconds:g} seconds to come; try again.") from error


async def json_object(request: Request) -> dict[str, Any]:
    """Return a request's JSON object. Raises Refusal."""
    data = await body(request, most=_MOST_JSON, seconds=_JSON_SECONDS)
    try:
        value: Any = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The request is no JSON.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "The request must be a JSON object.")
    return cast("dict[str, Any]", value)


async def _received(request: Request, most: int) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise _too_long(most)
    return bytes(data)


def _too_long(most: int) -> Refusal:
    size = f"{most / 2**20:g} MB" if most >= 2**20 else f"{most // 1024} kB"
    return Refusal(413, f"It has more than {size}; take a smaller file.")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")
