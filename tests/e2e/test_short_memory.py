"""Servers whose allocator has little memory: TensorFlow's own refusals, on a processor, and what jobs make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from images.pictures import pixels
from impasto.client import Client, Progress, Upscale
from impasto.serving.importing import ALLOCATOR
from servers.model_servers import ServerProcess

LIMIT_MB = 100
"""Too little for srcnn's features of a picture of 300 x 240, which are 73 MB twice; enough for those of its half."""

SIZE = (240, 300)


Server = Callable[..., ServerProcess]


@pytest.fixture
def server(server_kind: str, committed_models: Path) -> Iterator[Server]:
    """Starts a server of the committed models with these variables in its environment."""
    with ExitStack() as stack:

        def start(**variables: str) -> ServerProcess:
            started = ServerProcess(committed_models, kind=server_kind, forked=False)
            stack.callback(started.stop)
            with pytest.MonkeyPatch.context() as patch:
                # Where they are refused memory, oneDNN's convolutions crash.
                patch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
                for name, value in variables.items():
                    patch.setenv(name, value)
                started.ensure_running()
            return started

        yield start


def test_a_picture_that_does_not_fit_is_enlarged_in_smaller_tiles_to_the_same_bits(server: Server) -> None:
    short = server(**{ALLOCATOR: "true", "TF_CPU_BFC_MEM_LIMIT_IN_MB": str(LIMIT_MB)})
    picture = pixels(*SIZE)
    told: list[Progress] = []
    # TensorFlow's allocator waits ten seconds for others before it refuses, and the client asks twice.
    with Client(short.address) as client, Client(server().address) as other:
        enlarged = client.run(Upscale(picture), on_progress=told.append)
        assert np.array_equal(np.asarray(enlarged), np.asarray(other.upscale(picture)))
    assert "no memory for larger ones" in told[-1].note
    assert short.is_running
