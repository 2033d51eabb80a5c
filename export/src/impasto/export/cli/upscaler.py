"""`impasto-export upscaler`: train, export and evaluate networks that enlarge pictures."""

from __future__ import annotations

import click


@click.group()
def upscaler() -> None:
    """Train, export and evaluate networks that enlarge pictures."""
