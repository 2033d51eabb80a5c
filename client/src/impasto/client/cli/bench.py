"""`impasto bench`: latency and throughput of a running server's models, at numbers of calls at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import click
import numpy as np

from impasto.client import AsyncClient, State, errors, settings, signatures
from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, Number, common_options
from impasto.client.cli.output import note, print_json, print_table
from impasto.client.repository.contract import contract_of

_KINDS: Mapping[str, settings.CallKind] = {
    signatures.UPSCALE.name: "upscale",
    signatures.STYLIZE.name: "stylize",
    signatures.DREAM.name: "dream",
    signatures.TRANSFER.name: "transfer",
}
"""The kind of the calls of each contract's models, which says how long they may take."""


@dataclass(frozen=True)
class Figures:
    """The figures of one model at one concurrency.

    Attributes:
        model: its name on the server.
        signature: the one that was called.
        concurrency: calls under way at once.
        calls: answered.
        failed: calls that ended with an error.
        p50_ms: the median of the answered calls' milliseconds, from the request to the parsed answer; None without
            one, as are the next three.
        p90_ms: nine of ten calls took no longer.
        p99_ms: 99 of a hundred.
        max_ms: the longest.
        calls_per_second: answered.
        megapixels_per_second: of the pictures sent with them.
        first_error: of the failed calls, if there are any.
    """

    model: str
    signature: str
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

    def fail(self, error: errors.CallError) -> None:
        self.failed += 1
        self.first_error = self.first_error or str(error)


@dataclass(frozen=True)
class Target:
    """A model that can be measured.

    Attributes:
        model: its name on the server.
        contract: the contract that it keeps.
        signature: the one to call.
    """

    model: str
    contract: signatures.ModelContract
    signature: str = signatures.SERVING_DEFAULT


async def target_of(client: AsyncClient, model: str, *, factor: int | None) -> Target:
    """Find out what to call of a model.

    Args:
        client: of the server.
        model: the model's name.
        factor: by which an upscaler is to enlarge; None is its first one, and takes any model.

    Raises:
        CallError: the server does not tell the model's signatures.
        InvalidInput: the model keeps none of Impasto's contracts, or does not enlarge by the factor.
    """
    if model in signatures.MODELS and factor is None:
        return Target(model, signatures.MODELS[model])
    served = (await client.metadata(model)).signatures
    contract = contract_of(model, served)
    if contract is None:
        kinds = ", ".join(signatures.CONTRACTS)
        raise errors.InvalidInput(
            f"{model} keeps none of Impasto's contracts ({kinds}), so its inputs are not known", model=model
        )
    if factor is None:
        return Target(model, contract)
    if signatures.FACTORS[factor] not in served:
        has = ", ".join(str(number) for number, name in signatures.FACTORS.items() if name in served)
        told = f"it has --factor {has}" if has else "it is no upscaler of several factors"
        raise errors.InvalidInput(f"{model} does not enlarge by {factor}: {told}", model=model)
    return Target(model, contract, signatures.FACTORS[factor])


async def measure(
    client: AsyncClient,
    target: Target,
    *,
    concurrency: int,
    seconds: float,
    size: tuple[int, int],
) -> Figures:
    """Keep calls under way for some time.

    Args:
        client: of the server.
        target: what to call.
        concurrency: calls under way at once.
        seconds: for how long calls are begun.
        size: height and width of the pictures that are sent, of noise.

    Raises:
        CallError: a call failed before anything was measured, other than because the server had no free thread.
    """
    tally = _Tally()
    inputs = _inputs(target.contract.name, size)
    timeout: float = getattr(client.settings.timeouts, _KINDS[target.contract.name])

    async def call() -> None:
        await client.predict(target.model, inputs, signature=target.signature, timeout=timeout)

    await _warm_up(call, tally, concurrency=concurrency)
    started = time.perf_counter()

    async def call_on() -> None:
        while time.perf_counter() < started + seconds:
            begun = time.perf_counter()
            try:
                await call()
            except errors.CallError as error:
                tally.fail(error)
            else:
                tally.seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(call_on() for _ in range(concurrency)))
    return _figures(tally, time.perf_counter() - started, target, concurrency=concurrency, size=size)


