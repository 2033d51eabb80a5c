"""Models with toy networks, published by what their exporters publish with, golden records and all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from impasto.client.signatures import DREAM, TRANSFER
from impasto.export import publishing
from impasto.export.backbones import Backbone
from impasto.export.backbones.weights import random_arrays
from impasto.export.dream import publish as dream
from impasto.export.dream.served import DeepDream
from impasto.export.srcnn import network
from impasto.export.srcnn.network import upscaler_of
from impasto.export.transfer import publish as transfer
from impasto.export.upscale import publish as upscale
from toys import dream_models, transfer_models


def publish_others(models: Path) -> None:
    """Publish version 1 of each of the four models but the stylizer, which `tiny_stylizer` publishes."""
    srcnn = network.SRCNN(residual=False, pixel_scale=255.0, pixel_mean=127.5, seed=3)
    upscale.publish(upscaler_of(srcnn), "srcnn", models, source={})
    architecture = dream_models.ARCHITECTURE
    dreamer = DeepDream(
        Backbone(architecture, random_arrays(architecture, seed=0)),
        dream_models.SUGGESTIONS,
        weights=dream_models.WEIGHTS,
    )
    painter = transfer_models.tiny_transfer()
    for module, functions, contract, warm_up, golden in (
        (dreamer, dreamer.functions, DREAM, dream.warm_up(architecture), dream.golden_requests(architecture)),
        (
            painter,
            painter.functions,
            TRANSFER,
            transfer.warm_up(painter),
            transfer.golden_requests(transfer_models.tiny_backbone()),
        ),
    ):
        servable = publishing.Servable(module, functions, contract)
        publishing.publish(servable, models, warm_up=warm_up, golden=golden, source={})


@contextmanager
def without_golden_records() -> Iterator[None]:
    """Publish without golden records, which take a real network half a minute, to show something else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "write_golden", lambda *_, **__: None)
        yield
