"""The files of a server for the models of a repository: `impasto-serving config`."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client import TlsOptions, errors, texts
from impasto.serving import importing, model_config, text_files
from impasto.serving.errors import ConfigError, reason
from impasto.serving.rollout.checks import VersionChecks
from impasto.serving.rollout.config_options import ConfigOptions
from impasto.serving.rollout.files import COMMENT, read_if_there, replace_file
from impasto.serving.rollout.load_check import VersionOnDisk
from impasto.serving.rollout.lock import rollout_lock
from impasto.serving.rollout.options import LOAD_SECONDS, say, warn
from impasto.serving.schema.server_files_pb2 import MonitoringConfig, PrometheusConfig, SSLConfig
from impasto.serving.versions import scan_repository

MODELS_FILE: Final = "models.config"
TLS_FILE: Final = "ssl.config"
METRICS_PATH: Final = "/monitoring/prometheus/metrics"

_FOLDER_MODE: Final = 0o755
"""The mode of a folder made here, whatever the umask: the server in its container is another user."""

_SERVER_UID: Final = 65532
"""The user of docker/compose.yaml and of the images."""

Versions = dict[int, Path]


@dataclass(frozen=True)
class Choice:
    """The versions of a model to serve.

    Attributes:
        latest: the number of newest versions, as they appear, if there are no labels.
        labels: otherwise the labels, whose versions are served.
    """

    latest: int = 1
    labels: Mapping[str, int] | None = None

    def entry(self, name: str, base_path: str) -> config_pb2.ModelConfig:
        """Return the ModelConfig of the model."""
        model = model_config.one_model(name, base_path)
        if self.labels is None:
            model.model_version_policy.latest.num_versions = self.latest
        else:
            model_config.serve_exactly(model, self.labels.values())
            model.version_labels.update(self.labels)
        return model

    def served(self, versions: Versions) -> list[int]:
        """Return those of the present versions that will be served."""
        return sorted(versions)[-self.latest :] if self.labels is None else sorted(set(self.labels.values()))

    def in_words(self, versions: Versions) -> str:
        """Return the versions to serve, and their labels, in words."""
        if self.labels is None:
            return f"version {', '.join(map(str, self.served(versions)))} and newer ones"
        return ", ".join(f"{label} is version {version}" for label, version in self.labels.items())


def write_configuration(options: ConfigOptions) -> None:
    """Check the versions to be served, and write the files of a server for them.

    Raises:
        LocalServerError: the repository, a version or a certificate cannot be used, or a file cannot be written.
    """
    repository = scan_repository(options.models, only=options.only or None)
    found = {name: versions for name, versions in repository.items() if versions}
    choices = {name: _choice(name, versions, options) for name, versions in found.items()}
    _check_named(found, {**options.stable, **options.canary})
    VersionChecks(load=not options.no_load, timeout=LOAD_SECONDS, say=warn).check(
        [
            VersionOnDisk(name, version, found[name][version])
            for name, choice in choices.items()
            for version in choice.served(found[name])
        ]
    )
    for name, choice in choices.items():
        say(f"{name}: {choice.in_words(found[name])}")
    root = options.base_path.rstrip("/")
    entries = [choice.entry(name, f"{root}/{name}") for name, choice in choices.items()]
    files: dict[str, Message] = {MODELS_FILE: model_config.listing(*entries)}
    if options.tls_cert or options.tls_key or options.tls_client_ca:
        files[TLS_FILE] = _ssl_config(options.tls_cert, options.tls_key, options.tls_client_ca)
    importing.quiet_tensorflow()
    files |= {
        "monitoring.config": MonitoringConfig(
            prometheus_config=PrometheusConfig(enable=True, path=METRICS_PATH)
        ),
        "session.config": _session_config(),
    }
    _write(options.out, files, force=options.force)
    if any(choice.labels for choice in choices.values()):
        say("A server that starts with labels needs --allow_version_labels_for_unavailable_models.")


def _choice(name: str, versions: Versions, options: ConfigOptions) -> Choice:
    stable, canary = options.stable.get(name), options.canary.get(name)
    if not options.pin and stable is None and canary is None:
        return Choice(options.latest)
    others = [version for version in versions if version != canary]
    if stable is None and not others:
        raise ConfigError(
            f"{name} has no version beside the canary, {canary}, that could be stable. Export another version, or "
            "leave out --canary"
        )
    labels = {model_config.STABLE: max(others) if stable is None else stable}
    if canary is not None:
        labels[model_config.CANARY] = canary
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
            f"--stable or --canary: there is no model {', '.join(unknown)} with a version; "
            f"there are {', '.join(found)}."
        )


def _check_replaceable(path: Path, present: bytes, new: Message) -> None:
    """Refuse to overwrite labels that promotions have moved."""
    config = text_files.parse_text(present, config_pb2.ModelServerConfig(), where=path)
    if model_config.labels_of(config) and config != new:
        raise ConfigError(
            f"{path} has labels, which this would lose. `impasto-serving promote` changes them one at a time; "
            "--force replaces the file."
        )


def _session_config() -> Message:
    """Return the --tensorflow_session_config_file, which takes GPU memory as needed so that all models find room."""
    from tensorflow.core.protobuf import config_pb2 as session_pb2  # imports TensorFlow, which takes seconds

    config: Message = session_pb2.ConfigProto(gpu_options=session_pb2.GPUOptions(allow_growth=True))
    return config


def _ssl_config(certificate: Path | None, key: Path | None, client_ca: Path | None) -> SSLConfig:
    """Return the --ssl_config_file of PEM files; with a `client_ca`, clients need certificates of that CA (mTLS).

    Raises:
        ConfigError: a file is missing, cannot be read or is not PEM, or key and certificate do not belong together.
    """
    if certificate is None or key is None:
        raise ConfigError("TLS needs both --tls-cert and --tls-key.")
    try:
        TlsOptions(ca=client_ca, certificate=certificate, key=key).context()
    except errors.CertificateError as error:
        raise ConfigError(str(error)) from error
    config = SSLConfig(server_key=_pem(key), server_cert=_pem(certificate))
    if client_ca is not None:
        config.custom_ca = _pem(client_ca)
        config.client_verify = True
    return config


def _pem(path: Path) -> str:
    """Return the text of a PEM file; names and comments outside of the keys may be in any encoding."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {reason(error)}") from error
    if content.startswith(texts.MARKS):
        raise ConfigError(
            f"{path} begins with a byte order mark, which OpenSSL does not read; save it without"
        )
    return content.decode("ascii", "replace")


