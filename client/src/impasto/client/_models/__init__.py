"""The jobs that the served models do, a module or a package for each model."""

from __future__ import annotations

from impasto.client._models.dream.job import DescribeDream, Dream
from impasto.client._models.stylize import EncodeStyle, Stylize
from impasto.client._models.transfer.job import DescribeTransfer, Transfer
from impasto.client._models.upscale.job import DescribeUpscale, Upscale

__all__ = [
    "DescribeDream",
    "DescribeTransfer",
    "DescribeUpscale",
    "Dream",
    "EncodeStyle",
    "Stylize",
    "Transfer",
    "Upscale",
]
