"""A served upscaler's description of itself, which is asked for once for each version of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from impasto.client._answers import told
from impasto.client._jobs import Learning, PinnedModel, Steps
from impasto.client._models.planning import DESCRIBE
from impasto.client._transport.calls import Outputs, metadata_call
from impasto.client._transport.patience import patiently
from impasto.client.errors import CallError, DecodeError, InvalidInput, PreconditionFailed, SignatureNotFound
from impasto.client.model import Model
from impasto.client.signatures import FACTORS, UPSCALE

_SIGNATURE: Final = UPSCALE.signatures[DESCRIBE]
_NAMES: Final = tuple(spec.name for spec in _SIGNATURE.outputs)

_RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "reach": (0, 65_535),
        "overlap": (0, 4_096),
        "tile": (1, 16_384),
        "minimum_side": (1, 1_024),  # smaller pictures are made as large
        "maximum_pixels": (1, 2**31 - 1),
    }
)
"""The least and the most of what an upscaler says of itself: a client that believes others would fill its memory."""


@dataclass(frozen=True, kw_only=True)
class UpscaleDescription:
    """A served upscaler.

    Attributes:
        version: the version that answered.
        network: the network's name.
        weights: where its weights are from, and their licence.
        factors: what it enlarges by; the first is taken where none is asked for.
        reach: pixels of the picture, to each side, that a pixel of the result depends on.
        overlap: pixels that a tile takes along to each side. If they are fewer than `reach`, tiles are blended where
            they meet; else tiles joined equal the picture sent whole.
        tile: the side, in pixels, of the tiles that suit it.
        minimum_side: least height and width of what is sent, in pixels.
        maximum_pixels: most pixels of what is sent.
    """

    version: int
    network: str
    weights: str
    factors: tuple[int, ...]
    reach: int
    overlap: int
    tile: int
    minimum_side: int
    maximum_pixels: int

    def works_as(self, other: UpscaleDescription) -> bool:
        """Return whether pictures are sent to it as to another version, whose network may be another one."""
        return replace(self, version=other.version, network=other.network, weights=other.weights) == other

    @property
    def blends(self) -> bool:
        """True if tiles are blended where they meet."""
        return self.overlap < self.reach


def upscaler(
    model: PinnedModel, asked: Model, *, but: UpscaleDescription | None = None, anew: bool = False
) -> Steps[UpscaleDescription]:
    """Return what is known of a model, which the client's first job asks it for.

    Args:
        model: the model as the job asks it. If it is asked now, its version is the job's from then on.
        asked: what the job asks for, which another version may answer one day.
        but: what is known, and of another version than the one that answers now.
        anew: ask, whatever is known.

    Raises:
        SignatureNotFound: it does not describe itself.
        DecodeError: the answer is not what the contract promises.
        CallError: the call failed.
    """

    def learn(known: dict[Model, UpscaleDescription]) -> Steps[UpscaleDescription]:
        found = known.get(model.model)
        if found is None or found is but or anew:
            found = yield from describe_upscale(model)
        if found.version:
            known[asked] = known[Model(model.name, found.version)] = found
        return found

    found: UpscaleDescription = yield Learning(model.name, learn)
    return found


def describe_upscale(model: PinnedModel) -> Steps[UpscaleDescription]:
    """Ask the model for its description. Raises SignatureNotFound, DecodeError, CallError."""
    try:
        answer = yield from model.predict({}, signature=DESCRIBE, outputs=_NAMES)
    except (InvalidInput, PreconditionFailed) as failure:
        if (yield from _describes(model)):
            raise
        raise failure.as_kind(
            SignatureNotFound,
            f"{model.name} serves no {DESCRIBE!r} as upscalers do: is this model an upscaler? If it is, export it anew "
            "with this version of impasto-export",
        ) from failure
    return _checked(_values(answer, model.name), model)


def _describes(model: PinnedModel) -> Steps[bool]:
    """Return whether the model has the signature with all its outputs, as far as is known."""
    try:
        metadata = yield from patiently(metadata_call(model.model))
    except CallError:  # then the first failure tells more
        return True
    found = metadata.signatures.get(DESCRIBE)
    return found is not None and found.outputs.keys() >= set(_NAMES)


def _values(answer: Outputs, model: str) -> dict[str, Any]:
    """Return the one answer to the one question, as plain values."""
    values = told(answer, _SIGNATURE, names=_NAMES, model=model)
    for name, entries in values.items():
        if len(entries) != 1:
            raise DecodeError(
                f"{model} answered {name!r} with {len(entries)} entries to one question; was it exported for this "
                "client?",
                model=model,
            )
    return {name: entries[0] for name, entries in values.items()}


def _checked(values: Mapping[str, Any], model: PinnedModel) -> UpscaleDescription:
    """Return the description, if its numbers are such as an upscaler can have. Raises DecodeError."""

    def refuse(name: str, why: str) -> DecodeError:
        return DecodeError(
            f"{model.name} says that its {name} is {values[name]}, {why}; was it exported for this client?",
            model=model.name,
        )

    factors = values["factors"]
    if len(set(factors)) < len(factors) or not set(factors) <= FACTORS.keys():
        raise refuse("factors", f"and an upscaler has some of {', '.join(map(str, FACTORS))}, each once")
    for name, (least, most) in _RANGES.items():
        if not least <= values[name] <= most:
            raise refuse(name, f"which is not {least} to {most}")
    tile = values["tile"]
    if tile <= 2 * values["overlap"]:
        raise refuse("overlap", f"of which tiles of {tile} pixels keep nothing")
    if tile < values["minimum_side"]:
        raise refuse("minimum_side", f"more than its tiles of {tile} pixels")
    if tile * tile > values["maximum_pixels"]:
        raise refuse("maximum_pixels", f"fewer than its tiles of {tile} x {tile} pixels have")
    described: dict[str, Any] = {**values, "factors": tuple(factors)}
    return UpscaleDescription(**described, version=model.version)
