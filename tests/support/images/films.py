"""Videos for tests, made by PyAV, and what it finds in those that the commands write."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

av: Any = importlib.import_module("av")

WIDTH, HEIGHT = 48, 32
RATE: Final = 44_100
CODEC: Final = {".webm": "libvpx-vp9", ".avi": "mpeg4"}


def scene(frames: int) -> list[NDArray[np.uint8]]:
    """Smooth colours, and a disc that goes over them and that is brighter in each frame: coding hurts it little."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    ground = np.stack([70 + 2 * columns, 60 + 3 * rows, 150 - 2 * columns], -1)
    shown: list[NDArray[np.uint8]] = []
    for number in range(frames):
        disc = (rows - 16) ** 2 + (columns - 8 - number % 32) ** 2 < 36
        shown.append(np.where(disc[..., None], 150 + number % 100, ground).astype(np.uint8))
    return shown


def film(
    path: Path,
    frames: int = 6,
    *,
    sound: str | None = "aac",
    rotation: int = 0,
    times: tuple[int, ...] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    **context: int,
) -> Path:
    """Writes a video with a tone.

    Args:
        path: its extension decides the codec.
        frames: how many.
        sound: the codec of the tone; None for a video without one.
        rotation: degrees that a player turns it by, counter-clockwise.
        times: milliseconds at which the frames are shown; else one each 40 ms.
        size: of a frame; it is cut out of the scene.
        **context: attributes of the encoder.
    """
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(CODEC.get(path.suffix, "libx264"), rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p" if not any(side % 2 for side in size) else "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000) if path.suffix != ".avi" else Fraction(1, 25)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        tone: Any = None
        if sound is not None:
            tone = output.add_stream(sound, rate=RATE if sound != "libopus" else 48_000)
            tone.layout = "stereo"
        for number, pixels in enumerate(scene(frames)):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(pixels[: size[1], : size[0]]), format="rgb24"
            )
            at = times[number] if times is not None else 40 * number
            frame.pts = at if path.suffix != ".avi" else number
            frame.time_base = stream.codec_context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if tone is not None:
            for packet in _tone(tone, 0.04 * frames):
                output.mux(packet)
        output.metadata["title"] = "Ein Film"
    return path


def _tone(stream: Any, seconds: float) -> list[Any]:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * seconds)) / RATE)
    frame: Any = av.AudioFrame.from_ndarray(
        np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo"
    )
    frame.sample_rate, frame.pts = RATE, 0
    resampler = av.AudioResampler(
        stream.format, stream.layout, stream.rate, stream.codec_context.frame_size or None
    )
    packets: list[Any] = []
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        packets += stream.encode(part)
    return [*packets, *stream.encode(None)]


@dataclass(frozen=True)
class FoundFilm:
    """What is in a video: its codecs, frames as they are stored, their times in seconds, and the bytes of the sound."""

    codecs: list[str]
    frames: list[NDArray[np.uint8]]
    seconds: list[float]
    sound: bytes
    title: str | None


def found_film(path: Path) -> FoundFilm:
    """Reads a video."""
    with av.open(str(path)) as opened:
        codecs = [stream.codec_context.name for stream in opened.streams if stream.type in ("video", "audio")]
        frames = list(opened.decode(video=0))
        title = opened.metadata.get("title")
    with av.open(str(path)) as opened:
        sound = b"".join(bytes(packet) for packet in opened.demux(audio=0)) if opened.streams.audio else b""
    pixels = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames]
    return FoundFilm(codecs, pixels, [round(frame.time, 3) for frame in frames], sound, title)
