"""The forms: what each kind of job takes, told by the job's own class, and the job that a filled form stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from impasto.client import Dream, ImpastoError, Job, Stylize, Transfer, Upscale
from impasto.client._jobs.values import Range
from impasto.client._models.dream.job import RANGES as DREAM_RANGES
from impasto.client._models.dream.recipes import RECIPES as DREAM_RECIPES
from impasto.client._models.transfer.job import RANGES as TRANSFER_RANGES
from impasto.client._models.transfer.recipes import CONTENT, NOISE
from impasto.client._models.transfer.recipes import RECIPES as TRANSFER_RECIPES
from impasto.client._models.upscale.enlargement import MOST_MEGAPIXELS
from impasto.client.studio.refusals import Refusal, refusal_of

PictureT = TypeVar("PictureT")

JOBS: Final[Mapping[str, type[Job[Any, Any]]]] = MappingProxyType(
    {"upscale": Upscale, "stylize": Stylize, "dream": Dream, "transfer": Transfer}
)
"""The jobs that forms are made of, by the name of the command."""

STRIP: Final = "strip"
BENCH: Final = "bench"
KINDS: Final = (*JOBS, STRIP, BENCH)

MAIN_PICTURE: Final[Mapping[str, str]] = MappingProxyType(
    {"upscale": "image", "stylize": "content", "dream": "image", "transfer": "content", STRIP: "content"}
)
"""The field with the picture that a job works on, whose name its result gets."""

_RANGES: Final[Mapping[str, Mapping[str, Range]]] = MappingProxyType(
    {
        "upscale": {"megapixels": Range(0.0, MOST_MEGAPIXELS, optional=True)},
        "stylize": {"strength": Range(0.0, 1.0), "max_side": Range(16, 2**31 - 1, whole=True, optional=True)},
        "dream": DREAM_RANGES,
        "transfer": TRANSFER_RANGES,
    }
)
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image": "picture",
        "content": "picture",
        "guide": "picture",
        "mask": "picture",
        "start": "picture",
        "style": "pictures",
        "layers": "layers",
        "style_layers": "layers",
        "content_layers": "layers",
        "octaves": "integers",
        "size": "integers",
        "factor": "integer",
        "weights": "numbers",
        "model": "text",
        "recipe": "choice",
        "tile": "integer",
    }
)
_WORDS_OF_START: Final = (CONTENT, NOISE)
_STRIP_FIELDS: Final = ("content", "preserve_color", "max_side", "model")


def described() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the fields of each kind: type, default, range, and a line of help out of the class's documentation."""
    found = {
        kind: {field.name: _described(kind, field) for field in fields(cast(Any, job)) if field.name != "_"}
        for kind, job in JOBS.items()
    }
    found[STRIP] = {name: found["stylize"][name] for name in _STRIP_FIELDS}
    found[BENCH] = {"model": {**found["stylize"]["model"], "default": None}}
    return found


def _described(kind: str, field: Field[Any]) -> dict[str, Any]:
    allowed = _RANGES[kind].get(field.name)
    default = None if field.default is MISSING else field.default
    if isinstance(default, bool):
        sort = "flag"
    else:
        is_whole = allowed is not None and allowed.whole
        sort = _TYPES.get(field.name) or ("integer" if is_whole else "number")
    return {
        "type": sort,
        "default": getattr(default, "name", default),
        "least": None if allowed is None else allowed.least,
        "most": None if allowed is None else allowed.most,
        "choices": _choices(kind, field.name),
        "help": _help(JOBS[kind])[field.name],
    }


def _choices(kind: str, name: str) -> list[str] | None:
    """Return the words that a field takes, if it takes words."""
    if name == "recipe":
        return list(DREAM_RECIPES if kind == "dream" else TRANSFER_RECIPES)
    return list(_WORDS_OF_START) if name == "start" else None


def _help(job: type) -> dict[str, str]:
    """Return the first sentence about each argument in a class's documentation."""
    arguments = re.split(r"\n    (?:Returns|Raises):\n", (job.__doc__ or "").partition("Args:\n")[2])[0]
    entries = re.findall(r"^        (\w+): (.*(?:\n {12}.*)*)", arguments, re.MULTILINE)
    return {name: _first_sentence(" ".join(text.split())) for name, text in entries}


def _first_sentence(text: str) -> str:
    sentence = re.split(r"(?<=[a-z0-9)])\. (?=[A-Z])", text.replace("`", ""))[0].rstrip(".")
    return f"{sentence[:1].upper()}{sentence[1:]}."


def picture_ids(kind: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the pictures of a form: the field, and the id. Raises Refusal for what is no id."""
    for name, value in values.items():
        if _TYPES.get(name) not in ("picture", "pictures") or value is None:
            continue
        if name == "start" and value in _WORDS_OF_START:
            continue
        for entry in cast("list[object]", value) if isinstance(value, list) else [value]:
            if not isinstance(entry, str):
                raise Refusal(422, f"{name} of a {kind} must be the id of a picture, or a list of them", name)
            yield name, entry


def with_pictures(values: Mapping[str, Any], find: Callable[[str], PictureT]) -> dict[str, Any]:
    """Return a form's values with what `find` gives for each picture's id."""

    def found(name: str, value: Any) -> Any:
        if _TYPES.get(name) not in ("picture", "pictures") or value is None:
            return value
        if name == "start" and value in _WORDS_OF_START:
            return value
        return [find(entry) for entry in cast("list[str]", value)] if isinstance(value, list) else find(value)

    return {name: found(name, value) for name, value in values.items()}


def job_of(kind: str, values: Mapping[str, Any]) -> Job[Any, Any]:
    """Return the job of a form whose pictures are filled in.

    Raises:
        Refusal: a field is unknown, missing or out of its range.
    """
    job = JOBS[kind]
    names = [field.name for field in fields(cast(Any, job))]
    given = {name: _tupled(name, value) for name, value in values.items() if value is not None}
    # None has a meaning of its own only where it is not the default.
    given.update(
        {
            name: None
            for name, value in values.items()
            if value is None and name in names and _default(job, name) is not None
        }
    )
    try:
        return job.from_json(given)
    except (ImpastoError, TypeError, ValueError) as error:
        raise refusal_of(error, names) from error


def _default(job: type[Any], name: str) -> Any:
    default = next(field.default for field in fields(job) if field.name == name)
    return None if default is MISSING else default


def _tupled(name: str, value: Any) -> Any:
    """Return a size as the pair that it is."""
    return tuple(cast("list[object]", value)) if name == "size" and isinstance(value, list) else value


def strip_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Stylize that each painting of a strip gets. Raises Refusal."""
    for name in values:
        if name not in _STRIP_FIELDS:
            raise Refusal(
                422, f"{name!r} is not a field of a strip; its fields are {', '.join(_STRIP_FIELDS)}", name
            )
    if not isinstance(values.get("content"), str):
        raise Refusal(422, "content is missing; a strip must have a photo", "content")
    return dict(values)
