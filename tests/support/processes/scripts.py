"""Modules of the support code that are run as programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

SUPPORT: Final = Path(__file__).resolve().parents[1]
"""The folder that must be on a program's path for it to import support code."""


def run_script(
    module: ModuleType | str, *arguments: object, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a module as a program to its end.

    Args:
        module: what to run; its name will do.
        arguments: words of its command line.
        options: Python's own.
    """
    path = os.pathsep.join(filter(None, (str(SUPPORT), os.environ.get("PYTHONPATH"))))
    name = module if isinstance(module, str) else module.__name__
    return subprocess.run(
        [sys.executable, *options, "-m", name, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
