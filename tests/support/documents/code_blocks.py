"""The Python files that a page of docs/ shows, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"

_BLOCK: Final = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files_of(page: str) -> dict[str, str]:
    """Each block of Python whose first line names its file, by that name."""
    return dict(_BLOCK.findall((DOCS / page).read_text(encoding="utf-8")))
