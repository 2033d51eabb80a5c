"""Base paths that are URIs."""

from __future__ import annotations

from pathlib import Path

import toy_models
from configurations import states
from impasto.serving import LocalServer, SingleModel
from official_stubs import official_client


def test_a_base_path_may_be_a_uri_of_a_file(tmp_path: Path) -> None:
    toy_models.constant(tmp_path, 4)
    source = SingleModel("m", f"file://{tmp_path / 'constant'}")
    with LocalServer(source) as server, official_client(server.address) as client:
        assert states(client, "m") == {4: "AVAILABLE"}
