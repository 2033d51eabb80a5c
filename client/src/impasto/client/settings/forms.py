"""The form of a setting's values, and what a field of the settings carries besides its type and its default."""

from __future__ import annotations

import base64
import binascii
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import starmap
from typing import Any, Final, NamedTuple, TypeVar, cast

from impasto.client.errors import SettingsError

MOST_SECONDS: Final = 1_000_000
"""The longest time that is not endless, some 11 days: gRPC counts keepalive in milliseconds of 32 bits."""

ClassT = TypeVar("ClassT")

_SETTING, _PART = "setting", "part"
_METADATA_KEY: Final = r"(?!grpc-)[0-9a-z_.-]+"
_RESERVED_KEYS: Final = ("content-type", "te", "user-agent")
_FLAGS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Form:
    """The form of a setting's values.

    Attributes:
        words: what the value must be, to follow "must be".
        fits: tells whether a value can be used.
        to: makes the value, perhaps, one of a wider type.
        from_text: reads a variable's text; may raise.
        from_file: turns what a TOML file can hold into the value; may raise.
    """

    words: str
    fits: Callable[[Any], bool]
    to: Callable[[Any], Any] = _same
    from_text: Callable[[str], Any] = _same
    from_file: Callable[[Any], Any] = _same


def seconds(words: str, *, least: float | None = None, endless: str = "") -> Form:
    """Seconds as a float, from `least`, or more than 0, to MOST_SECONDS; `endless` says what infinitely many mean."""

    def fits(value: Any) -> bool:  # never nan
        enough = _is_number(value, int | float) and (value > 0 if least is None else value >= least)
        return enough and (value <= MOST_SECONDS or (endless != "" and value == math.inf))

    most = f"seconds, {words}, at most {MOST_SECONDS}"
    return Form(f"{most}; `inf` for {endless}" if endless else most, fits, float, from_text=float)


def whole(least: int, most: int | None = None) -> Form:
    """A whole number from `least` to `most`."""

    def fits(value: Any) -> bool:
        return _is_number(value, int) and value >= least and (most is None or value <= most)

    return Form(
        f"a whole number from {least} {'on' if most is None else f'to {most}'}", fits, int, from_text=int
    )


def flag() -> Form:
    """True or false."""
    return Form(
        "true or false", lambda value: isinstance(value, bool), from_text=lambda text: _FLAGS[text.lower()]
    )


def choice(*choices: str) -> Form:
    """One of these words."""
    return Form(" or ".join(f"`{choice}`" for choice in choices), lambda value: value in choices)


def text(words: str, pattern: str = r"(?s:.+)") -> Form:
    """Text that matches a pattern as a whole; any but none."""
    return Form(words, lambda value: _matches(value, pattern))


def path() -> Form:
    """A path, whether or not there is a file."""
    return Form(
        "the path of a PEM file",
        lambda value: isinstance(value, str | os.PathLike) and os.fspath(cast("str", value)) != "",
    )


