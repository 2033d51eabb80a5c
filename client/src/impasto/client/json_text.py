"""JSON for programs, as its standard has it: every `--json` of Impasto's commands is written by this."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Return a value as JSON in ASCII. NaN and infinity, for which JSON has no number, become null."""
    # DEL is the one control character that JSON leaves.
    return json.dumps(_finite(value), indent=indent, allow_nan=False).replace("\x7f", "\\u007f")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in cast("Sequence[object]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
