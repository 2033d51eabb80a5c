"""Both servers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance import Pair
from model_servers import serving
from official_stubs import official_client


@pytest.fixture(scope="session")
def pair(toy_repository: Path) -> Iterator[Pair]:
    flags: dict[str, Any] = {"enable_serialization_as_tensor_content": "false"}
    with (
        serving("real", toy_repository, **flags) as real,
        serving("local", toy_repository, **flags) as local,
        official_client(real.address) as real_client,
        official_client(local.address) as local_client,
    ):
        yield Pair(real_client, local_client)
