"""Rows of a result, kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class KeptRows:
    """A sink of rows.

    Attributes:
        begun: how often the picture was begun.
        size: the width and height that were told.
        mode: the mode that was told.
        rows: those that came since the picture was begun last.
    """

    begun: int = 0
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    rows: list[NDArray[np.uint8]] = field(default_factory=list[NDArray[np.uint8]])

    def begin(self, size: tuple[int, int], mode: str, info: Mapping[str, Any]) -> None:
        """Begin a picture, or begin it again."""
        self.begun += 1
        self.size, self.mode, self.rows = size, mode, []

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        self.rows.append(rows)
