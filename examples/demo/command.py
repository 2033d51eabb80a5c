"""Calls the command lines as a person would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click


def run(program: str, *arguments: str) -> bool:
    """Show and run an installed program; whether it succeeded."""
    click.secho(f"$ {' '.join((program, *arguments))}", bold=True)
    executable = Path(sys.executable).parent / program
    return subprocess.run([str(executable), *arguments]).returncode == 0


def impasto(*arguments: str, server: str) -> None:
    """Show and run `impasto ARGUMENTS` against `server`; a failure ends the demonstration."""
    if not run("impasto", *arguments, "--server", server):
        sys.exit(1)
