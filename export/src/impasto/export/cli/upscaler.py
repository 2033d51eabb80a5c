"""`impasto-export upscaler`: train, export and evaluate networks that enlarge pictures."""

from __future__ import annotations

import click

from impasto.export.cli.upscaler_evaluate import evaluate
from impasto.export.cli.upscaler_import import import_


@click.group()
def upscaler() -> None:
    """Train, export and evaluate networks that enlarge pictures."""


upscaler.add_command(evaluate)
upscaler.add_command(import_)
