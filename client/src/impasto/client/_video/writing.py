"""Pictures as a video: its parts one by one, in a hidden folder, and then all of them with the sound as one file."""

from __future__ import annotations

import heapq
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from impasto.client._video.reading import Container, Form, container_of, pyav
from impasto.client.errors import UnwritableOutput
from impasto.client.pictures import in_srgb, moved_into_place, resolved, write_bytes
from impasto.client.texts import json_text

FRAMES_OF_A_PART: Final = 24
"""A part begins with a picture that refers to none before it, which players jump to: about one a second."""

_RECIPE: Final = "made-of.json"


class Parts:
    """The finished parts of a video, and the one that is being written.

    Args:
        target: the video.
        made_of: JSON values that tell what the frames depend on.
    """

    def __init__(self, target: Path, made_of: dict[str, Any]) -> None:
        self.target = target
        # Behind links, so that what is put together can be renamed to the file.
        place = resolved(target)
        self.folder = place.with_name(f".{place.name}.impasto")
        self._made_of = made_of
        self._film: Film | None = None
        self._in_part = 0

    @property
    def frames(self) -> int:
        """The number of frames in finished parts."""
        return len(self._finished()) * FRAMES_OF_A_PART

    def difference(self) -> str | None:
        """Return the name of the first thing of which the parts are made otherwise; None if there is none."""
        try:
            known = json.loads((self.folder / _RECIPE).read_text("utf-8"))
        except (OSError, ValueError):
            return "all"
        names = [name for name in self._made_of if known.get(name) != self._made_of[name]]
        return names[0] if names else None

    def begin(self) -> None:
        """Begin with no part. Raises UnwritableOutput."""
        self.clear()
        try:
            self.folder.mkdir(mode=0o700)  # the video may be nobody else's to see
        except OSError as error:
            raise UnwritableOutput(f"cannot make the folder {self.folder}: {error.strerror}") from error
        write_bytes(self.folder / _RECIPE, json_text(self._made_of).encode())

    def add(self, made: Image.Image, at: int, form: Form) -> None:
        """Write a frame, which is shown `at` so many of the form's ticks. Raises UnwritableOutput."""
        if self._film is None:
            self._film = Film(self._unfinished, self.target, made.size, form)
        self._film.add(made, at)
        self._in_part += 1
        if self._in_part == FRAMES_OF_A_PART:
            self._finish()

    def join(self, *, overwrite: bool, sound: Path | None = None, metadata: bool = True) -> None:
        """Put all together as the video, with the sound of another one, and delete the parts. Raises OutputError."""
        if self._film is not None:
            self._finish()
        aside = self.folder / f"whole{resolved(self.target).suffix}"
        _join_parts(self._finished(), aside, self.target, sound=sound, metadata=metadata, overwrite=overwrite)
        self.clear()

    def leave(self) -> None:
        """End without the part that is being written; those that are finished stay."""
        if self._film is not None:
            self._film.abandon()
            self._film = None
            self._unfinished.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all parts, as far as the system lets."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _unfinished(self) -> Path:
        return self.folder / "part"

    def _finished(self) -> list[Path]:
        found = sorted(self.folder.glob("*.nut"))
        return [path for number, path in enumerate(found, 1) if path.name == _name(number)]

    def _finish(self) -> None:
        assert self._film is not None
        self._film.close()
        self._unfinished.replace(self.folder / _name(len(self._finished()) + 1))
        self._film, self._in_part = None, 0


def _name(number: int) -> str:
    return f"{number:06}.nut"


_PART: Final = "nut"
"""The container of parts: it takes any codec, keeps times as they are, and needs no index at its end."""

_ITU709: Final = 1
_LIMITED: Final = 1


