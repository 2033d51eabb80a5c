"""`impasto-serving promote`, `rollback` and `reload`: change what running servers serve, and their file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from impasto.client.errors import ImpastoError
from impasto.serving.errors import ConfigError, LocalServerError
from impasto.serving.fleet import RolloutError
from impasto.serving.model_config import models_of
from impasto.serving.replaced_files import FileChangedError
from impasto.serving.rollout import Step, previous_version, promotion
from impasto.serving.rollout_options import Rollout, RolloutOptions, rollout_options, say, warn
from impasto.serving.server_files import STABLE

_LABEL: Final = click.option("--label", default=STABLE, show_default=True, help="The label to move.")
_MODEL: Final = click.argument("model")
_DROP_OLD: Final = click.option(
    "--drop-old", is_flag=True, help="Unload the version that had the label, unless it has another."
)


@click.command()
@_MODEL
@click.argument("version", type=click.IntRange(min=0))
@_LABEL
@_DROP_OLD
@rollout_options
def promote(*, model: str, version: int, label: str, drop_old: bool, options: RolloutOptions) -> None:
    """Give a label to VERSION of MODEL, with no request lost.

    Before a server hears of VERSION it is checked: its files by its manifest, and it is loaded and called once in a
    process of its own here. Then it is loaded beside what is served, on every server. Once it can be called
    everywhere the label moves. The version that had the label stays loaded, for `rollback`. If a step fails, or
    Ctrl-C or SIGTERM ends the command, servers and file go back to where they were.

    One rollout at a time changes FILE: a second one waits. What somebody writes into it meanwhile is not overwritten.

    With --label canary the version is tried by clients that ask for the label canary. Requests that name neither
    version nor label get the newest version that is loaded, so let clients ask for stable.
    """
    with options.rollout(f"promote {model} {version}") as rollout:
        _give_label(rollout, model, version, label=label, drop_old=drop_old)


@click.command()
@_MODEL
@_LABEL
@_DROP_OLD
@rollout_options
def rollback(*, model: str, label: str, drop_old: bool, options: RolloutOptions) -> None:
    """Give a label of MODEL back to the version that had it before.

    That version is still loaded unless it was dropped, so this is a matter of a moment; where it has to be loaded
    it is checked first, as by `promote`. The version that is left stays loaded, too, and still answers requests
    that name neither version nor label if it is the newest; --drop-old unloads it.
    """
    with options.rollout(f"rollback {model}") as rollout:
        version = previous_version(rollout.file.config, model, label)
        _give_label(rollout, model, version, label=label, drop_old=drop_old)


@click.command()
@rollout_options
def reload(*, options: RolloutOptions) -> None:
    """Put a models.config that was edited in force on running servers, without a restart.

    Each version in it that not every server has loaded is checked first, as by `promote`.
    """
    with options.rollout("reload") as rollout:
        config = rollout.file.config
        rollout.check.reload(config)
        rollout.fleet.reload(config)
        say(f"In force: {', '.join(model.name for model in models_of(config)) or 'no models'}")


def _give_label(rollout: Rollout, model: str, version: int, *, label: str, drop_old: bool) -> None:
    config = rollout.file.config
    available = rollout.fleet.available(model)
    steps = promotion(config, model, version, label=label, available=available, drop_old=drop_old)
    rollout.check.promotion(config, model, version)
    _carry_out(rollout, model, steps)


def _carry_out(rollout: Rollout, model: str, steps: Sequence[Step]) -> None:
    """One step after the other; the file first, for a server that polls it would undo what it does not say."""
    file, fleet = rollout.file, rollout.fleet
    reached = "nothing"
    try:
        for step in steps:
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


def _go_back(rollout: Rollout, reached: str) -> None:
    """Bring file and servers to where they were; the file first, whatever signal comes."""
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
            f"{error}. It still says what the last step wrote: mend that, correct the file, then use `reload`."
        )
    except (ImpastoError, LocalServerError) as error:
        warn(f"{path} is as it was, but not every server is: {error}. Try `reload`.")
    except (KeyboardInterrupt, SystemExit):
        warn(f"{path} is as it was, but perhaps not every server is. Try `reload`.")


def _changed(error: FileChangedError, reached: str) -> RolloutError:
    """Somebody else has written the file: it is theirs now, and servers that poll it follow it already."""
    return RolloutError(
        f"{error}; it is left as it is, and so are the servers. What they were sent last from here: {reached}. "
        "See that the file says what you want, then use `reload`"
    )
