"""Run one job over many pictures: one bad picture does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL import Image

from impasto.client._jobs import Progress
from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common
from impasto.client.cli.output import Display, print_json
from impasto.client.cli.pairs import Pair, Plan
from impasto.client.errors import (
    CallError,
    CallUnsupported,
    ImpastoError,
    ModelNotFound,
    PermissionDenied,
    ServerUnavailable,
    TlsError,
    Unauthenticated,
)
from impasto.client.files import check_output, write_picture

Job = Callable[[Path, Callable[[Progress], None]], Image.Image]
"""Makes the result of one picture and reports how far it is."""

# What goes wrong the same way for every picture: stop at once.
_HOPELESS: Final = (
    ServerUnavailable,
    TlsError,
    ModelNotFound,
    Unauthenticated,
    PermissionDenied,
    CallUnsupported,
)


@dataclass
class _Tally:
    done: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def summary(self, total: int) -> str:
        left = total - len(self.done) - len(self.failed)
        parts = [f"{len(self.done)} of {total} pictures done"]
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"{left} not tried"] if left else []
        return ", ".join(parts)


def run_batch(plan: Plan, job: Job, *, common: Common, overwrite: bool, unit: str) -> int:
    """Do and write every picture, show progress, say what failed, and return the exit code.

    Args:
        plan: what to read and where to write.
        job: makes one result.
        common: the common options.
        overwrite: whether results that exist are replaced.
        unit: what the job's progress counts, in the plural.

    Raises:
        CallError: no further picture could succeed. What is done stays done.
    """
    plan.make_folder()
    tally = _Tally()
    try:
        with Display(quiet=common.quiet, pictures=len(plan.pairs)) as display:
            for pair in plan.pairs:
                try:
                    entry = _do_one(pair, job, display, overwrite=overwrite, unit=unit)
                except _HOPELESS:
                    raise
                except (ImpastoError, OSError) as error:
                    message = _message(pair, error)
                    entry = {"input": str(pair.source), "error": type(error).__name__, "message": message}
                    tally.failed.append(entry)
                    display.message(f"impasto: {message}")
                else:
                    tally.done.append(entry)
                    if not common.as_json:
                        display.result(str(pair.output))
                display.next_picture()
    finally:
        if common.as_json:
            print_json({"done": tally.done, "failed": tally.failed})
        if len(plan.pairs) > 1 and not common.quiet:
            display.message(tally.summary(len(plan.pairs)))
    return exit_codes.FAILED if tally.failed else exit_codes.DONE


def _do_one(pair: Pair, job: Job, display: Display, *, overwrite: bool, unit: str) -> dict[str, Any]:
    started = time.monotonic()
    check_output(pair.output, overwrite=overwrite)
    with display.picture(pair.source.name, unit=unit) as show:
        image = job(pair.source, show)
    write_picture(pair.output, image, overwrite=overwrite)
    return {
        "input": str(pair.source),
        "output": str(pair.output),
        "width": image.width,
        "height": image.height,
        "seconds": round(time.monotonic() - started, 3),
    }


def _message(pair: Pair, error: Exception) -> str:
    """What went wrong, naming the picture once."""
    if isinstance(error, ImpastoError) and not isinstance(error, CallError):
        return str(error)  # a picture's own errors name the file
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"{pair.source}: {reason}"
