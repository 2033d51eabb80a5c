"""The values that a setting may have, and how it is written in a variable and in a file."""

from __future__ import annotations

import base64
import binascii
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

MOST_SECONDS: Final = 1_000_000
"""The longest time that is not endless, some 11 days: gRPC counts keepalive in milliseconds of 32 bits."""

_METADATA_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_RESERVED_KEYS: Final = ("content-type", "te", "user-agent")
_FLAGS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Form:
    """The form of a setting's values.

    Attributes:
        words: what the value must be, to follow "must be".
        check: the value, perhaps as a wider type; raises ValueError or TypeError if it cannot be used.
        from_text: reads a variable's text into what `check` takes; raises ValueError.
        from_file: turns what a TOML file can hold into what `check` takes; raises ValueError.
    """

    words: str
    check: Callable[[Any], Any]
    from_text: Callable[[str], Any] = _same
    from_file: Callable[[Any], Any] = _same


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def seconds(words: str, *, least: float | None = None, endless: str = "") -> Form:
    """Seconds as a float, from `least`, or more than 0, to MOST_SECONDS; `endless` says what infinitely many mean, if
    they may be."""

    def check(value: Any) -> float:
        _require(isinstance(value, int | float) and not isinstance(value, bool))
        _require(value > 0 if least is None else value >= least)  # not so of nan
        _require(value <= MOST_SECONDS or (endless != "" and value == math.inf))
        return float(value)

    most = f"{words}, at most {MOST_SECONDS}"
    return Form(
        f"seconds, {most}; `inf` for {endless}" if endless else f"seconds, {most}", check, from_text=float
    )


def whole(least: int, most: int | None = None) -> Form:
    """A whole number from `least` to `most`."""

    def check(value: Any) -> int:
        _require(isinstance(value, int) and not isinstance(value, bool))
        _require(value >= least and (most is None or value <= most))
        return int(value)

    words = f"a whole number from {least} on" if most is None else f"a whole number from {least} to {most}"
    return Form(words, check, from_text=int)


def flag() -> Form:
    """True or false."""

    def check(value: Any) -> bool:
        _require(isinstance(value, bool))
        return bool(value)

    def from_text(text: str) -> bool:
        _require(text.lower() in _FLAGS)
        return _FLAGS[text.lower()]

    return Form("true or false", check, from_text)


def choice(*choices: str) -> Form:
    """One of these words."""

    def check(value: Any) -> str:
        _require(value in choices)
        return str(value)

    return Form(" or ".join(f"`{choice}`" for choice in choices), check)


def text(words: str) -> Form:
    """Any text but none."""

    def check(value: Any) -> str:
        _require(isinstance(value, str) and value != "")
        return str(value)

    return Form(words, check)


def path() -> Form:
    """A path, whether or not there is a file."""

    def check(value: Any) -> str | os.PathLike[str]:
        _require(isinstance(value, str | os.PathLike))
        path = cast("str | os.PathLike[str]", value)
        _require(os.fspath(path) != "")
        return path

    return Form("the path of a PEM file", check)


def token() -> Form:
    """A bearer token."""

    def check(value: Any) -> str:
        _require(isinstance(value, str) and re.fullmatch(r"[!-~]+", value) is not None)
        return str(value)

    return Form("printable ASCII without spaces and line breaks", check)


def metadata() -> Form:
    """gRPC metadata."""

    def check(value: Any) -> dict[str, str | bytes]:
        _require(isinstance(value, Mapping))
        for key, entry in value.items():
            _require(isinstance(key, str) and _METADATA_KEY.fullmatch(key) is not None)
            _require(not key.startswith("grpc-") and key not in _RESERVED_KEYS)
            if key.endswith("-bin"):
                _require(isinstance(entry, bytes))
            else:
                _require(isinstance(entry, str) and re.fullmatch(r"[ -~]*", entry) is not None)
        return dict(value)

    def from_file(value: Any) -> dict[str, str | bytes]:
        _require(isinstance(value, Mapping))
        _require(all(isinstance(entry, str) for entry in value.values()))
        return {key: _bytes(entry) if key.endswith("-bin") else entry for key, entry in value.items()}

    def from_text(text: str) -> dict[str, str | bytes]:
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        _require(all(equals for _, equals, _ in pairs))
        return from_file({key.strip(): entry.strip() for key, _, entry in pairs})

    words = (
        "lowercase ASCII keys, none of gRPC's own, each with printable ASCII (a variable: `key=value,key=value`); "
        "for keys that end in `-bin` bytes (a variable or a file: base64)"
    )
    return Form(words, check, from_text, from_file)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error
