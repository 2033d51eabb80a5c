"""Networks in ncnn's files: a text that lists the layers (`.param`), and their weights (`.bin`), read without ncnn."""

from impasto.export.upscale.ncnn.errors import NcnnError
from impasto.export.upscale.ncnn.network import Network, read_network

__all__ = ["NcnnError", "Network", "read_network"]
