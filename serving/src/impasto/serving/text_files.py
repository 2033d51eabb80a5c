"""The text files of tensorflow_model_server's flags: protocol buffers written as text."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from impasto.serving.errors import ConfigError

MessageT = TypeVar("MessageT", bound=Message)


def read_text_file(path: Path, message: MessageT) -> MessageT:
    """Fills a message from a text file.

    Args:
        path: the file.
        message: an empty message of the wanted type.

    Returns:
        The same message.

    Raises:
        ConfigError: the file cannot be read or is not such a message; the text is tensorflow_model_server's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Failed to start server. Error: NOT_FOUND: {path}; {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(_unreadable(path, message, str(error))) from error
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise ConfigError(_unreadable(path, message, str(error))) from error


def _unreadable(path: Path, message: Message, reason: str) -> str:
    return (
        f"Error parsing text-format tensorflow.serving.{message.DESCRIPTOR.name}: {reason}\n"
        f"Failed to start server. Error: INVALID_ARGUMENT: Invalid protobuf file: '{path}'"
    )
