"""From one frame of a zoom sequence to the next."""

from __future__ import annotations

from PIL import Image


def zoom_in(image: Image.Image, *, factor: float) -> Image.Image:
    """The middle of an image, enlarged to the image's size, with its colour profile, resolution and EXIF data.

    Args:
        image: of any mode.
        factor: how much larger things become, 1 or more; at 1.05 fourteen frames double them.

    Raises:
        ValueError: the factor is less than 1, or no number.
    """
    if not 1.0 <= factor < float("inf"):
        raise ValueError(f"factor is {factor}; it must be 1 or more")
    width, height = image.size
    left, top = (width - width / factor) / 2, (height - height / factor) / 2
    box = (left, top, width - left, height - top)
    zoomed = image.resize(image.size, Image.Resampling.BICUBIC, box=box)
    zoomed.info.update({key: image.info[key] for key in ("icc_profile", "dpi", "exif") if key in image.info})
    return zoomed
