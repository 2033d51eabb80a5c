"""The page shows the table of differences as it is, and each row has a case that shows it."""

from __future__ import annotations

from both_servers.answers import METHODS, PREDICTIONS, TENSORS
from both_servers.differences import DIFFERENCES, PAGE, UNKNOWN_FIELDS, WRONG_FLAG, page_with_table
from both_servers.lifecycles import STARTS_AND_STOPS
from both_servers.loads import LOADS


def test_the_page_shows_the_table() -> None:
    """`python tests/support/both_servers/differences.py` writes it anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_table(page)


def test_every_row_has_a_case() -> None:
    cases = [case.name for case in (*PREDICTIONS, *TENSORS, *METHODS, *STARTS_AND_STOPS, *LOADS)]
    assert len(set(cases)) == len(cases)
    rows = [row.case for row in DIFFERENCES]
    assert len(set(rows)) == len(rows)
    assert set(rows) <= {*cases, UNKNOWN_FIELDS, WRONG_FLAG}
