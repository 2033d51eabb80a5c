"""Layers on the command line."""

from __future__ import annotations

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
        try:
            pairs.append((name, float(weight) if equals else 1.0))
        except ValueError:
            raise click.BadParameter(f"{weight!r}, the weight of {name}, is not a number") from None
    return pairs
