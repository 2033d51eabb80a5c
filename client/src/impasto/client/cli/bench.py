"""`impasto bench`: measure a running server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import click
import numpy as np

from impasto.client.async_client import AsyncClient
from impasto.client.cli import exit_codes
from impasto.client.cli.numbers import Number
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import print_json, print_table
from impasto.client.cli.streams import note
from impasto.client.errors import CallError, ModelNotFound, ServerOverloaded
from impasto.client.metadata import State
from impasto.client.settings import CallKind
from impasto.client.signatures import DREAM, MODELS, SRCNN, STYLE_SIDE, STYLIZE, TRANSFER

_KINDS: Final[Mapping[str, CallKind]] = {
    SRCNN.name: "upscale",
    STYLIZE.name: "stylize",
    DREAM.name: "dream",
    TRANSFER.name: "transfer",
}
"""What a call of each model is for, and so how long it may take."""

_HEADER: Final = (
    "MODEL",
    "AT ONCE",
    "CALLS",
    "FAILED",
    "P50 MS",
    "P90 MS",
    "P99 MS",
    "MAX MS",
    "CALLS/S",
    "MP/S",
)


@dataclass(frozen=True)
class Figures:
    """What was measured of one model at one concurrency.

    Attributes:
        model: its name on the server.
        concurrency: calls under way at once.
        calls: answered.
        failed: calls that ended with an error.
        p50_ms: the median of the answered calls' milliseconds, from the request to the parsed answer; None without
            one, likewise the next.
        p90_ms: nine of ten calls took no longer.
        p99_ms: 99 of a hundred.
        max_ms: the longest.
        calls_per_second: answered.
        megapixels_per_second: of the pictures sent with them.
        first_error: of the failed calls, if there are any.
    """

    model: str
    concurrency: int
    calls: int
    failed: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    calls_per_second: float
    megapixels_per_second: float
    first_error: str | None


@dataclass
class _Tally:
    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    first_error: str | None = None

    def fail(self, error: CallError) -> None:
        self.failed += 1
        self.first_error = self.first_error or str(error)


def _size(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, int]:
    """`256x256` as height and width."""
    width, _, height = value.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) <= 8192 and 0 < int(height) <= 8192):
        raise click.BadParameter(f"{value!r} is not WIDTHxHEIGHT, such as 256x256, each 1 to 8192")
    return int(height), int(width)


def _numbers(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    """`1,4,16` as numbers."""
    parts = value.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 1000 for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of numbers from 1 to 1000, such as 1,4,16")
    return tuple(int(part) for part in parts)


@click.command(short_help="Measure a running server: latency and throughput.")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option(
    "--concurrency",
    callback=_numbers,
    default="1,4",
    show_default=True,
    metavar="N,...",
    help="How many calls are under way at once; each is measured by itself.",
)
@click.option(
    "--seconds",
    type=Number(min=0.1, max=3600),
    default=5.0,
    show_default=True,
    help="How long each measurement takes; a call that has begun is awaited.",
)
@click.option(
    "--size",
    callback=_size,
    default="256x256",
    show_default=True,
    metavar="WxH",
    help="Of the pictures sent.",
)
@common_options
def bench(
    *,
    common: Common,
    models: tuple[str, ...],
    concurrency: tuple[int, ...],
    seconds: float,
    size: tuple[int, int],
) -> int:
    """Measure a running server: latency percentiles, and throughput at a concurrency, for each model.

    MODEL is srcnn, stylize, dream or transfer; without one, all of them that the server has. What is timed is a call,
    from the request to the parsed answer, as this machine sees it: one picture of noise of the given size, doubled,
    painted, or, by dream and transfer, taken one step. Each measurement begins with some calls that do not count, as a
    model may be slow at its first.

    \b
      impasto bench
      impasto bench srcnn --concurrency 1,4,16 --seconds 10 --size 512x512 --json
    """
    for model in models:
        if model not in MODELS:
            raise click.UsageError(f"{model!r} is not one of {', '.join(MODELS)}")
    found: list[Figures] = []
    try:
        asyncio.run(_measure_all(common, models, found, concurrency=concurrency, seconds=seconds, size=size))
    finally:
        _report(found, as_json=common.as_json)
    return exit_codes.FAILED if any(figures.failed for figures in found) else exit_codes.DONE


async def _measure_all(
    common: Common,
    models: Sequence[str],
    found: list[Figures],
    *,
    concurrency: Sequence[int],
    seconds: float,
    size: tuple[int, int],
) -> None:
    async with AsyncClient(settings=common.settings()) as client:
        for model in models or await _served(client):
            inputs = _inputs(model, size)
            for calls in concurrency:
                if not common.quiet:
                    note(f"{model}, {calls} at once, {seconds:g} s ...")
                found.append(
                    await _measure(client, model, inputs, concurrency=calls, seconds=seconds, size=size)
                )


async def _served(client: AsyncClient) -> list[str]:
    """The contract's models that the server has. Raises ModelNotFound if it has none."""
    there: list[str] = []
    for model in MODELS:
        try:
            versions = await client.status(model)
        except ModelNotFound:
            continue
        if any(version.state is State.AVAILABLE for version in versions):
            there.append(model)
    if not there:
        raise ModelNotFound(f"{client.address} serves none of {', '.join(MODELS)}", address=client.address)
    return there


