"""Drive image models on TensorFlow Serving, without TensorFlow.

    from impasto.client import Client

    with Client("localhost:8500") as client:
        client.upscale("photo.jpg").save("large.png")
        client.stylize("photo.jpg", "painting.jpg").save("painted.png")
        client.dream("photo.jpg", layers=["mixed4"]).save("dream.png")
        client.transfer("photo.jpg", "painting.jpg").save("painting.png")

`errors` draws the tree of what can go wrong; `signatures` is the contract of the models.
"""

from __future__ import annotations

from impasto.client import _grpc_log  # noqa: F401 # pyright: ignore[reportUnusedImport] - first: grpc reads what it sets
from impasto.client._jobs import Progress
from impasto.client._patience import Waiting
from impasto.client.async_client import AsyncClient
from impasto.client.client import Client
from impasto.client.dream import DreamDescription, DreamOptions, DreamProgress, zoom_in
from impasto.client.errors import ImpastoError
from impasto.client.mapping import CONCURRENCY, Outcome
from impasto.client.metadata import ModelMetadata, SignatureInfo, State, TensorInfo, VersionStatus
from impasto.client.pictures import (
    MAX_PIXELS,
    Animation,
    ImageSource,
    Picture,
    PictureWarning,
    read_animation,
    read_picture,
    write_animation,
    write_picture,
)
from impasto.client.settings import Retries, Settings, Timeouts
from impasto.client.stylize import StyleSource, StyleVector
from impasto.client.tls import TlsOptions
from impasto.client.transfer import TransferDescription, TransferOptions, TransferProgress

__all__ = [
    "CONCURRENCY",
    "MAX_PIXELS",
    "Animation",
    "AsyncClient",
    "Client",
    "DreamDescription",
    "DreamOptions",
    "DreamProgress",
    "ImageSource",
    "ImpastoError",
    "ModelMetadata",
    "Outcome",
    "Picture",
    "PictureWarning",
    "Progress",
    "Retries",
    "Settings",
    "SignatureInfo",
    "State",
    "StyleSource",
    "StyleVector",
    "TensorInfo",
    "Timeouts",
    "TlsOptions",
    "TransferDescription",
    "TransferOptions",
    "TransferProgress",
    "VersionStatus",
    "Waiting",
    "read_animation",
    "read_picture",
    "write_animation",
    "write_picture",
    "zoom_in",
]
