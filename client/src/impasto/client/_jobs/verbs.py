"""The short forms: a client's method that makes a job of its arguments and runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from impasto.client._jobs.job import Job

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
        signature = inspect.signature(self._job)
        client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        method: Any = self._method
        method.__signature__ = signature.replace(
            parameters=[client, *signature.parameters.values()], return_annotation=_result(self._job)
        )
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


def _result(job: Any) -> Any:
    """The type of what running the job gives: the first argument of the Job that its class is made from."""
    base = job.__orig_bases__[0]
    while base.__origin__ is not Job:
        base = base.__origin__.__orig_bases__[0]
    return base.__args__[0]
