"""The model that is committed with the project is served."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from servers.model_servers import ModelServer
from servers.official_stubs import OfficialClient, official_client, outputs


@pytest.fixture(scope="module")
def srcnn(committed_server: ModelServer) -> Iterator[OfficialClient]:
    with official_client(committed_server.address) as client:
        yield client


def test_srcnn_doubles_a_batch_of_pictures(srcnn: OfficialClient) -> None:
    ramp = np.tile(np.linspace(0, 255, 24, dtype=np.uint8)[:, None], (2, 16, 1, 3))
    assert ramp.shape == (2, 16, 24, 3)
    doubled = outputs(srcnn.predict("srcnn", {"image": ramp}))["image"]
    assert (doubled.shape, doubled.dtype) == ((2, 32, 48, 3), np.uint8)
    # It is the same picture: close to each pixel drawn twice as large.
    assert np.abs(doubled.astype(int) - ramp.repeat(2, 1).repeat(2, 2)).mean() < 8
