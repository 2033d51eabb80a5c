"""All floods, one after the other, as a table: what was called, how often, for how long, and what went wrong.

    python -m floods.table TIMES [SEED]

Ends with 1 if anything did.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from processes.scripts import run_script

FLOODS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("answers to Client", "floods.hostile_answers", ("sync",)),
    ("answers to AsyncClient", "floods.hostile_answers", ("async",)),
    ("answers to impasto", "floods.hostile_commands", ()),
    ("requests to the local server", "floods.hostile_requests", ()),
    *(
        (f"words to {program}", "floods.hostile_lines", (program,))
        for program in ("impasto", "impasto-export", "impasto-serving")
    ),
)
"""A title, the module by its name, because its imports take seconds, and its arguments."""

_WIDTH: Final = 88


def main(times: int, seed: int) -> int:
    """Run the floods, print the table, and return the exit code."""
    total, faults, started = 0, list[str](), time.monotonic()
    for title, module, arguments in FLOODS:
        _say(title)  # before it runs, which may take minutes
        finished = run_script(module, *arguments, times, seed)
        if finished.returncode:
            faults.append(f"{title}: ended with {finished.returncode}: {finished.stderr[-3000:]}")
            continue
        report = json.loads(finished.stdout)
        _say(f"{'':<{_WIDTH}}   calls  seconds  faults")
        for name, count, seconds, found in report["rows"]:
            _say(f"  {name:<{_WIDTH - 2}} {count:>7} {seconds:>8.1f} {found:>7}")
            total += count
        _say(f"  {report['megabytes']} MiB at most; {_listed(report['outcomes'])}\n")
        faults += report["faults"]
    _say(f"{total} calls in {time.monotonic() - started:.0f} s with seed {seed}, {len(faults)} faults")
    for fault in faults:
        _say(f"\n{fault}")
    return 1 if faults else 0


def _listed(outcomes: Mapping[str, int]) -> str:
    """How the calls ended, the most frequent first."""
    return ", ".join(f"{count} {end}" for end, count in Counter(outcomes).most_common())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20))
