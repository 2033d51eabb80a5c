"""`promote`, `rollback` and `reload`: the configuration of running servers is changed, and their file with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from impasto.client import ImpastoError
from impasto.client.settings import addresses
from impasto.serving.errors import ConfigError, FileChangedError, LocalServerError, RolloutError
from impasto.serving.model_config import models_of
from impasto.serving.rollout.checks import RolloutChecks, VersionChecks
from impasto.serving.rollout.files import EditedConfig
from impasto.serving.rollout.fleet import Fleet
from impasto.serving.rollout.lock import rollout_lock
from impasto.serving.rollout.options import RolloutOptions, say, warn
from impasto.serving.rollout.steps import Step, previous_version, promotion
from impasto.serving.rollout.whereabouts import Whereabouts
from impasto.serving.signals import Interruptions


def promote(options: RolloutOptions, model: str, version: int, *, label: str, drop_old: bool) -> None:
    """Give a label to a version. Raises LocalServerError."""
    with _rollout(options, f"promote {model} {version}") as rollout:
        _give_label(rollout, model, version, label=label, drop_old=drop_old)


def rollback(options: RolloutOptions, model: str, *, label: str, drop_old: bool) -> None:
    """Give a label back to the version that had it before. Raises LocalServerError."""
    with _rollout(options, f"rollback {model}") as rollout:
        version = previous_version(rollout.file.config, model, label)
        _give_label(rollout, model, version, label=label, drop_old=drop_old)


def reload(options: RolloutOptions) -> None:
    """Put the file in force as it is. Raises LocalServerError."""
    with _rollout(options, "reload") as rollout:
        config = rollout.file.config
        rollout.checks.reload(config)
        rollout.fleet.reload(config)
        say(f"In force: {', '.join(model.name for model in models_of(config)) or 'no models'}")


@dataclass(frozen=True)
class _Rollout:
    """A rollout that holds the lock: the file, the servers, the checks, and the signals that would end it."""

    file: EditedConfig
    fleet: Fleet
    checks: RolloutChecks
    interruptions: Interruptions


@contextmanager
def _rollout(options: RolloutOptions, what: str) -> Iterator[_Rollout]:
    """Connect, lock the file and read it, until the block ends. The client's errors become RolloutErrors."""
    servers = options.servers or (
        os.environ.get(addresses.ADDRESS_VARIABLE) or addresses.DEFAULT_ADDRESS
    ).split(",")
    try:
        with (
            Interruptions() as interruptions,
            Fleet(servers, tls=options.tls, timeout=options.timeout, check=interruptions.check) as fleet,
            rollout_lock(options.path, what=what, timeout=options.timeout, say=warn),
        ):
            checks = RolloutChecks(
                fleet=fleet,
                whereabouts=Whereabouts(options.path, options.models),
                versions=VersionChecks(load=not options.no_load, timeout=options.timeout, say=warn),
                unchecked=options.unchecked,
            )
            yield _Rollout(EditedConfig(options.path), fleet, checks, interruptions)
    except ImpastoError as error:
        raise RolloutError(str(error)) from error


def _give_label(rollout: _Rollout, model: str, version: int, *, label: str, drop_old: bool) -> None:
    config = rollout.file.config
    available = rollout.fleet.available(model)
    steps = promotion(config, model, version, label=label, available=available, drop_old=drop_old)
    rollout.checks.promotion(config, model, version)
    _carry_out(rollout, model, steps)


def _carry_out(rollout: _Rollout, model: str, steps: Sequence[Step]) -> None:
    """Take one step after the other; the file first, because a server that polls it would undo other changes."""
    file, fleet = rollout.file, rollout.fleet
    reached = "nothing"
    try:
        for step in steps:
            rollout.interruptions.check()
            failed_before = fleet.failed(model)
            file.write(step.config)
            fleet.reload(step.config)
            reached = repr(step.what)
            fleet.await_available(model, step.awaits, failed_before=failed_before)
            say(step.what)
    except FileChangedError as error:
        raise _changed(error, reached) from error
    except BaseException:
        if file.is_touched:
            _go_back(rollout, reached)
        raise


def _go_back(rollout: _Rollout, reached: str) -> None:
    """Bring file and servers back; the file first, whatever signal arrives."""
    path = rollout.file.path
    try:
        with rollout.interruptions.held():
            rollout.file.restore()
            warn("Going back to the configuration as it was.")
        rollout.fleet.reload(rollout.file.config)
    except FileChangedError as error:
        warn(str(_changed(error, reached)))
    except ConfigError as error:
        warn(
            f"{error}. It still holds the configuration of the last step: remove the cause, correct the file, then use "
            "`reload`."
        )
    except (ImpastoError, LocalServerError) as error:
        warn(f"{path} is as it was, but not every server is: {error}. Try `reload`.")
    except (KeyboardInterrupt, SystemExit):
        warn(f"{path} is as it was, but perhaps not every server is. Try `reload`.")


def _changed(error: FileChangedError, reached: str) -> RolloutError:
    """Return the error for a file that somebody else has written; servers that poll it follow it already."""
    return RolloutError(
        f"{error}; it is left as it is, and so are the servers. The last step sent to them: {reached}. "
        "Check that the file says what you want, then use `reload`"
    )
