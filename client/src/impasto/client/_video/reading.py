"""Read a video's frames, upright and in RGB, with the times at which they are shown."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client._video.kinds import Form, pyav, without_package
from impasto.client.errors import NotAnImage, TruncatedImage, UnsupportedImage
from impasto.client.pictures import check_size, warn

if TYPE_CHECKING:
    from typing_extensions import Self

_HIGH_DYNAMIC_RANGE: Final = {16: "PQ", 18: "HLG"}
"""Transfer functions, by their numbers in ITU-T H.273, whose values are no sRGB."""

_UNSPECIFIED: Final = 2
_ITU709, _ITU601 = 1, 5
_LINES_OF_ITU709: Final = 720
"""Videos that do not name their matrix have, by custom, ITU-R BT.709's from this height, and BT.601's below."""

_USUAL_RATE: Final = Fraction(25)


@dataclass(frozen=True, eq=False)
class VideoFrame:
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
