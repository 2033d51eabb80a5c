"""The `impasto-serving` command line. A command imports its wing when it runs, so that `--help` is fast."""

from __future__ import annotations

import logging
import sys
import threading
from importlib import metadata
from typing import Any, Final

import click

from impasto.client.texts import printable, printable_message
from impasto.serving.errors import ConfigError, LocalServerError, ModelLoadError
from impasto.serving.local.command_line import LocalOptions, local_options
from impasto.serving.local.server import LocalServer
from impasto.serving.local.sources import check_source
from impasto.serving.log import escape
from impasto.serving.model_config import STABLE
from impasto.serving.rollout.config_options import ConfigOptions, config_options
from impasto.serving.rollout.options import RolloutOptions, rollout_options
from impasto.serving.signals import Wakeups

USAGE_EXIT: Final = 2
"""The command line or the machine must be changed, because a folder is missing or a port is in use."""

LOAD_EXIT: Final = 255
"""A model is corrupt or a configuration wrong: tensorflow_model_server's exit code."""

_LABEL: Final = click.option("--label", default=STABLE, show_default=True, help="The label to move.")
_MODEL: Final = click.argument("model")
_DROP_OLD: Final = click.option(
    "--drop-old", is_flag=True, help="Unload the version that had the label, unless it has another."
)


class _Group(click.Group):
    """A group whose commands report an error that the user can act on in one line, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LocalServerError as error:
            raise click.ClickException(printable_message(str(error))) from error
        except click.ClickException as error:
            error.message = printable_message(error.message)  # type: ignore[misc]  # which may hold the name of any file
            raise


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="impasto-serving")
def main() -> None:
    """Serve Impasto's models with TensorFlow Serving's gRPC API, here or on real servers."""


@main.command(context_settings={"max_content_width": 110})
@local_options
def local(options: LocalOptions) -> None:
    """Serve models until SIGINT or SIGTERM: a repository, a configuration, or one model.

    New versions are loaded as they appear on disk. Flags of tensorflow_model_server that have no meaning here,
    such as those for batching, REST and metrics, are accepted and reported as ignored. The port opens once every
    model is loaded.

    Exit code 0 after a stop, 2 if the models folder does not exist or the port is taken, 255 if a model is
    corrupt or a configuration file cannot be used.
    """
    if options.version:
        click.echo(_versions())
        return
    _set_up_logging(verbose=options.verbose)
    for name, reason in options.ignored.items():
        click.echo(f"--{name} is ignored: {reason}.", err=True)
    server = LocalServer(
        options.source,
        host=options.host,
        port=options.port,
        options=options.options,
        grpc_options=options.grpc_options,
    )
    try:
        check_source(options.source)  # before TensorFlow, whose import takes seconds
        click.echo(f"Loading the models of {printable(options.what)}")
        if not options.verbose:
            from impasto.serving.importing import quiet_tensorflow

            quiet_tensorflow()
        server.start()
    except LocalServerError as error:
        click.echo(printable_message(str(error)), err=True)
        sys.exit(LOAD_EXIT if isinstance(error, ModelLoadError | ConfigError) else USAGE_EXIT)
    wakeups = Wakeups()
    _announce(server, options)
    _serve_until_signalled(server, wakeups, options.grace)


@main.command()
@config_options
def config(options: ConfigOptions) -> None:
    """Write the files that tensorflow_model_server and `impasto-serving local` read.

    models.config, monitoring.config, session.config and, with --tls-cert, ssl.config, which
    holds the key: a new one is readable by this user only. Each version to be served is checked first: its files by
    its manifest, and it is loaded and called once in its own process.
    """
    from impasto.serving.rollout.config import write_configuration

    write_configuration(options)


@main.command()
@_MODEL
@click.argument("version", type=click.IntRange(min=0))
@_LABEL
@_DROP_OLD
@rollout_options
def promote(*, model: str, version: int, label: str, drop_old: bool, options: RolloutOptions) -> None:
    """Give a label to VERSION of MODEL, with no request lost.

    Before a server hears of VERSION it is checked: its files by its manifest, and it is loaded and called once in
    its own process here. Then it is loaded beside the present version, on every server. Once it can be called
    everywhere the label moves. The version that had the label stays loaded, for `rollback`. If a step fails, or
    Ctrl-C or SIGTERM ends the command, servers and file go back to their state before.

    One rollout at a time changes FILE: a second one waits. Somebody else's edit of FILE is not overwritten.

    With --label canary the version is tried by clients that ask for the label canary. Requests that name neither
    version nor label get the newest version that is loaded, so let clients ask for stable.
    """
    from impasto.serving.rollout import promote as rollouts

    rollouts.promote(options, model, version, label=label, drop_old=drop_old)


@main.command()
@_MODEL
@_LABEL
@_DROP_OLD
@rollout_options
def rollback(*, model: str, label: str, drop_old: bool, options: RolloutOptions) -> None:
    """Give a label of MODEL back to the version that had it before.

    That version is still loaded unless it was dropped, so this takes a moment; if it has to be loaded it is checked
    first, as by `promote`. The version that loses the label stays loaded, too, and still answers requests that name
    neither version nor label if it is the newest; --drop-old unloads it.
    """
    from impasto.serving.rollout import promote as rollouts

    rollouts.rollback(options, model, label=label, drop_old=drop_old)


@main.command()
@rollout_options
def reload(*, options: RolloutOptions) -> None:
    """Put a models.config that was edited in force on running servers, without a restart.

    Each version in it that not every server has loaded is checked first, as by `promote`.
    """
    from impasto.serving.rollout import promote as rollouts

    rollouts.reload(options)


def _versions() -> str:
    """Return tensorflow_model_server's two lines: the versions of the API with this package, and of TensorFlow."""
    api, own = (metadata.version(name) for name in ("tensorflow-serving-api", "impasto-serving"))
    return (
        f"TensorFlow ModelServer: {api}+impasto.{own}\nTensorFlow Library: {metadata.version('tensorflow')}"
    )


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(escape)  # for what gRPC and TensorFlow say of names, too
    logging.getLogger("impasto.serving").setLevel(logging.INFO if verbose else logging.WARNING)


def _announce(server: LocalServer, options: LocalOptions) -> None:
    for name, version in server.loaded:
        click.echo(f"{printable(name)}  version {version}")
    if not server.loaded:
        click.echo(
            f"No model in {printable(options.what)} yet: calls are answered NOT_FOUND until a version is exported "
            "there."
        )
    click.echo(f"Listening on {server.address} (Ctrl-C to stop)")


def _serve_until_signalled(server: LocalServer, wakeups: Wakeups, grace: float) -> None:
    wakeups.wait()
    click.echo(f"Stopping; running calls have {grace:g} s to finish.")

    def finish() -> None:
        server.stop(grace)
        wakeups.finished()

    finishing = threading.Thread(target=finish)
    finishing.start()
    if wakeups.wait():
        server.stop()
    finishing.join()
    wakeups.close()
    click.echo("Stopped.")
