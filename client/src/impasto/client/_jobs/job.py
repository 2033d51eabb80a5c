"""A job as a value, and a client's short form of it: a method that makes the job of its arguments and runs it."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, asdict, fields
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

import numpy as np

from impasto.client._jobs.steps import Steps
from impasto.client._jobs.values import picture
from impasto.client.errors import InvalidInput
from impasto.client.model import Model
from impasto.client.settings import CallKind

if TYPE_CHECKING:
    from typing_extensions import Self

ResultT_co = TypeVar("ResultT_co", covariant=True)
ProgressT_co = TypeVar("ProgressT_co", covariant=True)


class Job(ABC, Generic[ResultT_co, ProgressT_co]):
    """Something that a client does with a served model, as a value: a frozen dataclass, one for each verb.

    It is checked when it is made, so one that is there can be run, as often as you like and by any client. Two of
    the same fields are equal. Paths become text, sequences tuples, and the name of a model a Model.
    """

    kind: ClassVar[CallKind]
    """The timeout of the settings that each of its calls has."""

    pictures: ClassVar[tuple[str, ...]] = ()
    """The fields that hold a picture each."""

    model: Model | str

    def __post_init__(self) -> None:
        model = Model.of(self.model)
        try:
            kept = {"model": model, **self._checked_pictures(), **self.checked()}
        except InvalidInput as error:
            error.model = error.model or model.name
            raise
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    def checked(self) -> dict[str, Any]:
        """Check the fields, and return those that are kept in another form than the one they were given in.

        Raises:
            InvalidInput: a field cannot be used, whatever the model and the pictures are; names it, its value and
                what it must be.
        """
        return {}

    @abstractmethod
    def prepare(self, *, max_pixels: int) -> Steps[ResultT_co]:
        """Read the pictures, and return the steps that make the result.

        Args:
            max_pixels: the largest width times height of a picture that is read.

        Raises:
            ImageError: a picture cannot be used.
            OSError: a file cannot be opened.
        """

    def to_json(self) -> dict[str, Any]:
        """Return the job as JSON values, of which `from_json` makes an equal one.

        Raises:
            InvalidInput: a picture is not a path.
        """
        values = {field.name: _as_json(field.name, getattr(self, field.name)) for field in _fields(self)}
        return {"job": type(self).__name__, **values}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the job that JSON values stand for. Fields with a default may be left out.

        Raises:
            InvalidInput: a key is unknown, missing, or of another type; names it.
        """
        given = _object(value, of=cls.__name__)
        if (job := given.pop("job", cls.__name__)) != cls.__name__:
            raise InvalidInput(f"job is {job!r}; it must be {cls.__name__!r}, or left out")
        known = {field.name: field for field in _fields(cls)}
        _refuse_unknown(given, known, of=cls.__name__)
        for name, field in known.items():
            if name not in given and field.default is MISSING:
                raise InvalidInput(f"{name} is missing; a {cls.__name__} must have it")
        if not isinstance(given.get("model", ""), str):
            model = _object(given["model"], of="model")
            _refuse_unknown(model, {field.name: field for field in fields(Model)}, of="model")
            given["model"] = Model(model.pop("name", ""), **model)
        return cls(**given)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in _fields(self))

    def __hash__(self) -> int:
        return hash((type(self), self.model))

    def _checked_pictures(self) -> dict[str, Any]:
        given = {
            field.name: getattr(self, field.name) for field in _fields(self) if field.name in self.pictures
        }
        optional = {field.name for field in _fields(self) if field.default is None}
        return {
            name: picture(name, value)
            for name, value in given.items()
            if value is not None or name not in optional
        }


def _fields(job: Any) -> tuple[Field[Any], ...]:
    return fields(job)


def _as_json(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Model):
        return asdict(value)
    if isinstance(value, tuple):
        return [_as_json(name, entry) for entry in cast(tuple[object, ...], value)]
    raise InvalidInput(
        f"{name} is a {type(value).__name__}, which JSON cannot hold; give the path of a picture's file"
    )


def _object(value: Any, *, of: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{of} is read from an object with its fields, not from {value!r}")
    return dict(cast(Mapping[str, Any], value))


def _refuse_unknown(given: Mapping[str, Any], known: Mapping[str, object], *, of: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidInput(f"{name!r} is not a field of {of}; its fields are {', '.join(known)}")


def _same(one: Any, other: Any) -> bool:
    kinds: set[type] = {type(one), type(other)}
    if np.ndarray in kinds:
        return np.array_equal(one, other)
    if kinds == {tuple}:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


FieldsP = ParamSpec("FieldsP")
ReturnT = TypeVar("ReturnT")


class Verb(Generic[FieldsP, ReturnT]):
    """A method that takes a job's own fields, and is documented as the job is.

    In a class it gives its place to `method`, so that tools see a method like any other; type checkers see this.

    Args:
        job: makes the job.
        method: takes the client, and what `job` takes.
    """

    def __init__(self, job: Callable[FieldsP, Job[Any, Any]], method: Callable[..., ReturnT]) -> None:
        self._job = job
        self._method = method

    def __set_name__(self, owner: type, name: str) -> None:
        method: Any = self._method
        method.__signature__ = _signature(self._job)
        method.__name__ = name
        method.__qualname__ = f"{owner.__qualname__}.{name}"
        method.__module__ = self._job.__module__
        method.__doc__ = self._job.__doc__
        setattr(owner, name, method)

    if TYPE_CHECKING:

        @overload
        def __get__(self, client: None, owner: type) -> Callable[Concatenate[Any, FieldsP], ReturnT]: ...
        @overload
        def __get__(self, client: object, owner: type) -> Callable[FieldsP, ReturnT]: ...
        def __get__(self, client: object, owner: type) -> Any: ...


@functools.cache  # of both clients
def _signature(job: Callable[..., Job[Any, Any]]) -> inspect.Signature:
    """The signature of the method that runs a kind of job."""
    own = inspect.signature(job)
    client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return own.replace(parameters=[client, *own.parameters.values()], return_annotation=_result(job))


def _result(job: Any) -> Any:
    """The type of what running the job gives: the first argument of the Job that its class is made from."""
    base = job.__orig_bases__[0]
    while base.__origin__ is not Job:
        base = base.__origin__.__orig_bases__[0]
    return base.__args__[0]
