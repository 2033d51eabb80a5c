"""The option `-v`: what the client logs, as lines on standard error, above the bars where some are drawn."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

import click

from impasto.client._transport.observing import LOGGER
from impasto.client.cli.output import note

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_COUNT: Final = f"{__name__}.count"


class _Lines(logging.Handler):
    """Writes records as lines for the person; none unless asked."""

    def __init__(self) -> None:
        super().__init__(logging.CRITICAL + 1)
        self.say: Callable[[str], None] = note

    def emit(self, record: logging.LogRecord) -> None:
        self.say(f"impasto: {self.format(record)}")


@contextlib.contextmanager
def noted_logs() -> Generator[None, None, None]:
    """While the block runs, records are lines like all others, as many as `verbose_option` is told to show."""
    lines, level = _Lines(), LOGGER.level
    LOGGER.addHandler(lines)
    try:
        yield
    finally:
        LOGGER.removeHandler(lines)
        LOGGER.setLevel(level)


@contextlib.contextmanager
def said_by(say: Callable[[str], None]) -> Generator[None, None, None]:
    """While the block runs, lines are written by `say`, which may be called from several threads."""
    shown = _shown()
    for lines in shown:
        lines.say = say
    try:
        yield
    finally:
        for lines in shown:
            lines.say = note


def are_shown() -> bool:
    """True if the person asked for them."""
    return any(lines.level == logging.NOTSET for lines in _shown())


def verbose_option(command: CommandT) -> CommandT:
    """Give a command the option `-v`, which counts together with that before the command."""
    option = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_show,
        help="Say when a job waits for its server; -vv: each call, too.",
    )
    return option(command)


def _show(context: click.Context, _option: click.Parameter, count: int) -> None:
    if not count:
        return
    total = context.meta[_COUNT] = context.meta.get(_COUNT, 0) + count
    LOGGER.setLevel(logging.INFO if total == 1 else logging.DEBUG)
    for lines in _shown():
        lines.setLevel(logging.NOTSET)


def _shown() -> list[_Lines]:
    return [handler for handler in LOGGER.handlers if isinstance(handler, _Lines)]
