"""Base paths that are URIs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from servers.configurations import states
from servers.model_servers import serving
from servers.official_stubs import official_client
from toys import toy_models


def test_a_base_path_may_be_a_uri_of_a_file(tmp_path: Path, server_kind: str) -> None:
    toy_models.constant(tmp_path, 4)
    path = f"file://{tmp_path / 'constant'}"
    flags: dict[str, Any] = {"model_config_file": None, "model_name": "m", "model_base_path": path}
    with serving(server_kind, tmp_path, **flags) as server, official_client(server.address) as client:
        assert states(client, "m") == {4: "AVAILABLE"}
