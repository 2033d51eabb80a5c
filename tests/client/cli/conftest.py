"""What tests of several commands begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.client.settings.addresses import ADDRESS_VARIABLE
from servers.model_servers import ModelServer


@pytest.fixture
def at_the_committed_server(
    committed_server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Commands ask the server of the committed srcnn, in an empty folder."""
    monkeypatch.setenv(ADDRESS_VARIABLE, committed_server.address)
    monkeypatch.chdir(tmp_path)
