"""An acceptance test of whatever TensorFlow Serving is at an address.

Each check is a function that calls a replica, or judges what calls showed, and returns findings as values.
docs/check.md says what each is about.
"""

from __future__ import annotations

from impasto.client.checking.invariants import TOLERANCES
from impasto.client.checking.replica import Wanted
from impasto.client.checking.report import Report, check
from impasto.client.checking.subject import Finding, Options, Outcome, counts

__all__ = ["TOLERANCES", "Finding", "Options", "Outcome", "Report", "Wanted", "check", "counts"]
