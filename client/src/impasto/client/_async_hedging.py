"""Hedging with awaits, by the rules that `_hedging` states."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc.aio

from impasto.client._hedging import ATTEMPTS, Hedging, asked_again, is_final


async def first_answer(
    send: Callable[[float | None], Awaitable[bytes]],
    *,
    timeout: float | None,
    delay: float,
    hedging: Hedging,
) -> bytes:
    """Send a call, and again while it is late; the answer of the attempt that decides it.

    Args:
        send: sends it with the timeout that it is given, and awaits the answer.
        timeout: seconds for all attempts together; None for no limit.
        delay: seconds from one attempt to the next.
        hedging: grants each but the first.

    Raises:
        grpc.aio.AioRpcError: what the attempt that decides it raised.
    """
    started = time.monotonic()
    attempts: list[asyncio.Future[bytes]] = []
    waiting: set[asyncio.Future[bytes]] = set()
    wait = delay

    def attempt(seconds: float | None) -> None:
        attempts.append(asyncio.ensure_future(send(seconds)))
        waiting.add(attempts[-1])

    hedging.begin()
    try:
        attempt(timeout)
        while True:
            more = len(attempts) < ATTEMPTS
            done, waiting = await asyncio.wait(
                waiting, timeout=wait if more else None, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                left = None if timeout is None else timeout - (time.monotonic() - started)
                if (left is None or left > 0) and hedging.granted():
                    attempt(left)
                    wait = delay
                else:
                    wait = asked_again(wait)
            for ended in sorted(done, key=_decides, reverse=True):
                if not waiting or _decides(ended):
                    return ended.result()
    finally:
        for each in attempts:
            each.cancel()  # does nothing to one that is done
        await asyncio.gather(*attempts, return_exceptions=True)


def _decides(ended: asyncio.Future[bytes]) -> bool:
    error = ended.exception()
    return not isinstance(error, grpc.aio.AioRpcError) or is_final(error.code())