def _write(out: Path, files: Mapping[str, Message], *, force: bool) -> None:
    """Write all files while no rollout changes models.config."""
    models = out / MODELS_FILE
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in made:
            folder.chmod(_FOLDER_MODE)
    except OSError as error:
        raise ConfigError(
            f"--out: {out} cannot be made: {error.strerror}. Give a folder that this user may make"
        ) from error
    with rollout_lock(models, what="config", timeout=LOAD_SECONDS, say=warn):
        present = read_if_there(models)
        if present is not None and not force:
            _check_replaceable(models, present, files[MODELS_FILE])
        replace_file(models, text_files.text_of(files[MODELS_FILE], comment=COMMENT), expected={present})
        say(f"wrote {models}")
        for name, message in files.items():
            if name != MODELS_FILE:
                replace_file(out / name, text_files.text_of(message), private=name == TLS_FILE)
                say(f"wrote {out / name}")
    if TLS_FILE in files:
        _say_who_reads(out / TLS_FILE)


def _say_who_reads(path: Path) -> None:
    """Print who may read the key, and the steps that let a server of another user read it."""
    found = path.stat()
    if found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        say(
            f"{path} holds the key, and keeps the mode {stat.S_IMODE(found.st_mode):o} that it had: others may read "
            f"it. To keep them out: chmod 600 {path}"
        )
        return
    say(
        f"{path} holds the key: only user {found.st_uid} may read it. The server must run as that user (in compose: "
        f"IMPASTO_UID={found.st_uid}), or own the file: chown {_SERVER_UID} {path}"
    )
