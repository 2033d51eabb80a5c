"""Refusals, and the words of errors that anybody may read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from impasto.client import ImpastoError, errors

_PATH: Final = re.compile(r"(?<![\w/:.])(?:[A-Za-z]:)?(?:[/\\][\w.@+~-]+){2,}[/\\]?|unix:[\w./@+~-]*")
"""A path of this machine or the server's, but not the end of an address of the web."""


class Refusal(Exception):  # noqa: N818 - it says what happened, as the client's errors do
    """An answer other than the one asked for.

    Args:
        status: the status of HTTP.
        words: what is the matter, and what to do.
        field: the field of the job that it is about.
    """

    def __init__(self, status: int, words: str, field: str | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.field = field


def missing(what: str) -> Refusal:
    """Return the refusal of something that is not there, or not this person's."""
    return Refusal(404, f"There is no such {what}, or no longer: it is deleted an hour after its last use.")


def without_paths(text: str) -> str:
    """Return a text in which the paths of machines are left out."""
    return _PATH.sub("…", text)


def words_of(error: BaseException) -> str:
    """Return what anybody may know of an error."""
    if isinstance(error, Refusal):
        return error.words
    if isinstance(error, errors.CheckpointError):
        return "What was kept of the job does not fit any more, as the model changed; start it again."
    if isinstance(error, errors.SettingsError):
        return "The settings of Studio are wrong; its log says which."
    if isinstance(error, errors.OutputError | OSError) and not isinstance(
        error, ConnectionError | TimeoutError
    ):
        return "Studio cannot keep its files; ask the person who runs it for room on the disk."
    if isinstance(error, ImpastoError):
        return without_paths(str(error))
    return "Something went wrong in Studio; its log says what. Try again."


def refusal_of(error: Exception, fields: Iterable[str] = ()) -> Refusal:
    """Return the refusal that a job or a picture which cannot be used stands for.

    Args:
        error: an ImpastoError, or what comes of values of wrong types.
        fields: the names of the job's fields, of which the message may begin with one.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, errors.ImageError):
        return Refusal(413 if isinstance(error, errors.ImageTooLarge) else 422, words_of(error))
    words = (
        words_of(error) if isinstance(error, errors.InvalidInput) else "A field has a value of a wrong type."
    )
    found = re.match(r"'?(\w+)", words)
    named = found[1] if found and (found[1] in set(fields) or words.startswith("'")) else None
    return Refusal(422, words, named)
