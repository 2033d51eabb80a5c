"""The text files of tensorflow_model_server's flags: protocol buffers written as text."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from impasto.serving.errors import ConfigError

MessageT = TypeVar("MessageT", bound=Message)

_PRIVATE: Final = 0o600
_READABLE: Final = 0o644
"""For everyone: the server in its container is another user."""


def read_text_file(path: Path, message: MessageT) -> MessageT:
    """Fills a message from a text file.

    Args:
        path: the file.
        message: an empty message of the wanted type.

    Returns:
        The same message.

    Raises:
        ConfigError: the file cannot be read or is not such a message.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise ConfigError(
            f"Error parsing text-format tensorflow.serving.{message.DESCRIPTOR.name}: {error} "
            f"(Invalid protobuf file: '{path}')"
        ) from error


def write_text_file(path: Path, message: Message, *, comment: str = "", private: bool = False) -> None:
    """Writes a message as text: aside, flushed, then renamed, so that a reader never sees half of it.

    Args:
        path: the file; it is replaced.
        message: what to write.
        comment: a line for people.
        private: let nobody but this user read it. A file that is replaced keeps its rights otherwise.

    Raises:
        ConfigError: it cannot be written.
    """
    text = f"# {comment}\n" if comment else ""
    text += text_format.MessageToString(message)
    mode = _PRIVATE if private else _READABLE
    try:
        if path.exists() and not private:
            mode = path.stat().st_mode & 0o777
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
