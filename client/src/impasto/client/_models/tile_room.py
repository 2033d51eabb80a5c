"""The room that a server has for tiles: where its memory is short, a picture goes on in smaller ones."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

from impasto.client._models.tiling import OVERLAP, Tile, cut, halved
from impasto.client._transport.observing import LOGGER
from impasto.client.errors import OutOfMemory
from impasto.client.printable import printable

LEAST_SIDE: Final = 64
"""The least side, in pixels, that tiles shrink to: smaller ones are mostly overlap, and need next to no memory."""


class TileRoom:
    """The longest side of the tiles that a server has the memory for, as far as a picture has found out.

    Tiles may be sent at the same time: each of them that is refused asks for the same, smaller side.

    Args:
        model: the model's name.
        sides: what is known, by model; pictures of one greater job share it.
    """

    def __init__(self, model: str, sides: MutableMapping[str, int]) -> None:
        self._model = model
        self._sides = sides
        self._note = ""

    @property
    def note(self) -> str:
        """The words for smaller tiles than were asked for; empty while there are none."""
        return self._note

    def takes(self, tile: Tile) -> bool:
        """Return whether a tile is small enough, as far as is known."""
        return tile.side <= self._sides.get(self._model, tile.side)

    def shrink(self, tile: Tile, refusal: OutOfMemory) -> None:
        """Know that a tile was refused, and halve the side.

        Raises:
            OutOfMemory: the refusal, where smaller tiles are not worth a try.
        """
        side = halved(tile.side, overlap=OVERLAP)
        if side < LEAST_SIDE:
            raise refusal.in_words(
                f"{refusal}; it has no memory for a tile of {tile.side} x {tile.side} pixels, which needs very little: "
                "other programs or calls have taken it"
            ) from refusal
        if side < self._sides.get(self._model, tile.side):
            self._sides[self._model] = side
            LOGGER.warning(
                "%s", printable(f"tiles of {self._model} are {side} pixels from now on: {refusal}")
            )

    def parts(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the smaller tiles that are sent for one that is too large."""
        side = self._sides[self._model]
        self._note = (
            f"in tiles of {side} pixels, because {self._model}'s server has no memory for larger ones"
        )
        return cut(tile, side=side, overlap=OVERLAP)
