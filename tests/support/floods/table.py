"""All floods, one after the other, as a table: what was called, how often, for how long, and what went wrong.

    python -m floods.table TIMES [SEED]

Ends with 1 if anything did.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Final

from floods import hostile_answers, hostile_commands, hostile_requests
from processes.scripts import run_script

FLOODS: Final[tuple[tuple[str, ModuleType, tuple[str, ...]], ...]] = (
    ("answers to Client", hostile_answers, ("sync",)),
    ("answers to AsyncClient", hostile_answers, ("async",)),
    ("answers to impasto", hostile_commands, ()),
    ("requests to the local server", hostile_requests, ()),
)


def main(times: int, seed: int) -> int:
    """Run the floods, print the table, and return the exit code."""
    total, faults = 0, list[str]()
    for title, module, arguments in FLOODS:
        finished = run_script(module, *arguments, times, seed)
        if finished.returncode:
            faults.append(f"{title}: ended with {finished.returncode}: {finished.stderr[-3000:]}")
            continue
        report = json.loads(finished.stdout)
        _say(f"{title}: {report['megabytes']} MiB, {report['outcomes']}")
        for name, count, seconds, found in report["rows"]:
            _say(f"  {name:<64} {count:>6} {seconds:>7.1f} s {found:>4} faults")
            total += count
        faults += report["faults"]
    _say(f"{total} in all, {len(faults)} faults")
    for fault in faults:
        _say(fault)
    return 1 if faults else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20))
