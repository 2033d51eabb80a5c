"""The language of the docstrings, as far as a program can read it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_SENTENCE = re.compile(r"(Of|As|What|How|Whether|Who|Whoever)\b")


@pytest.mark.parametrize("program", ["client", "export", "serving"])
def test_a_docstring_begins_with_an_imperative_or_a_noun(program: str) -> None:
    """The docstrings of constants count, too: strings that stand by themselves."""
    found = [
        f"{source.relative_to(ROOT)}:{node.lineno}: {text}"
        for source in sorted((ROOT / program / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(text := node.value.value, str)
        and NO_SENTENCE.match(text)
    ]
    assert found == []
