"""Layers on the command line."""

from __future__ import annotations

import contextlib
import math

import click


def layers(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> list[tuple[str, float]] | None:
    """An option's `mixed3,mixed5=0.5` as pairs of name and weight."""
    if value is None:
        return None
    pairs: list[tuple[str, float]] = []
    for entry in value.split(","):
        name, equals, weight = (part.strip() for part in entry.partition("="))
        if not name:
            raise click.BadParameter(f"{value!r} is not a list such as mixed3,mixed5=0.5")
        pairs.append((name, _weight(weight, name) if equals else 1.0))
    return pairs


def _weight(text: str, name: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(weight := float(text)):
            return weight
    raise click.BadParameter(f"{text!r}, the weight of {name}, is not a number")
