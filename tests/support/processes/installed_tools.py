"""The command line tools that Python packages of the development group install beside the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs `name` of this virtual environment, whether or not it is on the PATH."""
    command = [str(Path(sys.executable).parent / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
