"""`impasto-serving config`: the files of a server for the models of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving import server_files
from impasto.serving.configuration_file import COMMENT
from impasto.serving.errors import ConfigError, LocalServerError
from impasto.serving.load_check import VersionOnDisk
from impasto.serving.model_config import labels_of, listing
from impasto.serving.quiet import quiet_tensorflow
from impasto.serving.replaced_files import read_if_there, replace_file
from impasto.serving.rollout_lock import rollout_lock
from impasto.serving.rollout_options import no_load_option, warn
from impasto.serving.server_files import CANARY, STABLE, Choice
from impasto.serving.text_files import parse_text, text_of
from impasto.serving.version_checks import Check
from impasto.serving.versions import scan_repository

MODELS_FILE: Final = "models.config"
TLS_FILE: Final = "ssl.config"

_FOLDER_MODE: Final = 0o755
"""The mode of a folder made here, whatever the umask: the server in its container is another user."""

_SERVER_UID: Final = 65532
"""The user of docker/compose.yaml and of the images."""

_PATIENCE: Final = 600.0
"""Seconds for a version to load, and for a rollout that holds the lock."""

Versions = dict[int, Path]


def _model_version(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    """MODEL=VERSION, several times."""
    found = {}
    for value in values:
        model, _, version = value.partition("=")
        if not model or not (version.isascii() and version.isdigit()):
            raise click.BadParameter(f"{value!r} is not MODEL=VERSION, such as srcnn=2")
        found[model] = int(version)
    return found


@click.command()
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="The repository: <models>/<name>/<version>/saved_model.pb.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder to write to; made if absent.",
)
@click.option(
    "--base-path",
    default="/models",
    show_default=True,
    metavar="DIR",
    help="Where the server finds the repository: a path in its container, or gs://bucket/models.",
)
@click.option("--only", multiple=True, metavar="MODEL", help="List this model only; may be repeated.")
@click.option(
    "--latest",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Serve the newest N versions of each model as they are exported.",
)
@click.option(
    "--pin",
    is_flag=True,
    help="Serve the newest version of now under the label stable; later ones by `promote` only.",
)
@click.option(
    "--stable",
    multiple=True,
    callback=_model_version,
    metavar="MODEL=VERSION",
    help="Pin this version as stable.",
)
@click.option(
    "--canary",
    multiple=True,
    callback=_model_version,
    metavar="MODEL=VERSION",
    help="Serve this version as well, under the label canary.",
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="The server's certificate, PEM."
)
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its key, PEM.")
@click.option(
    "--tls-client-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The CA of the clients' certificates, PEM: clients then need one.",
)
@no_load_option
@click.option("--force", is_flag=True, help="Replace a models.config that has labels.")
def config(
    *,
    models: Path,
    out: Path,
    base_path: str,
    only: tuple[str, ...],
    latest: int,
    pin: bool,
    stable: dict[str, int],
    canary: dict[str, int],
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    no_load: bool,
    force: bool,
) -> None:
    """Write the files that tensorflow_model_server and `impasto-serving local` read.

    models.config, monitoring.config, session.config and, with --tls-cert, ssl.config, which
    holds the key: a new one is readable by this user only. Each version to be served is checked first: its files by
    its manifest, and it is loaded and called once in a process of its own.
    """
    try:
        found = {
            name: versions
            for name, versions in scan_repository(models, only=only or None).items()
            if versions
        }
        choices = {
            name: _choice(name, versions, latest=latest, pin=pin, stable=stable, canary=canary)
            for name, versions in found.items()
        }
        _check_named(found, {**stable, **canary})
        Check(load=not no_load, timeout=_PATIENCE, say=warn).check(
            [
                VersionOnDisk(name, version, found[name][version])
                for name, choice in choices.items()
                for version in _served(choice, found[name])
            ]
        )
        for name, choice in choices.items():
            click.echo(_report(name, choice, found[name]))
        entries = [
            server_files.model_entry(name, f"{base_path.rstrip('/')}/{name}", choice)
            for name, choice in choices.items()
        ]
        files: dict[str, Message] = {MODELS_FILE: listing(*entries)}
        if tls_cert or tls_key or tls_client_ca:
            files[TLS_FILE] = _ssl_config(tls_cert, tls_key, tls_client_ca)
        quiet_tensorflow()
        files |= {
            "monitoring.config": server_files.monitoring_config(),
            "session.config": server_files.session_config(),
        }
        _write(out, files, force=force)
    except LocalServerError as error:
        raise click.ClickException(str(error)) from error
    if any(choice.labels for choice in choices.values()):
        click.echo("A server that starts with labels needs --allow_version_labels_for_unavailable_models.")


def _choice(
    name: str,
    versions: Versions,
    *,
    latest: int,
    pin: bool,
    stable: Mapping[str, int],
    canary: Mapping[str, int],
) -> Choice:
    if not (pin or name in stable or name in canary):
        return Choice(latest)
    others = [version for version in versions if version != canary.get(name)]
    if name not in stable and not others:
        raise ConfigError(f"{name} has no version beside the canary, {canary[name]}, that could be stable.")
    labels = {STABLE: stable[name] if name in stable else max(others)}
    if name in canary:
        labels[CANARY] = canary[name]
    absent = set(labels.values()) - set(versions)
    if absent:
        raise ConfigError(
            f"{name} has no version {', '.join(map(str, sorted(absent)))}; it has {', '.join(map(str, versions))}."
        )
    return Choice(labels=labels)


def _check_named(found: Mapping[str, Versions], named: Mapping[str, int]) -> None:
    unknown = sorted(set(named) - set(found))
    if unknown:
        raise ConfigError(
            f"There is no model {', '.join(unknown)} with a version; there are {', '.join(found)}."
        )


def _served(choice: Choice, versions: Versions) -> list[int]:
    """The versions that will be served of those that there are now."""
    return (
        sorted(versions)[-choice.latest :] if choice.labels is None else sorted(set(choice.labels.values()))
    )


def _report(name: str, choice: Choice, versions: Versions) -> str:
    """Return a line on what of a model is served."""
    served = _served(choice, versions)
    if choice.labels is None:
        what = f"version {', '.join(map(str, served))} and newer ones" if served else ""
    else:
        what = ", ".join(f"{label} is version {version}" for label, version in choice.labels.items())
    return f"{name}: {what}"


def _check_replaceable(path: Path, present: bytes, new: Message) -> None:
    """Refuses to overwrite labels that promotions have moved."""
    config = parse_text(present, config_pb2.ModelServerConfig(), where=path)
    if labels_of(config) and config != new:
        raise ConfigError(
            f"{path} has labels, which this would lose. `impasto-serving promote` changes them one at a time; "
            "--force replaces the file."
        )


def _ssl_config(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Message:
    if certificate is None or key is None:
        raise ConfigError("TLS needs both --tls-cert and --tls-key.")
    return server_files.ssl_config(certificate=certificate, key=key, client_ca=client_ca)


def _write(out: Path, files: Mapping[str, Message], *, force: bool) -> None:
    """Write all files while no rollout changes models.config."""
    models = out / MODELS_FILE
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in made:
            folder.chmod(_FOLDER_MODE)
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be made: {error.strerror}") from error
    with rollout_lock(models, what="config", timeout=_PATIENCE, say=warn):
        try:
            present = read_if_there(models)
        except OSError as error:
            raise ConfigError(f"{models} cannot be read: {error.strerror}") from error
        if present is not None and not force:
            _check_replaceable(models, present, files[MODELS_FILE])
        replace_file(models, text_of(files[MODELS_FILE], comment=COMMENT), expected={present})
        click.echo(f"wrote {models}")
        for name, message in files.items():
            if name != MODELS_FILE:
                replace_file(out / name, text_of(message), private=name == TLS_FILE)
                click.echo(f"wrote {out / name}")
    if TLS_FILE in files:
        _say_who_reads(out / TLS_FILE)


def _say_who_reads(path: Path) -> None:
    """Print what a server that runs as another user needs before it can read the key."""
    owner = path.stat().st_uid
    click.echo(
        f"{path} holds the key: only user {owner} may read it. The server must run as that user (in compose: "
        f"IMPASTO_UID={owner}), or own the file: chown {_SERVER_UID} {path}"
    )
