"""The photos and paintings that are there at the first start."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from PIL import Image

from impasto.client.studio.pictures import Kept

PHOTOS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "chelsea": "a cat, by Stéfan van der Walt (CC0), from scikit-image",
        "astronaut": "Eileen Collins, by NASA (public domain), from scikit-image",
        "coffee": "an espresso, by Rachel Michetti (CC0), from scikit-image",
    }
)
PAINTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "night": "lights in a whirling sky, long strokes; made for Impasto out of formulas and noise (CC0)",
        "meadow": "poppies and trees, dabs; made for Impasto out of formulas and noise (CC0)",
        "surf": "a red sun over waves, thick paint; made for Impasto out of formulas and noise (CC0)",
        "cat": "a cat in orange, short strokes; made for Impasto after a photo of Stéfan van der Walt (CC0)",
    }
)
"""The words for each file: what it shows, who made it, and its licence. `examples/README.md` says more."""


def photos() -> list[Kept]:
    """Return the example photos."""
    return [_example(name, "photo", credit) for name, credit in PHOTOS.items()]


def paintings() -> list[Kept]:
    """Return the example paintings."""
    return [_example(name, "painting", credit) for name, credit in PAINTINGS.items()]


def _example(name: str, what: str, credit: str) -> Kept:
    path = Path(str(resources.files(__name__) / f"{name}.jpg"))
    with Image.open(path) as image:
        size = image.size
    return Kept(
        id=f"{what}-{name}",
        name=path.name,
        path=path,
        kind="image/jpeg",
        size=size,
        bytes=path.stat().st_size,
        credit=credit,
    )
