"""ncnn's `.param`: the layers of a network, a line each.

The first line is a magic number, the second counts the layers and their outputs. A layer's line has its kind, its name,
how many inputs and outputs it has, their names, and its parameters as `number=value`; an array's number n is written
as -23300 - n, and its length comes first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from impasto.export.upscale.ncnn.errors import NcnnError

Value: TypeAlias = "int | float | tuple[float, ...]"

_MAGIC: Final = "7767517"
_MOST_BYTES: Final = 4 << 20
_ARRAYS: Final = -23300
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,9}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,15})?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        kind: ncnn's name of what it computes.
        name: its own name.
        inputs: the names of what it takes, each an output of an earlier layer.
        outputs: the names of what it gives.
        parameters: its parameters by number.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: dict[int, Value] = field(default_factory=dict[int, Value])

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    def whole(self, number: int, default: int) -> int:
        """Return a parameter that is a whole number. Raises NcnnError."""
        value = self.parameters.get(number, default)
        if not isinstance(value, int):
            raise NcnnError(f"parameter {number} of {self} is {value}; it must be a whole number")
        return value

    def number(self, number: int, default: float) -> float:
        """Return a parameter that is a number. Raises NcnnError."""
        value = self.parameters.get(number, default)
        if isinstance(value, tuple):
            raise NcnnError(f"parameter {number} of {self} is {value}; it must be a number")
        return float(value)

    def numbers(self, number: int) -> tuple[float, ...]:
        """Return a parameter that is an array, empty where it is left out. Raises NcnnError."""
        value = self.parameters.get(number, ())
        if not isinstance(value, tuple):
            raise NcnnError(f"parameter {number} of {self} is {value}; it must be an array")
        return value

    def check(self, *, inputs: int | None, known: set[int]) -> None:
        """Refuse another number of inputs, and parameters that would change what is computed. Raises NcnnError."""
        if inputs is not None and len(self.inputs) != inputs:
            raise NcnnError(f"{self} has {len(self.inputs)} inputs; it must have {inputs}")
        if unknown := sorted(self.parameters.keys() - known):
            raise NcnnError(f"{self} has parameter {unknown[0]}, which is not read here")


def read_layers(content: bytes) -> list[Layer]:
    """Return the layers of a `.param` file, in their order.

    Raises:
        NcnnError: the file is damaged; or a layer takes what no layer before it gives.
    """
    lines = _lines(content)
    if next(lines, [""]) != [_MAGIC]:
        raise NcnnError(f"it is no text of ncnn's: its first line must be {_MAGIC}")
    counts = [_whole(word, "the second line") for word in next(lines, [])]
    layers = [_layer(words, line) for line, words in enumerate(lines, 3)]
    given = [name for layer in layers for name in layer.outputs]
    if counts != [len(layers), len(given)]:
        raise NcnnError(
            f"its second line announces {counts} layers and outputs, and it has [{len(layers)}, {len(given)}]"
        )
    _check_names(layers)
    return layers


def _lines(content: bytes) -> Iterator[list[str]]:
    if len(content) > _MOST_BYTES:
        raise NcnnError(f"it has {len(content)} bytes, more than {_MOST_BYTES}")
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise NcnnError(f"it is no text of ncnn's ({error})") from error
    return (words for line in text.split("\n") if (words := line.split()))


def _layer(words: list[str], line: int) -> Layer:
    where = f"line {line}"
    if len(words) < 4:
        raise NcnnError(f"{where} ends early: a kind, a name and two counts begin a layer")
    kind, name, *counts = words[:4]
    inputs, outputs = (_whole(word, where) for word in counts)
    rest = words[4:]
    if min(inputs, outputs) < 0 or inputs + outputs > len(rest):
        raise NcnnError(f"{where} names fewer inputs and outputs than it counts ({inputs} and {outputs})")
    names, parameters = rest[: inputs + outputs], rest[inputs + outputs :]
    values: dict[int, Value] = {}
    for word in parameters:
        number, value = _parameter(word, where)
        if number in values:
            raise NcnnError(f"{where} has parameter {number} twice")
        values[number] = value
    return Layer(kind, name, tuple(names[:inputs]), tuple(names[inputs:]), values)


def _parameter(word: str, where: str) -> tuple[int, Value]:
    key, separator, text = word.partition("=")
    if not separator:
        raise NcnnError(f"{where} has {word!r} where a parameter is number=value")
    number = _whole(key, where)
    if number > _ARRAYS:
        return number, _value(text, where)
    length, *values = text.split(",")
    if _whole(length, where) != len(values):
        raise NcnnError(f"{where} announces an array of {length} numbers, and it has {len(values)}")
    return _ARRAYS - number, tuple(float(_value(value, where)) for value in values)


def _value(text: str, where: str) -> int | float:
    if _WHOLE.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise NcnnError(f"{where} has {text!r} where a number is expected")
    return value


def _whole(text: str, where: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise NcnnError(f"{where} has {text!r} where a whole number is expected")
    return int(text)


def _check_names(layers: list[Layer]) -> None:
    known: set[str] = set()
    for layer in layers:
        if missing := [name for name in layer.inputs if name not in known]:
            raise NcnnError(f"{layer} takes {missing[0]!r}, which no layer before it gives")
        for name in layer.outputs:
            if name in known:
                raise NcnnError(f"{layer} gives {name!r}, which is there already")
            known.add(name)
