"""The servers of the fixtures are started once for all tests of a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from servers.model_servers import TYPED, ModelServer


def test_a_server_is_started_once_for_each_kind_and_repository(
    start_once: Callable[..., ModelServer],
    toy_server: ModelServer,
    toy_repository: Path,
    stylize_repository: Path,
    server_kind: str,
) -> None:
    assert start_once(server_kind, toy_repository, **TYPED) is toy_server
    other = start_once(server_kind, stylize_repository)
    assert other is not toy_server
    assert start_once(server_kind, stylize_repository) is other
