"""The way from a picture to the size that is asked for: the model's factors, the tiles, and the size to reduce to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from impasto.client._jobs import Size, values
from impasto.client._models.tiling import Tile, plan
from impasto.client._models.upscale.description import UpscaleDescription
from impasto.client.errors import ImageTooLarge, InvalidInput

Factor: TypeAlias = int | Sequence[int]
TileSide: TypeAlias = int | Literal["auto"]

AUTO: Final = "auto"
LARGEST_SIDE: Final = 1_000_000
MOST_MEGAPIXELS: Final = 100_000
_LEAST_MEGAPIXELS: Final = 1e-6
_OF_MANY_FACTORS: Final = "upscaler-small"
_TRAINED: Final = (2, 3, 4)
"""The factors of that model, which is committed with the project."""


class Asked(Protocol):
    """The fields of a job that say how large its result is to be, and in which tiles it is made."""

    @property
    def factor(self) -> Factor | None:
        """A factor, or several that are taken one after the other."""
        ...

    @property
    def size(self) -> tuple[int, int] | None:
        """The width and height that the result is to fit into."""
        ...

    @property
    def megapixels(self) -> float | None:
        """The millions of pixels that the result is to have."""
        ...

    @property
    def tile(self) -> TileSide | None:
        """The side of tiles."""
        ...


class Pass(NamedTuple):
    """One pass of a picture through the model.

    Attributes:
        factor: what it enlarges by.
        size: height and width of what is enlarged.
        padded: those of what is sent, which are larger where the model takes no side as small.
        tiles: the tiles, row by row.
    """

    factor: int
    size: Size
    padded: Size
    tiles: tuple[Tile, ...]


class Enlargement(NamedTuple):
    """The passes of a picture through the model, one after the other; none if it is only reduced.

    Attributes:
        passes: the passes.
        enlarged: height and width of what the last pass makes.
        size: those of the result, which is reduced to them.
    """

    passes: tuple[Pass, ...]
    enlarged: Size
    size: Size


def checked_sizes(job: Asked) -> dict[str, Any]:
    """Return the fields as they are kept. Raises InvalidInput, which names a field, or two that exclude each other."""
    given = {"factor": job.factor, "size": job.size, "megapixels": job.megapixels}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidInput(f"{' and '.join(named)}: each says how large the result is; give one of them")
    tile = job.tile
    return {
        "factor": None if job.factor is None else _factor(job.factor),
        "size": None if job.size is None else _size(job.size),
        "megapixels": None
        if job.megapixels is None
        else values.real("megapixels", job.megapixels, _LEAST_MEGAPIXELS, MOST_MEGAPIXELS),
        "tile": tile if tile is None or tile == AUTO else _tile(tile),
    }


def enlargement(
    job: Asked, size: Size, told: UpscaleDescription, *, model: str, max_pixels: int
) -> Enlargement:
    """Return the way from a picture to the result that a job asks for.

    Args:
        job: the job.
        size: height and width of the picture.
        told: the model's description.
        model: its name, for messages.
        max_pixels: the most pixels of a picture between two passes, which is kept as a whole.

    Raises:
        InvalidInput: the model lacks the factor, or tiles of this size do not suit it.
        ImageTooLarge: a picture between two passes is.
    """
    factors, result = _way(job, size, told, model)
    passes: list[Pass] = []
    between = size
    for factor in factors:
        if passes and math.prod(between) > max_pixels:
            remedy = "ask for a smaller result" if job.factor is None else "take the smaller factor first"
            raise ImageTooLarge(
                f"between two passes the picture has {math.prod(between):,} pixels, and the limit is {max_pixels:,}: "
                f"{remedy}, or raise max_pixels (--max-pixels)"
            )
        padded = max(between[0], told.minimum_side), max(between[1], told.minimum_side)
        passes.append(Pass(factor, between, padded, _tiles(job.tile, padded, told, model)))
        between = between[0] * factor, between[1] * factor
    return Enlargement(tuple(passes), between, result or between)


def _way(job: Asked, size: Size, told: UpscaleDescription, model: str) -> tuple[tuple[int, ...], Size | None]:
    """Return the factors, and the size to reduce to, if the job asks for one."""
    if job.size is not None:
        result = fitting(size, job.size)
    elif job.megapixels is not None:
        result = of_megapixels(size, job.megapixels)
    elif job.factor is None:
        return (told.factors[0],), None
    else:
        factors = (job.factor,) if isinstance(job.factor, int) else tuple(job.factor)
        check_factors(factors, told, model)
        return factors, None
    needed = max(-(-wanted // side) for wanted, side in zip(result, size, strict=True))
    return shortest_chain(needed, told.factors), result


def check_factors(factors: Sequence[int], told: UpscaleDescription, model: str) -> None:
    """Check that the model has these factors. Raises InvalidInput, which lists those it has, and a way to reach one."""
    lacking = next((factor for factor in factors if factor not in told.factors), None)
    if lacking is None:
        return
    having = ", ".join(map(str, sorted(told.factors)))
    chain = shortest_chain(lacking, told.factors)
    remedy = "give one that it has"
    if len(chain) > 1 and math.prod(chain) == lacking:
        remedy += (
            f", or several that are taken one after the other: {chain} (--factor {'x'.join(map(str, chain))})"
        )
    if lacking in _TRAINED:
        remedy += f", or a model that has it, such as {_OF_MANY_FACTORS}"
    raise InvalidInput(f"factor is {lacking}; {model} enlarges by {having}: {remedy}", model=model)


def shortest_chain(needed: int, factors: Sequence[int]) -> tuple[int, ...]:
    """Return the factors whose product reaches what is needed: as few as do, and of those the least product.

    The smaller come first, for then the later passes have less to do. None are needed for 1.
    """
    if needed <= 1:
        return ()
    length = 1
    while max(factors) ** length < needed:
        length += 1
    chains = combinations_with_replacement(sorted(factors), length)
    return min((chain for chain in chains if math.prod(chain) >= needed), key=math.prod)


def fitting(size: Size, box: tuple[int, int]) -> Size:
    """Return height and width of the largest picture of these proportions within a width and a height."""
    height, width = size
    widest, highest = box
    if widest * height <= highest * width:
        return max(1, _rounded(height * widest, width)), widest
    return highest, max(1, _rounded(width * highest, height))


def of_megapixels(size: Size, megapixels: float) -> Size:
    """Return height and width of the picture of these proportions that has so many millions of pixels."""
    scale = math.sqrt(megapixels * 1e6 / math.prod(size))
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def _rounded(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)


def check_tile(asked: TileSide | None, told: UpscaleDescription, model: str) -> None:
    """Check that tiles of this side suit the model. Raises InvalidInput."""
    least = max(2 * told.overlap + 1, told.minimum_side)
    if isinstance(asked, int) and asked < least:
        raise InvalidInput(f"tile is {asked}; it must be {least} or more for {model}", model=model)


def _tiles(asked: TileSide | None, size: Size, told: UpscaleDescription, model: str) -> tuple[Tile, ...]:
    height, width = size
    check_tile(asked, told, model)
    whole = max(height, width, 2 * told.overlap + 1)
    side = whole if asked is None else told.tile if isinstance(asked, str) else asked
    sent = min(height, side) * min(width, side)
    if sent > told.maximum_pixels:
        pieces = f"tiles of {side} x {side} pixels" if asked else f"{width} x {height} pixels at once"
        raise InvalidInput(
            f"tile is {asked}, which sends {pieces}, and {model} takes {told.maximum_pixels:,} in a call: "
            f"take smaller tiles, such as {told.tile}, which suit it",
            model=model,
        )
    return plan(height, width, tile=side, overlap=told.overlap, minimum_side=told.minimum_side)


def _factor(given: Any) -> int | tuple[int, ...]:
    try:
        chain = tuple(given) if not isinstance(given, str | bytes) else (given,)
    except TypeError:
        return values.whole("factor", given, 2, values.LARGEST_INT32)
    factors = tuple(values.whole("factor", each, 2, values.LARGEST_INT32) for each in chain)
    if not factors:
        raise InvalidInput("factor is empty; give a factor, or several that are taken one after the other")
    return factors[0] if len(factors) == 1 else factors


def _size(given: Any) -> tuple[int, int]:
    try:
        width, height = given
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"size is {given!r}; it must be a width and a height, such as (3840, 2160)"
        ) from error
    return values.whole("size", width, 1, LARGEST_SIDE), values.whole("size", height, 1, LARGEST_SIDE)


def _tile(given: Any) -> int:
    if isinstance(given, str):
        raise InvalidInput(f"tile is {given!r}; it must be a whole number, {AUTO!r} or None")
    return values.whole("tile", given, 1, values.LARGEST_INT32)
