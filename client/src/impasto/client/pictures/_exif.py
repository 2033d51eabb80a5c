"""The part of EXIF data that still holds for a result: who, when, where and with which camera; and its way into a TIFF.

The orientation is applied to the pixels, thumbnails show the old picture, sizes and colour spaces describe it, and
maker notes point at places in the old file: all of these are left out.

libtiff, which compresses TIFF files, writes no folder of tags inside another, as EXIF data has in a TIFF.
A TIFF file is a folder of tags with offsets (TIFF 6.0, section 2), and EXIF data is one, too. The file gets a new main
folder at its end, with its own tags and those of the EXIF data; the pixels stay where they are.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from PIL import Image

from impasto.client.pictures._notes import Notes

ORIENTATION: Final = 0x0112
_CAMERA: Final = 0x8769
_GPS: Final = 0x8825

_LONGEST_TEXT: Final = 8192

Check = Callable[[Any], Any]
"""Returns a tag's value as it is written; raises if it is not what the standard says."""


def _text(value: Any) -> str:
    text = (value.decode("utf-8") if isinstance(value, bytes) else value).split("\0")[0].strip()
    if not text or len(text) > _LONGEST_TEXT:
        raise ValueError("no text of a usable length")
    text.encode("utf-8")
    return str(text)


def _fraction(value: Any) -> Any:
    number = float(value)
    if not math.isfinite(number) or not -(2**31) < number < 2**31:
        raise ValueError("no number that fits")
    return value


def several(value: Any) -> list[Any]:
    """An entry's values: one by itself, or as many as it has."""
    return list(cast("list[Any]", value)) if isinstance(value, tuple | list) else [value]


def _fractions(value: Any) -> Any:
    parts = [_fraction(part) for part in several(value)]
    if len(parts) > 4:
        raise ValueError("too many numbers")
    return parts[0] if len(parts) == 1 else tuple(parts)


def _distance(value: Any) -> Any:
    """0/0 is an unknown distance, 4294967295/1 an infinite one."""
    return value if math.isnan(value) or 0 <= float(value) < 2**32 else _fraction(value)


def _lens(value: Any) -> Any:
    """Two focal lengths and the f-numbers there, of which 0/0 is an unknown one."""
    parts = [part if math.isnan(part) else _fraction(part) for part in several(value)]
    if len(parts) != 4:
        raise ValueError("not four numbers")
    return tuple(parts)


def _whole(value: Any) -> Any:
    number = several(value)[0]
    if not isinstance(number, int) or not 0 <= number < 2**16:
        raise ValueError("no whole number of 16 bits")
    return number


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):  # which some programs write where the standard has bytes
        value = value.encode("latin-1")
    data = value if isinstance(value, bytes) else bytes(several(value))
    if len(data) > _LONGEST_TEXT:
        raise ValueError("too many bytes")
    return data


def _table(**tags: tuple[Check, tuple[int, ...]]) -> Mapping[int, Check]:
    return {tag: check for check, numbers in tags.values() for tag in numbers}


# Of the EXIF standard (CIPA DC-008), 4.6. Description, maker, model, time, artist, copyright.
_IMAGE_TAGS: Final = _table(text=(_text, (0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x8298)))
_CAMERA_TAGS: Final = _table(
    # Times with their offsets and fractions of seconds; owner, lens maker and lens.
    text=(_text, (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0xA430, 0xA433, 0xA434)),
    # Exposure time, f-number, speeds, bias, focal length.
    fractions=(_fractions, (0x829A, 0x829D, 0x9201, 0x9202, 0x9204, 0x9205, 0x920A)),
    distance=(_distance, (0x9206,)),
    lens=(_lens, (0xA432,)),
    # Programme, ISO, metering, light, flash, white balance, focal length in 35 mm film.
    whole=(_whole, (0x8822, 0x8827, 0x9207, 0x9208, 0x9209, 0xA403, 0xA405)),
)
_GPS_TAGS: Final = _table(
    data=(_bytes, (0, 5, 27, 28)),
    text=(_text, (1, 3, 8, 9, 10, 12, 14, 16, 18, 19, 21, 23, 25, 29)),
    fractions=(_fractions, (2, 4, 6, 7, 11, 13, 15, 17, 20, 22, 24, 26, 31)),
    whole=(_whole, (30,)),
)


def exif_of(image: Image.Image, notes: Notes) -> Image.Exif | None:
    """The image's EXIF data, or None if it has none that can be read."""
    try:
        exif = image.getexif()
        return exif if len(exif) else None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - EXIF is written by anything; an unreadable block says nothing about the pixels
        notes.say("its EXIF data is damaged and is left out")
        return None


