"""A job is done by one version of its model from its first call to its last, also over a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from impasto.client._jobs import Job, Pause, Snapshot
from impasto.client._transport.calls import Call, ModelRef
from impasto.client._transport.patience import patiently
from impasto.client.checkpoint import check_same_job
from impasto.client.errors import CheckpointError, ModelNotFound, VersionGone

ResultT = TypeVar("ResultT")

# While replicas are replaced one after the other, some have a version that the others do not have: the next call goes
# to the next one.
_PAUSES: Final = (0.05, 0.1, 0.2)

RESTARTS: Final = 2
"""The times that a picture is begun again because the version that began it is gone."""


def pinned_to(version: int, ref: ModelRef) -> ModelRef:
    """The model with the version that answered, for all further calls of the job; `ref` if the answer named none."""
    return ModelRef(ref.name, version=version, pinned=True) if version else ref


def by_one_version(send: Callable[[], Job[ResultT]], ref: ModelRef) -> Job[ResultT]:
    """Send a call of a job; where the version is pinned, ask for it again if a replica does not have it.

    Args:
        send: begins to send the call, each time that it is called.
        ref: the model that the call is for.

    Raises:
        VersionGone: the version with which the job began is not found any more.
        CallError: what `send` raises.
    """
    for pause in _PAUSES if ref.pinned else ():
        try:
            return (yield from send())
        except ModelNotFound:
            yield Pause(pause)
    try:
        return (yield from send())
    except ModelNotFound as error:
        raise _version_gone(error, ref) if ref.pinned else error from error.__cause__


def ask(call: Call[ResultT], ref: ModelRef, *, on_failure: Callable[[], None] = lambda: None) -> Job[ResultT]:
    """Send a call of a job as `patiently` does, and as `by_one_version` does."""
    return by_one_version(lambda: patiently(call, on_failure=on_failure), ref)


def begun_again(attempt: Callable[[], Job[ResultT]], model: str) -> Job[ResultT]:
    """Make a picture, and begin it again with the version that is served then if the one that began it is gone.

    Args:
        attempt: begins to make it, each time that it is called.
        model: the model's name.

    Raises:
        VersionGone: that happened three times.
    """
    for _ in range(RESTARTS):
        try:
            return (yield from attempt())
        except VersionGone:
            pass
    try:
        return (yield from attempt())
    except VersionGone as error:
        raise VersionGone(
            f"{RESTARTS + 1} versions of {model} went away in the middle of one picture; wait until `impasto status "
            f"{model}` shows the same again and again, or ask for a version ({error.details or error})",
            code=error.code,
            details=error.details,
            address=error.address,
            model=error.model,
        ) from error


def pinned_by(resume: Snapshot, ref: ModelRef, *, kind: str) -> ModelRef:
    """The model with the version that the checkpoint began with, which a label may no longer stand for.

    Args:
        resume: the checkpoint's snapshot, whose job has a `kind` and a `version`.
        ref: the model that is asked for.
        kind: what kind of job the checkpoint must be of.

    Raises:
        CheckpointError: it is of another kind of job, or of another version than the one asked for.
    """
    version = resume.job.get("version")
    if resume.job.get("kind") != kind or not isinstance(version, int):
        raise CheckpointError(f"the checkpoint is of no {kind}; delete it to begin anew, or name another")
    if ref.version is not None and ref.version != version:
        check_same_job(resume, {**resume.job, "version": ref.version})
    return pinned_to(version, ref)


def _version_gone(error: ModelNotFound, ref: ModelRef) -> VersionGone:
    return VersionGone(
        f"version {ref.version} of {ref.name}, with which this job began, is no longer served, and another version "
        "would give another picture. Serve it again and go on from the checkpoint, or begin anew "
        f"({error.details or error})",
        code=error.code,
        details=error.details,
        address=error.address,
        model=error.model,
    )
