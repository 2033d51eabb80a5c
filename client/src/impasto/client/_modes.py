"""PIL images of any mode to one of the four 8-bit ones that a Picture is made of."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms, ImageOps

from impasto.client.errors import UnsupportedImage

_WIDE: Final = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def upright_8bit(image: Image.Image, name: str) -> tuple[Image.Image, dict[str, Any]]:
    """The image the right way up, as L, LA, RGB or RGBA, and the profile and resolution that still hold for
    it.

    Args:
        image: decoded.
        name: what an error calls it.

    Raises:
        UnsupportedImage: a mode without a clear 8-bit meaning (floating point, Lab, integers beyond 16 bits).
    """
    info = _carried(image)
    upright = _upright(image)
    if upright.mode == "CMYK":
        info.pop("icc_profile", None)  # it describes inks, and the result has none
        return _from_cmyk(upright), info
    if upright.mode in _WIDE:
        return _from_wide(upright, name), info
    return upright.convert(_plain_mode(upright, name)), info


def _carried(image: Image.Image) -> dict[str, Any]:
    return {key: image.info[key] for key in ("icc_profile", "dpi") if image.info.get(key)}


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - EXIF is written by anything; an unreadable block says nothing about the pixels
        return image


def _plain_mode(image: Image.Image, name: str) -> str:
    mode = image.mode
    if mode in ("1", "L", "La", "LA"):
        return "LA" if mode in ("La", "LA") or image.has_transparency_data else "L"
    if mode in ("P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "YCbCr", "HSV"):
        return "RGBA" if image.has_transparency_data or mode in ("PA", "RGBa") else "RGB"
    raise UnsupportedImage(
        f"{name} has pixels of mode {mode} without a clear 8-bit meaning; convert it to RGB or L first"
    )


def _from_wide(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise UnsupportedImage(
            f"{name} has values from {values.min()} to {values.max()}; scale them to 0..255 first"
        )
    tones = values.astype(np.uint32)
    np.add(tones, 128, out=tones)
    np.floor_divide(tones, 257, out=tones)
    return Image.fromarray(tones.astype(np.uint8))


def _from_cmyk(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image,
                inks,
                # Pillow leaves the type of its C module's profiles open.
                ImageCms.createProfile("sRGB"),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")  # the profile is damaged; Pillow's plain formula needs none
        assert converted is not None  # None is only for inPlace
        return converted
    return image.convert("RGB")