def kept_exif(exif: Image.Exif, notes: Notes) -> bytes | None:
    """The EXIF data of a result, or None if there is nothing to keep."""
    kept = Image.Exif()
    kept.endian = "<" if sys.byteorder == "little" else ">"  # as TIFF files are written here
    damaged = 0
    for tags, folder in ((_IMAGE_TAGS, None), (_CAMERA_TAGS, _CAMERA), (_GPS_TAGS, _GPS)):
        found, bad = _sound_tags(exif, tags, folder)
        damaged += bad
        if folder is None:
            for tag, value in found.items():
                kept[tag] = value
        elif found:
            kept[folder] = found
    if damaged:
        words = "one of its EXIF entries is" if damaged == 1 else f"{damaged} of its EXIF entries are"
        notes.say(f"{words} damaged and left out")
    return kept.tobytes() if len(kept) else None


def _sound_tags(
    exif: Image.Exif, tags: Mapping[int, Check], folder: int | None
) -> tuple[dict[int, Any], int]:
    """The tags that can be written, and the number of those that cannot."""
    try:
        source: Mapping[int, Any] = exif if folder is None else exif.get_ifd(folder)
        present = {tag: source[tag] for tag in tags if tag in source}
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as in exif_of
        return {}, 1
    sound: dict[int, Any] = {}
    damaged = 0
    for tag, value in present.items():
        try:
            checked = tags[tag](value)
            _write(tag, checked, folder)
        except Exception:  # noqa: BLE001 - a damaged entry raises whatever its types do
            damaged += not _is_blank(value)
        else:
            sound[tag] = checked
    return sound, damaged


def _is_blank(value: Any) -> bool:
    """Tell whether an entry is empty, as cameras leave those that nobody filled in."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and not text.strip("\0 ")


def _write(tag: int, value: Any, folder: int | None) -> None:
    """Raise whatever writing the entry alone raises."""
    alone = Image.Exif()
    alone[tag if folder is None else folder] = value if folder is None else {tag: value}
    alone.tobytes()


_PREFIX: Final = b"Exif\0\0"
_LONG: Final = 4
# Bytes of one value by its type, from BYTE to IFD.
_SIZES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
_FOLDERS: Final = (0x8769, 0x8825)  # the camera's and GPS's


class _Entry(NamedTuple):
    tag: int
    kind: int
    number: int
    content: bytes


def with_exif(tiff: bytes | memoryview, exif: bytes) -> bytes:
    """The TIFF file with EXIF data added.

    Args:
        tiff: a file of one page.
        exif: as `Image.Exif.tobytes` gives it.

    Raises:
        ValueError: it is no plain TIFF file, the byte orders differ, or it would be too long for its offsets.
    """
    block = exif.removeprefix(_PREFIX)
    if bytes(tiff[:4]) != block[:4] or block[:4] not in (b"II*\0", b"MM\0*"):
        raise ValueError("the byte orders of the file and its EXIF data differ")
    if len(tiff) + 2 * len(block) + 2**16 > 2**32:
        raise ValueError("the file is too long")
    order = "<" if block[:2] == b"II" else ">"
    result = bytearray(tiff)
    main = {entry.tag: entry for entry in _read(tiff, _first(tiff, order), order)}
    for entry in _read(block, _first(block, order), order):
        added = entry
        if entry.tag in _FOLDERS:
            inner = _read(block, struct.unpack(f"{order}I", entry.content)[0], order)
            added = _Entry(entry.tag, _LONG, 1, struct.pack(f"{order}I", _append(result, inner, order)))
        main[entry.tag] = added
    start = _append(result, [main[tag] for tag in sorted(main)], order)
    struct.pack_into(f"{order}I", result, 4, start)
    return bytes(result)


def _first(block: bytes | memoryview, order: str) -> int:
    offset: int = struct.unpack_from(f"{order}I", block, 4)[0]
    return offset


def _read(block: bytes | memoryview, offset: int, order: str) -> list[_Entry]:
    (number,) = struct.unpack_from(f"{order}H", block, offset)
    entries: list[_Entry] = []
    for position in range(offset + 2, offset + 2 + 12 * number, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", block, position)
        size = _SIZES[int(kind)] * int(values)
        place = position + 8 if size <= 4 else struct.unpack_from(f"{order}I", block, position + 8)[0]
        entries.append(_Entry(tag, kind, values, bytes(block[place : place + size])))
    return entries


def _append(file: bytearray, entries: Sequence[_Entry], order: str) -> int:
    """Write a folder at the file's end, long values behind it; returns its offset."""
    file += bytes(len(file) % 2)
    start = len(file)
    behind = start + 2 + 12 * len(entries) + 4
    folder, values = struct.pack(f"{order}H", len(entries)), b""
    for entry in entries:
        folder += struct.pack(f"{order}HHI", entry.tag, entry.kind, entry.number)
        if len(entry.content) <= 4:
            folder += entry.content.ljust(4, b"\0")
        else:
            folder += struct.pack(f"{order}I", behind + len(values))
            values += entry.content + bytes(len(entry.content) % 2)
    file += folder + bytes(4) + values
    return start
