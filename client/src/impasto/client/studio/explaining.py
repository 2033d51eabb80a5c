"""A job as the command line and as the Python that make the same one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final, cast

from impasto.client import Job, Model
from impasto.client.settings.addresses import DEFAULT_ADDRESS
from impasto.client.studio.forms import MAIN_PICTURE

_FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {"size": "to", "style": "style", "weights": "weight", "total_variation_weight": "tv-weight"}
)
"""The options that are not called as their field is."""


def result_name(kind: str, picture: str) -> str:
    """Return the name of a job's result."""
    return f"{PurePosixPath(picture).stem}-{kind}.png"


def command(kind: str, job: Job[Any, Any], *, address: str) -> str:
    """Return the command line that makes a job whose pictures are the names of files."""
    main = MAIN_PICTURE[kind]
    words = ["impasto", kind, _file(getattr(job, main)), "-o", _file(result_name(kind, getattr(job, main)))]
    for name, value in _given(job):
        if name != main:
            words += _words(name, value)
    if _shown(address):
        words += ["--server", address]
    return shlex.join(words)


def python(kind: str, job: Job[Any, Any], *, address: str) -> str:
    """Return the program that makes a job whose pictures are the names of files."""
    name = type(job).__name__
    main = MAIN_PICTURE[kind]
    arguments = [repr(getattr(job, main))]
    needs_model = isinstance(job.model, Model) and (job.model.version, job.model.label) != (None, None)
    for field, value in _given(job):
        if field == main:
            continue
        shown = _model(value) if isinstance(value, Model) else repr(_plain(value))
        arguments.append(shown if field == "style" else f"{field}={shown}")
    server = repr(address) if _shown(address) else ""
    made = ",\n    ".join(arguments)
    return (
        f"from impasto.client import Client, {f'{name}, Model' if needs_model else name}\n\n"
        f"job = {name}(\n    {made},\n)\n"
        f"with Client({server}) as client:\n"
        f"    client.run(job).save({result_name(kind, getattr(job, main))!r})\n"
    )


def _given(job: Job[Any, Any]) -> list[tuple[str, Any]]:
    """Return the fields that are not as they are when nobody says anything."""
    found: list[tuple[str, Any]] = []
    for field in fields(cast(Any, job)):
        value = getattr(job, field.name)
        default = field.default
        if field.name == "model":
            default = Model.of(cast("str | Model", default))
        if default is MISSING or value != default:
            found.append((field.name, value))
    return found


def _words(name: str, value: Any) -> list[str]:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(value)
    flag = f"--{_FLAGS.get(name, name.replace('_', '-'))}"
    if value is True:
        return [flag]
    if isinstance(value, str):
        return [flag, _file(value) if _is_picture(name) else value]
    return [f"{flag}={_number(value)}"]


def _is_picture(name: str) -> bool:
    return name in ("guide", "mask")


def _styles(value: Any) -> list[str]:
    return [word for style in _entries(value) for word in ("--style", _file(style))]


def _several(flag: str, between: str, of: Callable[[Any], str]) -> Callable[[Any], list[str]]:
    """Return what makes one option of several values."""
    return lambda value: [f"{flag}={between.join(map(of, _entries(value)))}"]


def _entries(value: Any) -> tuple[Any, ...]:
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)


def _layer(pair: tuple[str, float]) -> str:
    name, weight = pair
    return name if weight == 1 else f"{name}={_number(weight)}"


def _asked(value: Model) -> list[str]:
    words = ["--model", value.name]
    if value.version is not None:
        words.append(f"--model-version={value.version}")
    if value.label is not None:
        words += ["--label", value.label]
    return words


def _start(value: str) -> list[str]:
    return ["--start", value if value in ("content", "noise") else _file(value)]


def _side(flag: str) -> Callable[[Any], list[str]]:
    """Return what makes an option of a side in pixels; for no bound the command line has the largest number."""
    return lambda value: [f"{flag}={2**31 - 1 if value is None else value}"]


_SPECIAL: Final[Mapping[str, Callable[[Any], list[str]]]] = MappingProxyType(
    {
        "style": _styles,
        "weights": lambda value: [f"--weight={_number(weight)}" for weight in value],
        "layers": _several("--layers", ",", _layer),
        "style_layers": _several("--style-layers", ",", _layer),
        "content_layers": _several("--content-layers", ",", _layer),
        "octaves": _several("--octaves", ",", str),
        "factor": _several("--factor", "x", str),
        "size": _several("--to", "x", str),
        "model": _asked,
        "start": _start,
        "keep_size": lambda _: ["--painted-size"],
        "max_side": _side("--max-side"),
        "tile": _side("--tile"),
    }
)
"""The functions that make words of a field whose value is no plain number or text."""


def _number(value: float) -> str:
    """Return a number as people write it: 1 for 1.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _file(name: str) -> str:
    """Return a file's name that cannot be taken for an option."""
    return f"./{name}" if name.startswith("-") else name


def _plain(value: Any) -> Any:
    """Return a value as a person would write it: layers without their weight where it is 1."""
    if isinstance(value, tuple):
        entries = _entries(cast(Any, value))
        if all(isinstance(entry, tuple) for entry in entries):
            return [name if weight == 1 else (name, weight) for name, weight in entries]
        return [_plain(entry) for entry in entries]
    return value


def _model(value: Model) -> str:
    if (value.version, value.label) == (None, None):
        return repr(value.name)
    return f"Model({value.name!r}, version={value.version!r}, label={value.label!r})"


def _shown(address: str) -> bool:
    """Tell whether an address is told: one that a reader may have to say, and no file of this machine."""
    return address != DEFAULT_ADDRESS and not re.match(r"unix:|/", address)
