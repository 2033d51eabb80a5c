"""Finding on this machine the models that a configuration places where its servers see them.

A server in a container reads `/models/dream`, and that folder is mounted from somewhere here. Where it is not said,
the place is the one that docker/compose.yaml mounts: `../models`, or IMPASTO_MODELS, from the folder above the
configuration's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError
from impasto.serving.policy import aspired_versions
from impasto.serving.versions import model_versions

MODELS_VARIABLE: Final = "IMPASTO_MODELS"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Whereabouts:
    """Where the models of one configuration file are on this machine.

    Attributes:
        config: the configuration file.
        models: the repository, if the user named it.
    """

    config: Path
    models: Path | None = None

    def folder(self, model: config_pb2.ModelConfig) -> Path | None:
        """The folder of a model's versions here; None if it is nowhere here."""
        name = PurePosixPath(model.base_path).name
        if self.models is not None:
            return self.models / name
        if _SCHEME.match(model.base_path):
            return None
        mounted = self.config.resolve().parent.parent / os.environ.get(MODELS_VARIABLE, "../models") / name
        return next((path for path in (Path(model.base_path), mounted) if path.is_dir()), None)

    def missing(
        self, model: config_pb2.ModelConfig, folder: Path, available: Collection[int]
    ) -> dict[int, Path]:
        """The directories, in `folder`, of the versions that a model's policy asks for and that are not available.

        Raises:
            ConfigError: one that it names is not there, or there is none.
        """
        named = model.model_version_policy.specific.versions
        if named:
            wanted = sorted(set(named) - set(available))
            return {version: self.version(model.name, version, folder) for version in wanted}
        if not _versions(model.name, folder):
            raise ConfigError(
                f"{model.name} has no version in {folder}: export the model, or take it out of {self.config}"
            )
        here = config_pb2.ModelConfig()
        here.CopyFrom(model)
        here.base_path = str(folder)
        aspired = aspired_versions(here)
        return {version: path for version, path in aspired.items() if version not in available}

    def version(self, model: str, version: int, folder: Path) -> Path:
        """The directory of one version of a model in `folder`. Raises ConfigError if it is not there."""
        found = _versions(model, folder)
        if version not in found:
            listed = ", ".join(map(str, found)) or "none"
            raise ConfigError(
                f"{model} has no version {version} in {folder}; it has {listed}. Export it, or name the repository "
                "that the servers read with --models"
            )
        return found[version]


def _versions(model: str, folder: Path) -> dict[int, Path]:
    try:
        return model_versions(folder)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{model}: {error.filename} cannot be read: {error.strerror}") from error
