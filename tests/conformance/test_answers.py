"""The same call to both servers gets the same answer, or one that the table of differences names."""

from __future__ import annotations

import pytest

from both_servers.answers import METHODS, PREDICTIONS, TENSORS
from both_servers.conformance import Case, Pair, compare
from servers.model_servers import needs_real

pytestmark = needs_real


@pytest.mark.parametrize("case", [*PREDICTIONS, *TENSORS, *METHODS], ids=lambda case: case.name)
def test_both_servers_answer_alike(case: Case, pair: Pair) -> None:
    compare(case, real=case.ask(pair.real), local=case.ask(pair.local))
