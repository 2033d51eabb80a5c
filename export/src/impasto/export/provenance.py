"""The origin of a network, for people and for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The origin of a network that others have trained.

    Attributes:
        source: the kind of place that it was taken from, as the command line names it: `hub`, `package`, `realesrgan`
            or `keras`.
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


def trained_here(training: Mapping[str, Any]) -> str:
    """Say in a line where the weights of a training of ours are from, by its record."""
    photos = training.get("photos", [])
    if not photos:
        return "untrained, by impasto-export"
    licences = sorted({photo.get("licence", "unknown licence") for photo in photos})
    return f"trained by impasto-export on {len(photos)} photos ({', '.join(licences)}); Apache-2.0"
