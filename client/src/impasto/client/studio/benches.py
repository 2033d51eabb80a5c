"""A bench of a model: what one picture takes, in seconds, once the model is warm."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from impasto.client import AsyncClient, Dream, ImpastoError, Job, Stylize, Transfer, Upscale, signatures
from impasto.client.repository.contract import contract_of
from impasto.client.studio.refusals import words_of

_SIDE: Final = 256
_STEPS: Final = 5


async def measure(client: AsyncClient, model: str, factor: int | None) -> dict[str, Any]:
    """Return the figures of a model: its name, what was done, the seconds that it took, or the error.

    Args:
        client: of the server.
        model: the model's name.
        factor: of an upscaler, the one that is measured; None for its first.
    """
    what = ""
    try:
        job, what = await _job(client, model, factor)
        await client.run(job)  # the first call builds what the later ones use
        began = time.perf_counter()
        await client.run(job)
        seconds = time.perf_counter() - began
    except ImpastoError as error:
        return {"model": model, "what": what, "seconds": None, "error": words_of(error)}
    return {"model": model, "what": what, "seconds": round(seconds, 4), "error": None}


async def _job(client: AsyncClient, model: str, factor: int | None) -> tuple[Job[Any, Any], str]:
    contract = signatures.MODELS.get(model) or contract_of(model, (await client.metadata(model)).signatures)
    name = None if contract is None else contract.name
    picture = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    photo = f"a photo of {_SIDE} \N{MULTIPLICATION SIGN} {_SIDE}"
    if name == signatures.UPSCALE.name:
        by = "" if factor is None else f", factor {factor}"
        return Upscale(picture, factor=factor, model=model), f"{photo}{by}"
    if name == signatures.STYLIZE.name:
        return Stylize(picture, picture[::-1], model=model), f"{photo}, one painting"
    if name == signatures.DREAM.name:
        return Dream(picture, steps=_STEPS, octaves=[0], model=model), f"{photo}, {_STEPS} steps"
    if name == signatures.TRANSFER.name:
        job = Transfer(picture, picture[::-1], epochs=1, steps_per_epoch=_STEPS, model=model)
        return job, f"{photo}, {_STEPS} steps"
    raise ImpastoError(f"{model} is none of Impasto's kinds of models, so there is no picture for it")