def metadata() -> Form:
    """gRPC metadata."""

    def fits_pair(key: Any, held: Any) -> bool:
        if not _matches(key, _METADATA_KEY) or key in _RESERVED_KEYS:
            return False
        return isinstance(held, bytes) if key.endswith("-bin") else _matches(held, r"[ -~]*")

    def fits(value: Any) -> bool:
        return isinstance(value, Mapping) and all(starmap(fits_pair, cast("Any", value).items()))

    def from_file(value: Any) -> dict[str, Any]:
        return {
            key: base64.b64decode(held, validate=True) if key.endswith("-bin") else held
            for key, held in value.items()
        }

    def from_text(text: str) -> dict[str, Any]:
        pairs = (part.split("=", 1) for part in text.split(",") if part.strip())
        return from_file({key.strip(): held.strip() for key, held in pairs})

    words = (
        "lowercase ASCII keys, none of gRPC's own, each with printable ASCII (a variable: `key=value,key=value`); "
        "for keys that end in `-bin` bytes (a variable or a file: base64)"
    )
    return Form(words, fits, dict, from_text, from_file)


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _matches(value: Any, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


class Setting(NamedTuple):
    """One setting: where it may be set, what it may be, and what it means.

    Attributes:
        variable: the environment's variable.
        form: what it may be.
        meaning: what it does.
        name: its field of Settings; with a dot, the field of the dataclass in that field.
        key: its name in the file, if that is not `name`; with a dot, the table and the key in it.
        flag: the option of the command line, if there is one.
        optional: whether it may be None, which is: not set.
        secret: whether it must not be shown.
    """

    variable: str
    form: Form
    meaning: str
    name: str = ""
    key: str = ""
    flag: str = ""
    optional: bool = False
    secret: bool = False

    def checked(self, value: object, *, where: str, read: Callable[[Any], Any] = _same) -> Any:
        """Return the value to use.

        Args:
            value: what was given.
            where: the argument, the variable, or the file and key; the message begins with it.
            read: makes of it what the setting may be: the form's `from_text` or `from_file`.

        Raises:
            SettingsError: it cannot be used.
        """
        if value is None and self.optional:
            return None
        cause: Exception | None = None
        try:
            held = read(value)
            if self.form.fits(held):
                return self.form.to(held)
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
            cause = error
        shown = "what is there cannot be used" if self.secret else f"{value!r} cannot be used"
        raise SettingsError(f"{where}: {shown}; it must be {self.form.words}") from cause


def setting(
    default: Any, variable: str, form: Form, meaning: str, *, part: type | None = None, **more: Any
) -> Any:
    """A dataclass's field that is a setting.

    Args:
        default: the field's; a class for a new instance of it.
        variable: as in Setting, like the others.
        form: what a variable may say.
        meaning: what the setting does.
        part: the dataclass that the field holds, whose own fields are settings too.
        **more: further attributes of the Setting.
    """
    own = Setting(variable, form, meaning, optional=default is None, **more)
    carried = {_SETTING: own, _PART: part}
    if isinstance(default, type):
        return field(default_factory=cast("type[Any]", default), repr=not own.secret, metadata=carried)
    return field(default=default, repr=not own.secret, metadata=carried)


def part_of(part: type) -> Any:
    """A dataclass's field that holds another dataclass of settings, which no variable stands for."""
    return field(default_factory=part, metadata={_PART: part})


def documented(kind: type[ClassT]) -> type[ClassT]:
    """Tell in a dataclass's docstring what its fields mean, in the words that each carries."""
    lines: list[str] = []
    for held in fields(cast("Any", kind)):
        part = held.metadata.get(_PART)
        meaning = held.metadata[_SETTING].meaning if part is None else part.__doc__.partition(".")[0]
        lines.append(f"        {held.name}: {meaning[0].lower()}{meaning[1:]}.")
    before, raises, after = (kind.__doc__ or "").rstrip().partition("\n\n    Raises:")
    kind.__doc__ = "\n".join([f"{before}\n\n    Attributes:", *lines]) + raises + after
    return kind


def settings_of(kind: type, before: str = "") -> Iterator[Setting]:
    """The settings that the fields of a dataclass carry, and those of the dataclasses in them."""
    for held in fields(kind):
        if own := held.metadata.get(_SETTING):
            name = own.name or before + held.name
            yield own._replace(name=name, key=own.key or name)
        if part := held.metadata.get(_PART):
            yield from settings_of(part, f"{held.name}.")


def check_fields(made: Any, before: str = "") -> None:
    """Check each field of a frozen dataclass by what it carries, and put the value to use in its place.

    Args:
        made: the dataclass, from its `__post_init__`.
        before: the name of the field that holds it, with a dot.

    Raises:
        SettingsError: a value cannot be used.
    """
    for held in fields(made):
        where, value, part = before + held.name, getattr(made, held.name), held.metadata.get(_PART)
        if part is None:
            object.__setattr__(made, held.name, held.metadata[_SETTING].checked(value, where=where))
        elif not isinstance(value, part) and (value is not None or held.default is not None):
            raise SettingsError(f"{where}: {value!r} cannot be used; give a {part.__name__}")