def _inputs(contract: str, size: tuple[int, int]) -> Mapping[str, object]:
    """Return the inputs of a call of serving_default."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*size, 3), np.uint8)
    painting = rng.integers(0, 256, (signatures.STYLE_SIDE, signatures.STYLE_SIDE, 3), np.uint8)
    one, only = np.int32(1), np.zeros(1, np.int32)
    inputs: dict[str, dict[str, object]] = {
        signatures.UPSCALE.name: {"image": picture[np.newaxis]},
        signatures.STYLIZE.name: {"content": picture[np.newaxis], "style": painting[np.newaxis]},
        signatures.DREAM.name: {"image": picture, "steps": one, "octaves": only},
        signatures.TRANSFER.name: {"content": picture, "style": picture[::-1], "steps": one},
    }
    return inputs[contract]


async def _warm_up(call: Callable[[], Awaitable[None]], tally: _Tally, *, concurrency: int) -> None:
    """The first calls of a model build what the later ones use, so those that are answered are not counted.

    Raises:
        CallError: one failed, other than because the server had no free thread.
    """
    for answer in await asyncio.gather(*(call() for _ in range(concurrency)), return_exceptions=True):
        if isinstance(answer, errors.ServerOverloaded):
            tally.fail(answer)
        elif isinstance(answer, BaseException):
            raise answer


def _figures(
    tally: _Tally, elapsed: float, target: Target, *, concurrency: int, size: tuple[int, int]
) -> Figures:
    calls = len(tally.seconds)

    def percentile(share: float) -> float | None:
        return round(1000 * float(np.percentile(tally.seconds, share)), 2) if calls else None

    return Figures(
        target.model,
        target.signature,
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


_HEADER: Final = (
    "MODEL",
    "SIGNATURE",
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
@click.option(
    "--factor",
    type=click.Choice([str(factor) for factor in signatures.FACTORS]),
    help="Measure upscalers, by their signature for this factor.  [default: an upscaler's first factor]",
)
@common_options
def bench(
    *,
    common: Common,
    models: tuple[str, ...],
    factor: str | None,
    concurrency: tuple[int, ...],
    seconds: float,
    size: tuple[int, int],
) -> int:
    """Measure a running server: latency percentiles, and throughput at a concurrency, for each model.

    MODEL is an upscaler, stylizer, dream or transfer of any name; without one, all of Impasto's names that the server
    has. What is timed is a call, from the request to the parsed answer, as this machine sees it: one picture of noise
    of the given size, enlarged, painted, or, by dream and transfer, taken one step. Each measurement begins with some
    calls that do not count, as a model may be slow at its first.

    \b
      impasto bench
      impasto bench srcnn --concurrency 1,4,16 --seconds 10 --size 512x512 --json
      impasto bench upscaler-small realesrgan-x4plus --factor 4
    """
    found: list[Figures] = []
    by = None if factor is None else int(factor)
    try:
        asyncio.run(
            _measure_all(
                common, models, found, factor=by, concurrency=concurrency, seconds=seconds, size=size
            )
        )
    finally:
        _report(found, as_json=common.as_json)
    return exit_codes.FAILED if any(figures.failed for figures in found) else exit_codes.DONE


async def _measure_all(
    common: Common,
    models: Sequence[str],
    found: list[Figures],
    *,
    factor: int | None,
    concurrency: Sequence[int],
    seconds: float,
    size: tuple[int, int],
) -> None:
    async with AsyncClient(settings=common.settings()) as client:
        if models:
            targets = [await target_of(client, model, factor=factor) for model in models]
        else:
            targets = await _served(client, factor)
        for target in targets:
            for calls in concurrency:
                if not common.quiet:
                    note(f"{target.model}, {calls} at once, {seconds:g} s ...")
                found.append(await measure(client, target, concurrency=calls, seconds=seconds, size=size))


async def _served(client: AsyncClient, factor: int | None) -> list[Target]:
    """Impasto's models that the server has; the upscalers that enlarge by the factor, if one is given.

    Raises:
        ModelNotFound: it has none.
    """
    there: list[Target] = []
    for model in signatures.MODELS:
        try:
            versions = await client.status(model)
        except errors.ModelNotFound:
            continue
        if any(version.state is State.AVAILABLE for version in versions):
            with suppress(errors.InvalidInput):  # it has other factors, or none
                there.append(await target_of(client, model, factor=factor))
    if not there:
        raise errors.ModelNotFound(
            f"{client.address} serves none of {', '.join(signatures.MODELS)}"
            f"{'' if factor is None else f' that enlarges by {factor}'}; name a model that it does serve",
            address=client.address,
        )
    return there


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
