"""What the commands print for programs is JSON by its standard, whatever a server or a manifest says."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from types import MappingProxyType

import pytest

from impasto.client.texts import json_text

SOURCES = sorted(Path(__file__).parents[2].glob("*/src/impasto/**/*.py"))
INNER = {
    "client/_transport/channel.py": "gRPC's own settings, without a number",
    "rollout/load_check.py": "between two processes of one program",
    "rollout/load_probe.py": "between two processes of one program",
}


def test_what_is_no_number_in_json_is_null_wherever_it_is() -> None:
    value = {
        "a": [1.5, math.nan, (math.inf, -math.inf)],
        "b": MappingProxyType({"c": math.nan}),
        "d": "NaN\x7f",
    }
    text = json_text(value)
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [1.5, None, [None, None]],
        "b": {"c": None},
        "d": "NaN\x7f",
    }
    assert "\x7f" not in text
    assert "\n" not in json_text(value, indent=None)


def test_all_json_is_written_by_it_or_refuses_what_is_no_number() -> None:
    call = re.compile(r"json\.dumps?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")
    careless = [
        (source.as_posix(), found)
        for source in SOURCES
        for found in call.findall(source.read_text("utf-8"))
        if "allow_nan=False" not in found
    ]
    assert all(any(path.endswith(name) for name in INNER) for path, _ in careless), careless
    assert len(careless) == 3
