"""Both servers start, load, reload and stop alike, or differ as the table says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from both_servers.conformance import Case, compare
from both_servers.lifecycles import STARTS_AND_STOPS
from both_servers.loads import LOADS
from servers.model_servers import needs_real

pytestmark = needs_real


@pytest.mark.parametrize("case", [*STARTS_AND_STOPS, *LOADS], ids=lambda case: case.name)
def test_both_servers_live_alike(case: Case, tmp_path: Path) -> None:
    def ask(kind: str) -> str:
        root = tmp_path / kind
        root.mkdir()
        return case.ask(kind, root)

    # At the same time, as most of it is waiting.
    with ThreadPoolExecutor() as pool:
        real, local = pool.map(ask, ("real", "local"))
    compare(case, real=real, local=local)
