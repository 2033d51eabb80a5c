"""Latency and throughput of a server's model, at a number of calls at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from impasto.client import AsyncClient, errors, settings, signatures
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
