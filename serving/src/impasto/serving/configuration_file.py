"""A models.config while a rollout changes it: what somebody else writes meanwhile is seen and never overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError, StatusError
from impasto.serving.model_config import validate
from impasto.serving.replaced_files import read_if_there, replace_file
from impasto.serving.text_files import parse_text, text_of

COMMENT: Final = "Written by impasto-serving config; promote and rollback write it anew."


class ConfigurationFile:
    """A models.config that was read, to be written anew step by step.

    Editors know no lock, so each write first compares the file with what was last read or written here.

    Args:
        path: the file.

    Raises:
        ConfigError: it cannot be read, or no server would take what it says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._original = path.read_bytes()
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{path} cannot be read: {reason}") from error
        self.config = parse_text(self._original, config_pb2.ModelServerConfig(), where=path)
        """The configuration as it was read."""
        try:
            validate(self.config)
        except StatusError as error:
            raise ConfigError(f"{path}: {error.message}") from error
        self._held = {self._original}

    @property
    def is_touched(self) -> bool:
        """True once a write was begun."""
        return self._held != {self._original}

    def write(self, config: config_pb2.ModelServerConfig) -> None:
        """Replace the file's content.

        Raises:
            FileChangedError: somebody else has changed it; it is left as it is.
            ConfigError: it cannot be written.
        """
        content = text_of(config, comment=COMMENT)
        expected = set(self._held)
        self._held.add(content)  # a signal may arrive between the rename and the next line
        replace_file(self.path, content, expected=expected)
        self._held = {content}

    def restore(self) -> None:
        """Give the file the very bytes again that were read, comments included.

        Raises:
            FileChangedError: somebody else has changed it; it is left as it is.
            ConfigError: it cannot be written.
        """
        try:
            if read_if_there(self.path) == self._original:
                return
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from error
        replace_file(self.path, self._original, expected={*self._held})
