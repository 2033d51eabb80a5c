"""Which files are videos, by their names, and what each container is written with."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from impasto.client.errors import UnknownFormat
from impasto.client.pictures import VIDEOS, check_place, resolved


@dataclass(frozen=True)
class Container:
    """A kind of file that holds a video.

    Attributes:
        name: FFmpeg's name of it.
        codec: FFmpeg's name of the encoder of the pictures.
        quality: the options of the encoder. Its pictures look like their source at a look from near.
        sound: the encoder of sound that cannot be taken as it is.
        options: of the container.
        copied: the kinds of sound that it takes as they are; None for all that FFmpeg puts into it.
    """

    name: str
    codec: str
    quality: Mapping[str, str]
    sound: str
    options: Mapping[str, str]
    copied: frozenset[str] | None = None


@dataclass(frozen=True)
class Form:
    """The form of a video's frames.

    Attributes:
        rate: frames a second, on average.
        tick: the unit of the frames' times, in seconds.
        aspect: width of a pixel by its height.
    """

    rate: Fraction
    tick: Fraction
    aspect: Fraction = Fraction(1)


# No picture refers to a later one: so times grow from packet to packet, and parts can stand one behind the other.
_H264: Final = MappingProxyType(
    {
        "crf": "18",
        "preset": "medium",
        "bf": "0",
        "x264-params": "force-cfr=1",
    }  # or the tick counts as the rate
)
_VP9: Final = MappingProxyType({"crf": "24", "b": "0", "row-mt": "1", "cpu-used": "3", "lag-in-frames": "0"})
# The index goes to the front, so that a page can show the film while it loads.
_INDEX_FIRST: Final = MappingProxyType({"movflags": "+faststart"})

# FFmpeg puts more into an MP4 than players take out of it.
_SOUND_OF_MP4: Final = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})

CONTAINERS: Final[Mapping[str, Container]] = MappingProxyType(
    {
        ".mp4": Container("mp4", "libx264", _H264, "aac", _INDEX_FIRST, _SOUND_OF_MP4),
        ".m4v": Container("mp4", "libx264", _H264, "aac", _INDEX_FIRST, _SOUND_OF_MP4),
        ".mov": Container("mov", "libx264", _H264, "aac", _INDEX_FIRST),
        ".mkv": Container("matroska", "libx264", _H264, "aac", {}),
        ".webm": Container("webm", "libvpx-vp9", _VP9, "libopus", {}),
    }
)

WRITABLE_VIDEOS: Final = tuple(CONTAINERS)
"""The file extensions that a video can be written to."""


def is_video(path: object) -> bool:
    """Tell by a name whether it is a video's. A pipe is none."""
    return isinstance(path, Path) and path.suffix.lower() in VIDEOS


def video_suffix(path: Path) -> str:
    """The extension of the file that a name leads to, in lower case."""
    return Path(os.path.realpath(path)).suffix.lower()


def without_package() -> str | None:
    """Return what to install before a video can be read or written; None where it is there."""
    if importlib.util.find_spec("av") is not None:
        return None
    return "a video needs PyAV: pip install 'impasto-client[video]'"


def pyav() -> Any:
    """PyAV, which is loaded when a video is read or written, and not before. Its types are of no use to a checker."""
    return importlib.import_module("av")


def container_of(path: Path) -> Container:
    """The kind of video that a name stands for. Raises UnknownFormat."""
    found = CONTAINERS.get(video_suffix(path))
    if found is None:
        raise UnknownFormat(
            f"{path}: no video can be written as {path.suffix!r}; use one of {', '.join(WRITABLE_VIDEOS)}"
        )
    return found


def check_video_output(path: Path, *, overwrite: bool = False) -> None:
    """Find out before the work whether a video could be written.

    Raises:
        OutputError: UnknownFormat for another extension or without PyAV; OutputExists, or UnwritableOutput where no
            file can be.
    """
    container_of(path)
    missing = without_package()
    if missing is not None:
        raise UnknownFormat(f"cannot write {path}: {missing}")
    check_place(resolved(path), path, overwrite=overwrite)
