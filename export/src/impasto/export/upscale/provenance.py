"""The origin of somebody else's upscaler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The origin of a network's weights.

    Attributes:
        source: `realesrgan` or `keras`.
        origin: one line for people: which network, by whom, taken from where.
        licence: the licence of the weights and of what carried them.
        sha256: the SHA-256 of each file that was read, by name.
    """

    source: str
    origin: str
    licence: str
    sha256: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.origin}; licence: {self.licence}"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as JSON values, for the manifest."""
        return dict(vars(self))