def _inputs(model: str, size: tuple[int, int]) -> Mapping[str, object]:
    """Of a call of serving_default."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*size, 3), np.uint8)
    painting = rng.integers(0, 256, (STYLE_SIDE, STYLE_SIDE, 3), np.uint8)
    one, only = np.int32(1), np.zeros(1, np.int32)
    inputs: dict[str, dict[str, object]] = {
        SRCNN.name: {"image": picture[np.newaxis]},
        STYLIZE.name: {"content": picture[np.newaxis], "style": painting[np.newaxis]},
        DREAM.name: {"image": picture, "steps": one, "octaves": only},
        TRANSFER.name: {"content": picture, "style": picture[::-1], "steps": one},
    }
    return inputs[model]


async def _measure(
    client: AsyncClient,
    model: str,
    inputs: Mapping[str, object],
    *,
    concurrency: int,
    seconds: float,
    size: tuple[int, int],
) -> Figures:
    tally = _Tally()
    timeout = getattr(client.settings.timeouts, _KINDS[model])

    async def call() -> None:
        await client.predict(model, inputs, timeout=timeout)

    await _warm_up(call, tally, concurrency=concurrency)
    started = time.perf_counter()

    async def call_on() -> None:
        while time.perf_counter() < started + seconds:
            begun = time.perf_counter()
            try:
                await call()
            except CallError as error:
                tally.fail(error)
            else:
                tally.seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(call_on() for _ in range(concurrency)))
    return _figures(tally, time.perf_counter() - started, model=model, concurrency=concurrency, size=size)


async def _warm_up(call: Callable[[], Awaitable[None]], tally: _Tally, *, concurrency: int) -> None:
    """The first calls of a model build what the later ones use, so those that are answered are not counted.

    Raises:
        CallError: one failed, other than for want of the server's threads.
    """
    for answer in await asyncio.gather(*(call() for _ in range(concurrency)), return_exceptions=True):
        if isinstance(answer, ServerOverloaded):
            tally.fail(answer)
        elif isinstance(answer, BaseException):
            raise answer


def _figures(
    tally: _Tally, elapsed: float, *, model: str, concurrency: int, size: tuple[int, int]
) -> Figures:
    calls = len(tally.seconds)

    def percentile(share: float) -> float | None:
        return round(1000 * float(np.percentile(tally.seconds, share)), 2) if calls else None

    return Figures(
        model,
        concurrency,
        calls,
        tally.failed,
        p50_ms=percentile(50),
        p90_ms=percentile(90),
        p99_ms=percentile(99),
        max_ms=percentile(100),
        calls_per_second=round(calls / elapsed, 2),
        megapixels_per_second=round(calls * size[0] * size[1] / 1e6 / elapsed, 3),
        first_error=tally.first_error,
    )


def _report(found: Sequence[Figures], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(figures) for figures in found])
        return
    if found:
        print_table(_HEADER, [_row(figures) for figures in found])
    for figures in found:
        if figures.first_error is not None:
            note(f"impasto: {figures.model}: {figures.first_error}")


def _row(figures: Figures) -> list[str]:
    values: list[Any] = list(asdict(figures).values())[:-1]
    return ["-" if value is None else str(value) for value in values]
