"""Seconds, processor time, bytes and memory of writing PNGs: Pillow's levels beside ours, in one run.

    python client/benchmarks/png.py [MEGAPIXELS]

A photo with a sensor's noise, of 12 megapixels unless it is said otherwise, is repeated pixel for pixel, as does the
stand-in for an upscaler's server, which answers at once. Each writer is a process of its own, which has the picture
before the clock starts; `impasto upscale` is the whole command from its start to its exit, with all of its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import grpc
import numpy as np
from PIL import Image

from impasto.client.pictures import write_picture

WRITERS: Final = ("pillow 1", "pillow 6", "impasto fast", "impasto small")


def photo(megapixels: float) -> Image.Image:
    """Return smooth colours with the noise of a sensor."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = width * 3 // 4
    random = np.random.default_rng(0)
    image = np.empty((height, width, 3), np.uint8)
    across = np.arange(width, dtype=np.float32)[:, np.newaxis] / width * 9 + np.arange(3)
    for top in range(height):
        row = 128 + 100 * np.sin(across + top / height * 7) + random.normal(0, 4, (width, 3))
        image[top] = row.clip(0, 255)
    return Image.fromarray(image)


def write(writer: str, source: Path, target: Path) -> dict[str, float]:
    """Write the doubled photo, and return what it took."""
    with Image.open(source) as opened:
        image = opened.resize((2 * opened.width, 2 * opened.height), Image.Resampling.NEAREST)
    before, cpu, started = _peak(), time.process_time(), time.perf_counter()
    name, how = writer.split()
    if name == "pillow":
        image.save(target, "PNG", compress_level=int(how))
    else:
        write_picture(target, image, compress="fast" if how == "fast" else "small", overwrite=True)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "bytes": target.stat().st_size,
        "memory": _peak() - before,
    }


def _peak() -> int:
    """Return the most memory that this process had, in bytes."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def measured(folder: Path) -> dict[str, dict[str, float]]:
    """Run each writer in a process of its own."""
    found: dict[str, dict[str, float]] = {}
    for writer in WRITERS:
        command = [
            sys.executable,
            __file__,
            "--writer",
            writer,
            str(folder / "photo.png"),
            str(folder / "out.png"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[writer] = json.loads(done.stdout)
    return found


def show(found: dict[str, dict[str, float]]) -> None:
    """Print a table, with each number's ratio to Pillow's level 1."""
    out, base = sys.stdout, found[WRITERS[0]]
    out.write(f"{'':16}{'seconds':>16}{'processor s':>16}{'MB':>16}{'more memory MB':>18}\n")
    for writer, numbers in found.items():
        cells = [
            f"{value / scale:.2f} ({value / base[name]:.2f})" if base[name] else f"{value / scale:.2f}"
            for (name, value), scale in zip(numbers.items(), (1, 1, 1e6, 1e6), strict=True)
        ]
        out.write(f"{writer:16}{cells[0]:>16}{cells[1]:>16}{cells[2]:>16}{cells[3]:>18}\n")


def serve() -> None:
    """Serve as an upscaler that repeats each pixel, until standard input ends."""
    # Here, as no writer needs them.
    from tensorflow_serving.apis import predict_pb2

    from scripted.client_servers import prediction, scripted

    def repeat(request: bytes, _context: grpc.ServicerContext) -> bytes:
        tensor = predict_pb2.PredictRequest.FromString(request).inputs["image"]
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        pixels = np.frombuffer(tensor.tensor_content, np.uint8).reshape(shape)
        return prediction(image=pixels.repeat(2, axis=1).repeat(2, axis=2))

    with scripted(repeat) as server:
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        sys.stdin.read()


def upscaled(folder: Path) -> dict[str, float]:
    """Run the command from its start to its exit, and return what it took."""
    stand_in = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert stand_in.stdout is not None
    try:
        address = stand_in.stdout.readline().strip()
        target = folder / "large.png"
        command = [
            sys.executable,
            "-m",
            "impasto.client",
            "upscale",
            str(folder / "photo.png"),
            "-o",
            str(target),
        ]
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--server", address, "--quiet"])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise SystemExit("impasto upscale failed")
    finally:
        stand_in.communicate()
    cpu = usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "cpu": cpu, "bytes": target.stat().st_size, "memory": usage.ru_maxrss * 1024}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("megapixels", nargs="?", type=float, default=12.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--writer", nargs=3, metavar=("WRITER", "FROM", "TO"), help=argparse.SUPPRESS)
    parser.add_argument("--photo", metavar="TO", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
    elif given.photo:
        photo(given.megapixels).save(given.photo, compress_level=1)
    elif given.writer:
        writer, source, target = given.writer
        sys.stdout.write(json.dumps(write(writer, Path(source), Path(target))))
    else:
        with tempfile.TemporaryDirectory() as folder:
            # Not in this process: a child's memory counts from the fork on.
            path = str(Path(folder, "photo.png"))
            subprocess.run([sys.executable, __file__, str(given.megapixels), "--photo", path], check=True)
            show({**measured(Path(folder)), "impasto upscale": upscaled(Path(folder))})


if __name__ == "__main__":
    main()
