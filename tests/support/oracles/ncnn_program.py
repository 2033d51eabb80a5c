"""The PyPI package ncnn: what networks in its files must equal."""

from __future__ import annotations

from pathlib import Path

import ncnn
import numpy as np
from numpy.typing import NDArray


class NcnnProgram:
    """A network of ncnn's files, run by ncnn in float32 on one processor.

    Args:
        param: the content of the `.param`.
        weights: the content of the `.bin`.
        folder: where the two may be written.
    """

    def __init__(self, param: bytes, weights: bytes, folder: Path) -> None:
        self._net = ncnn.Net()
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(self._net.opt, option, False)
        self._net.opt.num_threads = 1
        for name, content, load in (
            ("network.param", param, self._net.load_param),
            ("network.bin", weights, self._net.load_model),
        ):
            (folder / name).write_bytes(content)
            assert load(str(folder / name)) == 0

    def run(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the result [H, W, 3] for a picture [H, W, 3]."""
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
        extractor = self._net.create_extractor()
        given = ncnn.Mat(planes)  # it keeps no copy, so that both must live until the end
        extractor.input("data", given)
        failed, found = extractor.extract("output")
        assert failed == 0
        result: NDArray[np.float32] = np.array(found).copy().transpose(1, 2, 0)
        return result
