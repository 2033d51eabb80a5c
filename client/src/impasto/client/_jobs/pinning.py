"""A client's knowledge of its models; a job is done by one version from first call to last, also over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from impasto.client._jobs.checkpoint import check_same_job
from impasto.client._jobs.steps import Pause, Snapshot, Steps
from impasto.client._transport import calls, forks
from impasto.client._transport.patience import patiently
from impasto.client.errors import CheckpointError, ModelNotFound, VersionGone
from impasto.client.model import Model


class Knowledge:
    """The things that jobs have learnt, and the right to learn more: one job at a time for each model.

    A client's jobs share one, also in several threads. An AsyncClient's belong to one event loop at a time, as it does.

    Args:
        of: the knowledge of another client for the same server, to share.

    Attributes:
        known: a dict for each name of a model, whose keys and values are the jobs' own.
    """

    def __init__(self, of: Knowledge | None = None) -> None:
        self.known: Final[dict[str, dict[Any, Any]]] = {} if of is None else of.known
        self._locks: dict[str, forks.Lock] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._of_loop: dict[str, asyncio.Lock] = {}

    def about(self, model: str) -> dict[Any, Any]:
        """Return what is known of a model, to be read and changed."""
        return self.known.setdefault(model, {})

    def lock(self, model: str) -> forks.Lock:
        """Return the lock that a thread holds while it learns of a model."""
        return self._locks.setdefault(model, forks.Lock())

    def lock_of_loop(self, model: str) -> asyncio.Lock:
        """Return the lock that a task of the running event loop holds while it learns of a model."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._of_loop = loop, {}
        return self._of_loop.setdefault(model, asyncio.Lock())


ResultT = TypeVar("ResultT")

# While replicas are replaced one after the other, some have a version that the others do not have: the next call goes
# to the next one.
_PAUSES: Final = (0.05, 0.1, 0.2)

RESTARTS: Final = 2
"""The times that a picture is begun again because the version that began it is gone."""


class PinnedModel:
    """A model as one job asks it: the version that answers first is asked for in all further calls.

    Calls are sent as `patiently` does. A pinned version that is not found is asked for again, since only some replicas
    may lack it.

    Args:
        model: what to ask for in the first call.
        begun_by: the version that began the job in an earlier run, if there was one.
        on_failure: called after each failure that is waited out.
        waits_for_memory: wait for a server that has no memory for a call, if it has answered as large a one; else that
            is raised.

    Attributes:
        model: what is asked for; with its version, once one has answered.
        version: the version that answered; 0 before, and if the server does not say.
    """

    def __init__(
        self,
        model: Model,
        *,
        begun_by: int = 0,
        on_failure: Callable[[], None] = lambda: None,
        waits_for_memory: bool = False,
    ) -> None:
        self.model = model
        self.version = 0
        self._is_pinned = False
        self._on_failure = on_failure
        self._waits_for_memory = waits_for_memory
        self._answered: dict[str | None, int] = {}  # the bytes of the largest request, by signature
        self._pin(begun_by)

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self.model.name

    def predict(
        self, inputs: Mapping[str, object], *, signature: str | None = None, outputs: Sequence[str] = ()
    ) -> Steps[calls.Outputs]:
        """Run a signature.

        Raises:
            VersionGone: the version with which the job began is not found any more.
            CallError: the call failed.
        """
        call = calls.predict_call(self.model, inputs, signature=signature, outputs=outputs)
        largest = self._answered.get(signature, 0)
        fits = self._waits_for_memory and len(call.request) <= largest
        answer = yield from self._send(replace(call, fits=fits))
        self._answered[signature] = max(largest, len(call.request))
        self._pin(answer.version)
        return answer.outputs

    def _pin(self, version: int) -> None:
        self.version = version
        if version:
            self.model = Model(self.model.name, version)
            self._is_pinned = True

    def _send(self, call: calls.Call[ResultT]) -> Steps[ResultT]:
        for pause in _PAUSES if self._is_pinned else ():
            try:
                return (yield from patiently(call, on_failure=self._on_failure))
            except ModelNotFound:
                yield Pause(pause)
        try:
            return (yield from patiently(call, on_failure=self._on_failure))
        except ModelNotFound as error:
            raise self._gone(error) if self._is_pinned else error from error.__cause__

    def _gone(self, error: ModelNotFound) -> VersionGone:
        return error.as_kind(
            VersionGone,
            f"version {self.model.version} of {self.name}, with which this job began, is no longer served, and another "
            "version would give another picture. Serve it again and go on from the checkpoint, or begin anew "
            f"({error.details or error})",
        )


def begun_again(attempt: Callable[[PinnedModel], Steps[ResultT]], model: Model) -> Steps[ResultT]:
    """Make a picture, and begin it again with the version that is served then if the one that began it is gone.

    Args:
        attempt: begins to make it, each time that it is called.
        model: the model to ask.

    Raises:
        VersionGone: that happened three times.
    """
    for _ in range(RESTARTS):
        try:
            return (yield from attempt(PinnedModel(model)))
        except VersionGone:
            pass
    try:
        return (yield from attempt(PinnedModel(model)))
    except VersionGone as error:
        raise error.as_kind(
            VersionGone,
            f"{RESTARTS + 1} versions of {model.name} went away in the middle of one picture; wait until `impasto "
            f"status {model.name}` shows the same again and again, or ask for a version ({error.details or error})",
        ) from error


def begun_by(resume: Snapshot, model: Model, *, kind: str) -> int:
    """Return the version that a checkpoint began with, which a label may no longer stand for.

    Args:
        resume: the checkpoint's snapshot, whose job has a `kind` and a `version`.
        model: the model that is asked for.
        kind: the kind of job that the checkpoint must be of.

    Raises:
        CheckpointError: it is of another kind of job, or of another version than the one asked for.
    """
    version = resume.job.get("version")
    if resume.job.get("kind") != kind or not isinstance(version, int):
        raise CheckpointError(f"the checkpoint is of no {kind}; delete it to begin anew, or name another")
    if model.version is not None and model.version != version:
        check_same_job(resume, {**resume.job, "version": model.version})
    return version
