"""The findings of checks, as values."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class Outcome(enum.Enum):
    """The outcome of a check, from good to bad; SKIP says nothing about the server."""

    PASS = "pass"  # noqa: S105 - not a password
    SKIP = "skip"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding about a replica, or about a model on it.

    Attributes:
        check: the name of the check.
        outcome: WARN works, but not as it should; FAIL does not work, or not rightly.
        words: what was found, for people.
        remedy: the flag, the variable or the command that mends it; empty where nothing is to be mended.
        model: the model's name; empty for the server itself.
        version: the model's version that was called; 0 where none was.
        server: the replica's address.
    """

    check: str
    outcome: Outcome
    words: str
    remedy: str = ""
    model: str = ""
    version: int = 0
    server: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "server": self.server,
            "model": self.model or None,
            "version": self.version or None,
            "check": self.check,
            "outcome": self.outcome.value,
            "found": self.words,
            "remedy": self.remedy or None,
        }


def passed(check: str, words: str) -> Finding:
    """A finding that all is well."""
    return Finding(check=check, outcome=Outcome.PASS, words=words)


def skipped(check: str, words: str) -> Finding:
    """A finding that nothing could be said; the words are the reason."""
    return Finding(check=check, outcome=Outcome.SKIP, words=words)


def warned(check: str, words: str, remedy: str = "") -> Finding:
    """A finding that something is set badly."""
    return Finding(check=check, outcome=Outcome.WARN, words=words, remedy=remedy)


def failed(check: str, words: str, remedy: str = "") -> Finding:
    """A finding that something does not work."""
    return Finding(check=check, outcome=Outcome.FAIL, words=words, remedy=remedy)


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings have each outcome, by its value."""
    found = {outcome.value: 0 for outcome in Outcome}
    for finding in findings:
        found[finding.outcome.value] += 1
    return found
