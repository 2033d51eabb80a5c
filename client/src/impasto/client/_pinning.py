"""A long job is done by one version of its model from its first call to its last, also over a restart."""

from __future__ import annotations

from impasto.client._calls import ModelRef
from impasto.client._jobs import Snapshot
from impasto.client.checkpoint import check_same_job
from impasto.client.errors import CheckpointError, ModelNotFound


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
    return ModelRef(ref.name, version=version)


def version_gone(error: ModelNotFound, ref: ModelRef) -> ModelNotFound:
    """What to raise when the version that a job began with is not found."""
    return ModelNotFound(
        f"version {ref.version} of {ref.name}, with which this job began, is no longer served, and another version "
        "would give another picture. Serve it again and go on from the checkpoint, or begin anew "
        f"({error.details or error})",
        code=error.code,
        details=error.details,
        address=error.address,
        model=error.model,
    )
