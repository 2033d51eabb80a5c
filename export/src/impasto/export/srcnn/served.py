"""SRCNN as an upscaler: bicubic interpolation, refined by the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import tensorflow as tf

from impasto.export.provenance import trained_here
from impasto.export.srcnn.network import SRCNN, enlarge, pad_edges
from impasto.export.srcnn.presets import MARGIN, SCALE
from impasto.export.upscale.upscaler import Enlarger, Upscaler

REACH: Final = 5
"""Pixels of the picture given that a pixel of the result depends on to each side.

Bicubic interpolation reaches 2; the convolutions 9-1-5 reach 4 + 0 + 2 = 6 pixels of the doubled picture, which are 3.
"""


def upscaler_of(network: SRCNN, training: Mapping[str, Any] | None = None) -> Upscaler:
    """Return the network as it is served.

    Args:
        network: the network.
        training: the record of its training, if it had one.
    """

    def double(image: tf.Tensor) -> tf.Tensor:
        # Padded by what the valid convolutions take off, so that the result has no dark frame.
        return network(pad_edges(enlarge(image), MARGIN))

    return Upscaler(
        network="SRCNN 9-1-5",
        weights=trained_here(training or {}),
        module=network,
        enlargers={SCALE: Enlarger(double, REACH)},
    )
