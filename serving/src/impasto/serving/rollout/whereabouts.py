"""The places on this machine of the models that a configuration places where its servers see them.

A server in a container reads `/models/dream`, and that folder is mounted from somewhere here. By default it is the
folder that docker/compose.yaml mounts: `../models`, or IMPASTO_MODELS, relative to the folder above the
configuration's own.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError
from impasto.serving.versions import aspired_versions, model_versions

MODELS_VARIABLE: Final = "IMPASTO_MODELS"


@dataclass(frozen=True)
class Whereabouts:
    """The places of the models of one configuration file on this machine.

    Attributes:
        config: the configuration file.
        models: the repository, if the user named it.
    """

    config: Path
    models: Path | None = None

    def folder(self, model: config_pb2.ModelConfig) -> Path | None:
        """Return the folder of a model's versions; None if it is not on this machine."""
        name = PurePosixPath(model.base_path).name
        if self.models is not None:
            return self.models / name
        if not model.base_path.startswith("/"):
            return None  # a URI
        mounted = self.config.resolve().parent.parent / os.environ.get(MODELS_VARIABLE, "../models") / name
        return next((path for path in (Path(model.base_path), mounted) if path.is_dir()), None)

    def missing(
        self, model: config_pb2.ModelConfig, folder: Path, available: Collection[int]
    ) -> dict[int, Path]:
        """Return the directories in `folder` of the unavailable versions that a model's policy asks for.

        Raises:
            ConfigError: a version that the policy names is not there, or there is no version.
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
        """Return the directory of one version of a model in `folder`, or raise ConfigError if it is not there."""
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
