"""`impasto bench`: measure a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import click

from impasto.client import AsyncClient, State, errors, signatures
from impasto.client.cli import exit_codes
from impasto.client.cli.measuring import Figures, Target, measure, target_of
from impasto.client.cli.options import Common, Number, common_options
from impasto.client.cli.output import note, print_json, print_table

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
