"""The kinds of values that tensorflow_model_server's flags take, as `tensorflow_model_server --help` names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

if TYPE_CHECKING:
    Kind: TypeAlias = click.ParamType[Any]  # only newer versions of click take the argument when they run
else:
    Kind = click.ParamType


class _Integer(Kind):
    def __init__(self, bits: int) -> None:
        self.name = f"int{bits}"
        self._end = 2 ** (bits - 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if not -self._end <= number < self._end:
            self.fail(f"{value!r} is beyond {self.name}, {-self._end} to {self._end - 1}", param, ctx)
        return number


class _Float(Kind):
    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)


class _Bool(Kind):
    name = "bool"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        text = str(value).lower()
        if text not in ("true", "1", "false", "0"):
            self.fail(f"{value!r} is not true or false", param, ctx)
        return text in ("true", "1")


INT32: Final = _Integer(32)
INT64: Final = _Integer(64)
FLOAT: Final = _Float()
BOOL: Final = _Bool()
STRING: Final = click.STRING
