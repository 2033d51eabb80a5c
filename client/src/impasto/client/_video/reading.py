"""Which files are videos, and their frames, upright and in RGB, with the times at which they are shown."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from impasto.client.errors import NotAnImage, TruncatedImage, UnknownFormat, UnsupportedImage
from impasto.client.pictures import VIDEOS, check_place, check_size, resolved, warn

if TYPE_CHECKING:
    from typing_extensions import Self


class Container(NamedTuple):
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


class Form(NamedTuple):
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


_HIGH_DYNAMIC_RANGE: Final = {16: "PQ", 18: "HLG"}
"""Transfer functions, by their numbers in ITU-T H.273, whose values are no sRGB."""

_UNSPECIFIED: Final = 2
_ITU709, _ITU601 = 1, 5
_LINES_OF_ITU709: Final = 720
"""Videos that do not name their matrix have, by custom, ITU-R BT.709's from this height, and BT.601's below."""

_USUAL_RATE: Final = Fraction(25)


class VideoFrame(NamedTuple):
    """A frame.

    Attributes:
        pixels: uint8 [H, W, 3], RGB, upright.
        at: when it is shown, in ticks of the video's form.
    """

    pixels: NDArray[np.uint8]
    at: int


class Video:
    """A video file that is open. Use it in a `with` block.

    Attributes:
        path: the file.
        size: width and height of the frames, upright.
        about: how many frames there are, as far as the file tells; 0 if it does not.
        form: the rate, the unit of the frames' times, and the pixels' shape.
        left_out: kinds of streams that a result does not have, such as subtitles.

    Args:
        path: the file.
        max_pixels: the limit of a frame.

    Raises:
        OSError: the file cannot be opened.
        ImageError: NotAnImage if it is no video, UnsupportedImage without PyAV or for a high dynamic range,
            ImageTooLarge or EmptyImage for its size.
    """

    def __init__(self, path: Path, *, max_pixels: int) -> None:
        missing = without_package()
        if missing is not None:
            raise UnsupportedImage(f"{path}: {missing}")
        av = pyav()

        path.open("rb").close()  # its own errors name what is wrong better than FFmpeg's
        with _told(path, NotAnImage, "is no video that FFmpeg knows"):
            self._container: Any = av.open(str(path), metadata_errors="replace")
        try:
            self._stream = self._pictures(path)
            self._stream.thread_type = "AUTO"
            self.path = path
            rate = self._stream.average_rate or self._stream.guessed_rate or _USUAL_RATE
            aspect = self._stream.sample_aspect_ratio or Fraction(1)
            self.form = Form(rate, self._stream.time_base or 1 / rate, aspect)
            self.about = self._stream.frames or self._by_duration()
            self.left_out = sorted(
                {stream.type for stream in self._container.streams if stream.type not in ("video", "audio")}
                - {"data"}
            )
            width, height = self._stream.codec_context.width, self._stream.codec_context.height
            check_size((width, height), str(path), max_pixels=max_pixels)
            self._max_pixels = max_pixels
            with closing(self.frames()) as frames:
                first = next(frames, None)
            if first is None:
                raise NotAnImage(f"{path} has no frame that can be decoded")
            self.size = (first.pixels.shape[1], first.pixels.shape[0])
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def frames(self, start: int = 0) -> Generator[VideoFrame, None, None]:
        """The frames from number `start` on, counted from 0. A second call begins anew and ends the first.

        Warns with PictureWarning if the file ends before as many as it names.

        Raises:
            ImageError: TruncatedImage if a frame cannot be decoded, UnsupportedImage if it has another size than the
                first, or a high dynamic range.
        """
        number, last = 0, None
        with _told(self.path, TruncatedImage, "cannot be read again from its beginning"):
            self._container.seek(0)
        decoded = self._decoded()
        while True:
            with _told(self.path, TruncatedImage, f"is damaged: its frame {number + 1} cannot be decoded"):
                frame = next(decoded, None)
            if frame is None:
                break
            at = frame.pts if frame.pts is not None else round(number / (self.form.rate * self.form.tick))
            last = at if last is None or at > last else last + 1  # a time that goes back would end the film
            if number >= start:
                yield VideoFrame(self._upright(frame), last)
            number += 1
        if number < self._stream.frames:
            warn([f"{self.path}: the file names {self._stream.frames} frames, and {number} can be decoded"])

    def _decoded(self) -> Generator[Any, None, None]:
        for packet in self._container.demux(self._stream):
            yield from packet.decode()

    def _pictures(self, path: Path) -> Any:

        streams = [
            stream
            for stream in self._container.streams.video
            if not stream.disposition & pyav().stream.Disposition.attached_pic
        ]
        if not streams:
            raise NotAnImage(f"{path} has no pictures, perhaps only sound")
        return streams[0]

    def _by_duration(self) -> int:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            return round(float(stream.duration * stream.time_base * self.form.rate))
        return round(float(Fraction(self._container.duration or 0, 1_000_000) * self.form.rate))

    def _upright(self, frame: Any) -> NDArray[np.uint8]:
        kind = _HIGH_DYNAMIC_RANGE.get(frame.color_trc)
        if kind is not None:
            raise UnsupportedImage(
                f"{self.path} has a high dynamic range ({kind}), whose colours would come out pale: convert it to SDR "
                "first, for example with FFmpeg's filter tonemap"
            )
        check_size((frame.width, frame.height), str(self.path), max_pixels=self._max_pixels)
        matrix: Any = frame.colorspace
        if matrix == _UNSPECIFIED:
            matrix = _ITU709 if frame.height >= _LINES_OF_ITU709 else _ITU601
        rgb = frame.reformat(format="rgb24", src_colorspace=matrix)
        pixels = np.asarray(rgb.to_ndarray(), np.uint8)
        return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


@contextmanager
def _told(path: Path, kind: type[NotAnImage | TruncatedImage], words: str) -> Generator[None, None, None]:
    """Turn FFmpeg's errors into one of ours, which names the file."""
    av = pyav()

    try:
        yield
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise kind(f"{path} {words} ({getattr(error, 'strerror', None) or error})") from error
