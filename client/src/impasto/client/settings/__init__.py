"""The settings of a client: what each may be, and where it comes from.

An argument goes before the environment, the environment before the configuration file, and that before the default.
docs/client.md has the table of all settings.
"""

from __future__ import annotations

from impasto.client.settings.forms import MOST_SECONDS
from impasto.client.settings.sources import Options, resolve
from impasto.client.settings.tls import TlsOptions
from impasto.client.settings.values import KINDS, CallKind, Retries, Settings, Timeouts

__all__ = [
    "KINDS",
    "MOST_SECONDS",
    "CallKind",
    "Options",
    "Retries",
    "Settings",
    "Timeouts",
    "TlsOptions",
    "resolve",
]
