"""The pixels of a picture that the pixels of a feature map depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A feature map's view of the picture, the same in both directions.

    Attributes:
        spans: for each of the map's pixels that lie over one pixel of the picture, along one side: the first and the
            last pixel of the picture that it depends on, counted from that one.
    """

    spans: tuple[tuple[int, int], ...] = ((0, 0),)

    @property
    def scale(self) -> int:
        """Pixels of the map to a pixel of the picture."""
        return len(self.spans)

    @property
    def reach(self) -> int:
        """The farthest pixel of the picture, to either side."""
        return max(max(-first, last) for first, last in self.spans)

    def seen(self, pixels: Iterable[Sequence[int]]) -> View:
        """Return the view of a map whose pixels look at pixels of this one.

        Args:
            pixels: for each that lies over one pixel of the picture, what it looks at, counted from the first of this
                map's pixels there.
        """
        return View(tuple(self._span(looked_at) for looked_at in pixels))

    def widened(self, radius: int) -> View:
        """Return the view of a map that looks at `radius` pixels of this one to each side."""
        return self.seen(range(pixel - radius, pixel + radius + 1) for pixel in range(self.scale))

    def enlarged(self, factor: int) -> View:
        """Return the view of a map `factor` times as large, each pixel of which looks at the one that it lies in."""
        return self.seen([pixel // factor] for pixel in range(self.scale * factor))

    def _span(self, pixels: Sequence[int]) -> tuple[int, int]:
        seen = [(pixel // self.scale, self.spans[pixel % self.scale]) for pixel in pixels]
        return min(place + first for place, (first, _) in seen), max(
            place + last for place, (_, last) in seen
        )


def joined(views: Iterable[View]) -> View:
    """Return the view of what looks at several maps of one scale. Raises ValueError for several scales."""
    maps = list(views)
    if len(scales := sorted({view.scale for view in maps})) != 1:
        raise ValueError(f"maps at {scales} times the picture's size do not fit together")
    spans = zip(*(view.spans for view in maps), strict=True)
    return View(tuple((min(first for first, _ in each), max(last for _, last in each)) for each in spans))
