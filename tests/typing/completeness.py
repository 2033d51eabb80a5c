"""Whether users of impasto.client see a type for everything: `python tests/typing/completeness.py`.

The short forms of the clients (`dream = runs(Dream)`) have no annotation, since only inference can take the fields from the job;
`api.py` asserts what mypy and Pyright infer. Everything else must be annotated.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

_SHORT_FORM = re.compile(r"impasto\.client\.(async_client\.Async|client\.)Client\.[a-z_]+")
_INFERRED = "Type is missing type annotation and could be inferred differently by type checkers"


def main() -> int:
    """Print what has no type, and return an exit status."""
    command = ("basedpyright", "--ignoreexternal", "--outputjson", "--verifytypes", "impasto.client")
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        report: Any = json.loads(done.stdout)["typeCompleteness"]
    except (json.JSONDecodeError, KeyError):
        print(done.stdout, done.stderr, file=sys.stderr)
        return 1
    problems = [
        f"{symbol['name']}: {found['message']}"
        for symbol in report["symbols"]
        for found in symbol["diagnostics"]
        if found["severity"] == "error"
        and not (_SHORT_FORM.fullmatch(symbol["name"]) and found["message"].startswith(_INFERRED))
    ]
    print(*problems, sep="\n")
    return 1 if problems or not report["symbols"] else 0


if __name__ == "__main__":
    sys.exit(main())
