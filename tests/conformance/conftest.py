"""Both servers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from both_servers.conformance import Pair
from servers.model_servers import TYPED, serving
from servers.official_stubs import official_client


@pytest.fixture(scope="session")
def pair(toy_repository: Path) -> Iterator[Pair]:
    with (
        serving("real", toy_repository, **TYPED) as real,
        serving("local", toy_repository, **TYPED) as local,
        official_client(real.address) as real_client,
        official_client(local.address) as local_client,
    ):
        yield Pair(real_client, local_client)
