"""Where the configuration of the models comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError, StatusError
from impasto.serving.model_config import check_listing, check_platforms, labels_of, listing, one_model
from impasto.serving.text_files import read_text_file
from impasto.serving.versions import scan_repository


class ModelSource(Protocol):
    """Says which models to serve; it is asked at the start, and again every `poll_seconds`."""

    @property
    def overrules(self) -> bool:
        """Whether each reading replaces a configuration that a reload has put in force."""

    @property
    def poll_seconds(self) -> float:
        """How often the answer may change, in seconds; 0 for never."""

    @property
    def waits(self) -> bool:
        """True if the server waits at its start for the first version of each model."""

    def read(self) -> config_pb2.ModelServerConfig:
        """The configuration as it is now. Raises LocalServerError."""


def check(source: ModelSource) -> None:
    """Reads a source for what is wrong with it before anything slow is done.

    Raises:
        LocalServerError: it cannot be read, or what it says cannot be served.
    """
    try:
        config = source.read()
        check_listing(config)
        if not labels_of(config):  # which TensorFlow Serving checks before the platforms
            check_platforms(config)
    except StatusError as error:
        raise ConfigError(f"Failed to start server. Error: {error}") from error


@dataclass(frozen=True)
class Repository:
    """Every model of a folder `<root>/<name>/<version>/`, or those named, each in its newest version.

    Models that are added later are found too.

    Attributes:
        root: the folder.
        only: the models to serve; all if None.
        poll_seconds: how often to look for models.
    """

    root: Path
    only: tuple[str, ...] | None = None
    poll_seconds: float = 1.0
    overrules: ClassVar[bool] = False
    waits: ClassVar[bool] = False

    def read(self) -> config_pb2.ModelServerConfig:
        """One entry for each model. Raises RepositoryError."""
        found = scan_repository(self.root, only=self.only)
        return listing(*(one_model(name, str(self.root.absolute() / name)) for name in found))


@dataclass(frozen=True)
class ConfigFile:
    """A text ModelServerConfig, as `--model_config_file`.

    Attributes:
        path: the file.
        poll_seconds: how often to read it again; 0 reads it once.
    """

    path: Path
    poll_seconds: float = 0.0
    overrules: ClassVar[bool] = True
    waits: ClassVar[bool] = True

    def read(self) -> config_pb2.ModelServerConfig:
        """The file's content.

        Raises:
            ConfigError: it cannot be read, is no ModelServerConfig, or holds a custom configuration.
        """
        config = read_text_file(self.path, config_pb2.ModelServerConfig())
        if config.WhichOneof("config") == "custom_model_config":
            raise ConfigError(f"{self.path}: ModelServer does not yet support custom model config.")
        return config


@dataclass(frozen=True)
class SingleModel:
    """One model, as `--model_name` and `--model_base_path`.

    Attributes:
        name: what clients call it.
        base_path: the folder of its versions, an absolute path.
    """

    name: str
    base_path: str
    poll_seconds: ClassVar[float] = 0.0
    overrules: ClassVar[bool] = False
    waits: ClassVar[bool] = True

    def read(self) -> config_pb2.ModelServerConfig:
        """The one entry."""
        return listing(one_model(self.name, self.base_path))
