"""A program that calls a server from itself and from its forks: `python -m processes.forking CASE ADDRESS [CA]`.

It prints what became of each child as a line of JSON with the number of those. Its exit code is 0 if the calls of the
parent were all answered.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import multiprocessing
import sys
import threading
from collections.abc import Iterator

import numpy as np

from impasto.client import AsyncClient, Client, TlsOptions, errors
from impasto.client._transport import forks
from processes.forked import child

CHILDREN = 40
"""Where threads run beside the fork, so that some of the forks meet them; a quarter where each child is as the last."""
TERMS = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}


def add(client: Client) -> list[float]:
    found: list[float] = next(iter(client.predict("add", TERMS).values())).tolist()
    return found


async def add_awaited(client: AsyncClient) -> list[float]:
    found: list[float] = next(iter((await client.predict("add", TERMS)).values())).tolist()
    return found


def add_by_new_clients(address: str) -> list[float]:
    async def ask() -> list[float]:
        async with AsyncClient(address) as client:
            return await add_awaited(client)

    with Client(address) as client:
        found = add(client)
        assert [outcome.result for outcome in client.map([add_awaited] * 3)] == [found] * 3
    assert asyncio.run(ask()) == found
    return found


@contextlib.contextmanager
def calls_under_way(client: Client, threads: int = 3) -> Iterator[None]:
    """Threads that call on and on meanwhile; all calls must be answered."""
    over = threading.Event()
    failures: list[errors.ImpastoError] = []

    def go_on() -> None:
        try:
            while not over.is_set():
                add(client)
        except errors.ImpastoError as error:
            failures.append(error)

    running = [threading.Thread(target=go_on) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in running:
            thread.join()
    assert not failures


def made_before(client: Client) -> list[str]:
    return [child(lambda: add(client)) for _ in range(CHILDREN // 4)]


def used_before(client: Client) -> list[str]:
    found = []
    for number in range(CHILDREN // 4):
        expected = add(client)
        found.append(child(lambda: add(client), leaves=number % 4 == 0))
        assert add(client) == expected
    return found


def used_by_threads(client: Client) -> list[str]:
    with calls_under_way(client):
        return [child(lambda: add(client)) for _ in range(CHILDREN)]


def threads_in_the_child(client: Client) -> list[str]:
    def ask() -> list[float]:
        with calls_under_way(client):
            return add(client)

    with calls_under_way(client):
        return [child(ask) for _ in range(CHILDREN // 4)]


def forked_in_threads(client: Client) -> list[str]:
    found: list[str] = []

    def fork() -> None:
        found.extend(child(lambda: add(client)) for _ in range(CHILDREN // 4))

    threads = [threading.Thread(target=fork) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def new_clients(client: Client) -> list[str]:
    with calls_under_way(client):
        return [child(lambda: add_by_new_clients(client.address)) for _ in range(CHILDREN // 2)]


def grandchildren(client: Client) -> list[str]:
    add(client)

    def ask() -> str:
        add(client)
        return child(lambda: add(client))

    return [child(ask) for _ in range(CHILDREN // 4)]


def closed_in_the_child(client: Client) -> list[str]:
    def close() -> str:
        client.close()
        try:
            return str(add(client))
        except errors.ClientClosed:
            return "closed"

    add(client)
    found = [child(close, leaves=True) for _ in range(CHILDREN // 4)]
    add(client)
    return found


def a_pool(client: Client) -> list[str]:
    global shared
    shared = client
    add(client)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        return [str(found) for found in pool.map(add_shared, range(CHILDREN))]


shared: Client


def add_shared(_: int) -> list[float]:
    return add(shared)


def a_long_call(client: Client) -> list[str]:
    """A call that is under way for longer than a fork waits."""
    steps = {"steps": np.int32(3_000_000)}
    failures: list[errors.ImpastoError] = []

    def wait() -> None:
        try:
            client.predict("slow", steps, timeout=600)
        except errors.CallAborted:
            pass
        except errors.ImpastoError as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not forks.process().calling:
        pass
    found = [child(lambda: add(client)), child(lambda: add_by_new_clients(client.address))]
    add(client)
    client.close()
    thread.join()
    assert not failures
    return found


def an_async_client(client: Client) -> list[str]:
    async def fork(address: str) -> list[str]:
        async with AsyncClient(address) as asynchronous:
            expected = await add_awaited(asynchronous)
            found = [child(lambda: asyncio.run(add_awaited(asynchronous))), child(lambda: add(client))]
            assert await add_awaited(asynchronous) == expected
            return found

    return asyncio.run(fork(client.address))


def a_closed_async_client(client: Client) -> list[str]:
    async def ask() -> AsyncClient:
        async with AsyncClient(client.address) as asynchronous:
            await add_awaited(asynchronous)
            return asynchronous

    found = []
    for _ in range(CHILDREN // 4):
        asyncio.run(ask())
        found.append(child(lambda: add_by_new_clients(client.address)))
    return found


def an_unused_async_client(client: Client) -> list[str]:
    async def fork(unused: AsyncClient) -> list[str]:
        return [child(lambda: asyncio.run(add_awaited(unused))) for _ in range(CHILDREN // 4)]

    return asyncio.run(fork(AsyncClient(client.address)))


def in_the_middle_of_a_map(client: Client) -> list[str]:
    outcomes = client.map([add_awaited] * 8)
    expected = next(outcomes).result
    found = [child(lambda: next(outcomes), leaves=True), child(outcomes.close, leaves=True)]
    assert [outcome.result for outcome in outcomes] == [expected] * 7
    return found


def main() -> None:
    case, address, *ca = sys.argv[1:]
    tls = TlsOptions(ca=ca[0]) if ca else None
    with Client(address, tls=tls) as client:
        print(json.dumps(collections.Counter(globals()[case](client))))  # noqa: T201


if __name__ == "__main__":
    main()
