"""The sources of the models' configuration: a repository, a configuration file, or one model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving import model_config, text_files, versions
from impasto.serving.errors import ConfigError, StatusError


class ModelSource(Protocol):
    """A source of the models to serve; it is read at the start, and again every `poll_seconds`."""

    @property
    def overrules(self) -> bool:
        """True if each reading replaces a configuration that a reload has put in force."""

    @property
    def poll_seconds(self) -> float:
        """The seconds between two readings; 0 for one reading only."""

    @property
    def waits(self) -> bool:
        """True if the server waits at its start for the first version of each model."""

    def read(self) -> config_pb2.ModelServerConfig:
        """Return the present configuration, or raise LocalServerError."""


def check_source(source: ModelSource) -> None:
    """Read a source to find its faults before anything slow is done.

    Raises:
        LocalServerError: the source cannot be read, or its configuration cannot be served.
    """
    try:
        config = source.read()
        model_config.check_listing(config)
        if not model_config.labels_of(config):  # which TensorFlow Serving checks before the platforms
            model_config.check_platforms(config)
    except StatusError as error:
        raise ConfigError(f"Failed to start server. Error: {error}") from error


@dataclass(frozen=True)
class Repository:
    """The models of a folder `<root>/<name>/<version>/`, each in its newest version.

    Models that are added later are found too.

    Attributes:
        root: the folder.
        only: the models to serve; all if None.
        poll_seconds: the seconds between two looks for models.
    """

    root: Path
    only: tuple[str, ...] | None = None
    poll_seconds: float = 1.0
    overrules: ClassVar[bool] = False
    waits: ClassVar[bool] = False

    def read(self) -> config_pb2.ModelServerConfig:
        """Return an entry for each model, or raise RepositoryError."""
        found = versions.scan_repository(self.root, only=self.only)
        root = self.root.absolute()
        return model_config.listing(*(model_config.one_model(name, str(root / name)) for name in found))


@dataclass(frozen=True)
class ConfigFile:
    """A text file of a ModelServerConfig, as `--model_config_file`.

    Attributes:
        path: the file.
        poll_seconds: the seconds between two readings; 0 reads it once.
    """

    path: Path
    poll_seconds: float = 0.0
    overrules: ClassVar[bool] = True
    waits: ClassVar[bool] = True

    def read(self) -> config_pb2.ModelServerConfig:
        """Return the file's content.

        Raises:
            ConfigError: the file cannot be read, is not a ModelServerConfig, or holds a custom configuration.
        """
        config = text_files.read_text_file(self.path, config_pb2.ModelServerConfig())
        if config.WhichOneof("config") == "custom_model_config":
            raise ConfigError(f"{self.path}: ModelServer does not yet support custom model config.")
        return config


@dataclass(frozen=True)
class SingleModel:
    """One model, as `--model_name` and `--model_base_path`.

    Attributes:
        name: the model's name for clients.
        base_path: the folder of its versions, an absolute path.
    """

    name: str
    base_path: str
    poll_seconds: ClassVar[float] = 0.0
    overrules: ClassVar[bool] = False
    waits: ClassVar[bool] = True

    def read(self) -> config_pb2.ModelServerConfig:
        """Return the one entry."""
        return model_config.listing(model_config.one_model(self.name, self.base_path))