class Film:
    """A part of a video, or all of it without sound, that is being written.

    Args:
        path: where it goes; the file is no video for players yet, see `_join_parts`.
        target: the video that it becomes a part of; its extension decides the codec.
        size: width and height of every frame. Codecs want even sides: an odd one is made even by repeating its last
            pixels.
        form: the rate, the unit of the frames' times, and the pixels' shape.
    """

    def __init__(self, path: Path, target: Path, size: tuple[int, int], form: Form) -> None:
        av = pyav()

        container = container_of(target)
        self._size = size
        self._tick = form.tick
        self._output: Any = av.open(str(path), "w", format=_PART)
        stream: Any = self._output.add_stream(
            container.codec, rate=form.rate.limit_denominator(2**16), options=dict(container.quality)
        )
        stream.width, stream.height = (side + side % 2 for side in size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = form.tick
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.sample_aspect_ratio = form.aspect
        for name in ("color_primaries", "color_trc", "colorspace"):
            setattr(stream.codec_context, name, _ITU709)
        stream.codec_context.color_range = _LIMITED
        self._stream = stream

    def add(self, image: Image.Image, at: int) -> None:
        """Write a frame, which is shown `at` so many ticks. Raises UnwritableOutput, ValueError for another size."""
        av = pyav()

        if image.size != self._size:
            raise ValueError(f"a frame has the size {image.size}; the film's is {self._size}")
        pixels = np.asarray(in_srgb(image).convert("RGB"))
        height, width = pixels.shape[:2]
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        coded = frame.reformat(format="yuv420p", dst_colorspace=_ITU709, dst_color_range=_LIMITED)
        coded.pts, coded.time_base = at, self._tick
        self._mux(self._stream.encode(coded))

    def close(self) -> None:
        """Write what is left. Raises UnwritableOutput."""
        try:
            self._mux(self._stream.encode(None))
        finally:
            self._output.close()

    def abandon(self) -> None:
        """End without what is left: the file is of no use."""
        self._output.close()

    def _mux(self, packets: Sequence[Any]) -> None:
        try:
            self._output.mux(packets)
        except OSError as error:
            raise UnwritableOutput(f"cannot write the video: {error.strerror or error}") from error


def _join_parts(
    parts: Sequence[Path],
    aside: Path,
    target: Path,
    *,
    sound: Path | None = None,
    metadata: bool = True,
    overwrite: bool = False,
) -> None:
    """Put parts together as a video; it appears complete or not at all.

    Args:
        parts: in their order, as `Film` wrote them.
        aside: a name in the same file system for the video while it is written.
        target: the video.
        sound: a video whose sound the result has: as it is where the container takes it, else encoded anew.
        metadata: keep the title, the date and what else `sound` tells of itself.
        overwrite: replace the video if it exists.

    Raises:
        OutputError: OutputExists or UnwritableOutput.
    """
    av = pyav()

    kind = container_of(target)
    try:
        with ExitStack() as stack:
            output = stack.enter_context(
                av.open(str(aside), "w", format=kind.name, options=dict(kind.options))
            )
            first = stack.enter_context(av.open(str(parts[0])))
            pictures = output.add_stream_from_template(first.streams.video[0])
            pictures.time_base = first.streams.video[0].time_base
            flows = [_pictures(parts, pictures)]
            if sound is not None:
                source = stack.enter_context(av.open(str(sound), metadata_errors="replace"))
                if metadata:
                    output.metadata.update(source.metadata)
                for number in range(len(source.streams.audio)):
                    opened = stack.enter_context(av.open(str(sound), metadata_errors="replace"))
                    flows.append(_sound(opened, number, output, kind))
            for packet in heapq.merge(*flows, key=_seconds):
                output.mux(packet)
    except (av.error.FFmpegError, OSError) as error:
        aside.unlink(missing_ok=True)
        raise UnwritableOutput(f"cannot write {target}: {error.strerror or error}") from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    moved_into_place(aside, target, overwrite=overwrite)


def _seconds(packet: Any) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return Fraction(time or 0) * (packet.time_base or 1)


def _pictures(parts: Sequence[Path], stream: Any) -> Iterator[Any]:
    av = pyav()

    for part in parts:
        with av.open(str(part)) as opened:
            for packet in opened.demux(video=0):
                if packet.size:  # the last one of a part only says that there are no more
                    packet.dts = packet.pts
                    packet.stream = stream
                    yield packet


def _sound(source: Any, number: int, output: Any, kind: Container) -> Iterator[Any]:
    """The packets of a sound track; its stream is made at once, as all are before the first packet is written."""
    stream = source.streams.audio[number]
    copied = output.supported_codecs if kind.copied is None else kind.copied
    if stream.codec_context.codec.canonical_name in copied:  # that of the decoder may be another one
        return _copied(source, stream, output.add_stream_from_template(stream))
    made: Any = output.add_stream(kind.sound, rate=48_000)
    made.layout = "stereo" if stream.layout.nb_channels > 1 else "mono"
    return _encoded(source, stream, made)


def _copied(source: Any, stream: Any, into: Any) -> Iterator[Any]:
    for packet in source.demux(stream):
        if packet.size and packet.dts is not None:
            packet.stream = into
            yield packet


def _encoded(source: Any, stream: Any, into: Any) -> Iterator[Any]:
    av = pyav()

    resampler = av.AudioResampler(into.format, into.layout, into.rate, into.codec_context.frame_size or None)
    for frame in source.decode(stream):
        for part in resampler.resample(frame):
            yield from into.encode(part)
    for part in resampler.resample(None):
        yield from into.encode(part)
    yield from into.encode(None)
