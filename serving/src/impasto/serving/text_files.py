"""The text files of tensorflow_model_server's flags: protocol buffers written as text."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from impasto.client.texts import NotUtf8, decoded_text
from impasto.serving.errors import ConfigError, reason

MessageT = TypeVar("MessageT", bound=Message)

_MARKED: Final = (
    "1:1: it begins with a byte order mark, which TensorFlow Serving refuses (seen with 2.21); "
    "save it as UTF-8 without"
)


def read_text_file(path: Path, message: MessageT) -> MessageT:
    """Fill a message from a text file.

    Args:
        path: the file.
        message: an empty message of the wanted type.

    Returns:
        The same message.

    Raises:
        ConfigError: the file cannot be read or holds another message.
    """
    return parse_text(read_bytes(path), message, where=path)


def read_secret_file(path: Path, message: MessageT) -> MessageT:
    """Fill a message from a text file that holds a key, as `read_text_file`; no error repeats a word of the file."""
    content = read_bytes(path)
    try:
        return text_format.Parse(content.decode(), message)
    except UnicodeDecodeError:
        place = "it is not UTF-8"
    except text_format.ParseError as error:
        place = f"line {error.GetLine()}, column {error.GetColumn()}"
    # Outside of the handlers, for a traceback would show the error's cause.
    raise ConfigError(
        f"{path} cannot be read as a text {message.DESCRIPTOR.name} ({place}; what is there is not shown, since the "
        "file holds a key). `impasto-serving config` writes it from PEM files"
    )


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, or raise ConfigError."""
    try:
        return path.read_bytes()
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path} cannot be read: {reason(error)}") from error


def parse_text(content: bytes, message: MessageT, *, where: Path) -> MessageT:
    """Fill a message from the content of the text file `where`; raise ConfigError for what no server takes."""
    try:
        if content.startswith(codecs.BOM_UTF8):
            raise NotUtf8(_MARKED)
        return text_format.Parse(decoded_text(content), message)
    except (NotUtf8, text_format.ParseError) as error:
        raise ConfigError(
            f"Error parsing text-format tensorflow.serving.{message.DESCRIPTOR.name}: {error} "
            f"(Invalid protobuf file: '{where}')"
        ) from error


def text_of(message: Message, *, comment: str = "") -> bytes:
    """Return the content of a message's text file, under a comment for people if there is one."""
    text = f"# {comment}\n" if comment else ""
    return (text + text_format.MessageToString(message)).encode()
