"""Drive image models on TensorFlow Serving, without TensorFlow.

    from impasto.client import Client, Dream

    with Client("localhost:8500") as client:
        client.upscale("photo.jpg").save("large.png")
        client.stylize("photo.jpg", "painting.jpg").save("painted.png")
        client.transfer("photo.jpg", "painting.jpg").save("painting.png")
        client.run(Dream("photo.jpg", layers=["mixed4"]), checkpoint="dream.checkpoint").save("dream.png")

`errors` draws the tree of what can go wrong; `signatures` is the contract of the models.
"""

from __future__ import annotations

from impasto.client import _transport  # noqa: F401 # pyright: ignore[reportUnusedImport] - first: grpc reads what it sets
from impasto.client._jobs import CONCURRENCY, Job, LongJob, LongProgress, Outcome, Progress
from impasto.client._models import (
    DescribeDream,
    DescribeTransfer,
    DescribeUpscale,
    Dream,
    EncodeStyle,
    Stylize,
    Transfer,
    Upscale,
)
from impasto.client._models.dream.description import DreamDescription
from impasto.client._models.dream.progress import DreamProgress
from impasto.client._models.styles import StyleSource, StyleVector
from impasto.client._models.transfer.description import TransferDescription
from impasto.client._models.transfer.progress import TransferProgress
from impasto.client._models.upscale.description import UpscaleDescription
from impasto.client._transport.channel import open_channel
from impasto.client._transport.observing import CallRecord
from impasto.client._transport.patience import Waiting
from impasto.client.async_client import AsyncClient
from impasto.client.client import Client
from impasto.client.errors import ImpastoError
from impasto.client.model import Model, ModelMetadata, SignatureInfo, State, TensorInfo, VersionStatus
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
    zoom_in,
)
from impasto.client.settings import Retries, Settings, Timeouts, TlsOptions

__all__ = [
    "CONCURRENCY",
    "MAX_PIXELS",
    "Animation",
    "AsyncClient",
    "CallRecord",
    "Client",
    "DescribeDream",
    "DescribeTransfer",
    "DescribeUpscale",
    "Dream",
    "DreamDescription",
    "DreamProgress",
    "EncodeStyle",
    "ImageSource",
    "ImpastoError",
    "Job",
    "LongJob",
    "LongProgress",
    "Model",
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
    "Stylize",
    "TensorInfo",
    "Timeouts",
    "TlsOptions",
    "Transfer",
    "TransferDescription",
    "TransferProgress",
    "Upscale",
    "UpscaleDescription",
    "VersionStatus",
    "Waiting",
    "open_channel",
    "read_animation",
    "read_picture",
    "write_animation",
    "write_picture",
    "zoom_in",
]
