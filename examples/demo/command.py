"""Calls the command line as a person would."""

from __future__ import annotations

import subprocess
import sys

import click


def impasto(*arguments: str, server: str) -> None:
    """Show and run `impasto ARGUMENTS` against `server`; a failure ends the demonstration."""
    click.secho(f"$ impasto {' '.join(arguments)} --server {server}", bold=True)
    code = subprocess.run([sys.executable, "-m", "impasto.client", *arguments, "--server", server]).returncode
    if code != 0:
        sys.exit(code)
