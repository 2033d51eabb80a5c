"""The settings as dataclasses, whose fields carry their variable, their option, their check and their meaning.

Reading, checking, the command line's `impasto config` and the table in docs/client.md all come from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from impasto.client.errors import SettingsError
from impasto.client.pictures import MAX_PIXELS
from impasto.client.settings import forms
from impasto.client.settings.addresses import ADDRESS_VARIABLE, DEFAULT_ADDRESS, endpoints, is_on_this_machine
from impasto.client.settings.forms import Setting, check_fields, documented, part_of, setting, settings_of
from impasto.client.settings.tls import AUTHORIZATION, TlsOptions, is_credential

CallKind = Literal["status", "predict", "upscale", "stylize", "dream", "transfer"]
"""The purpose of a call, which decides how long it may take."""

KINDS: Final[tuple[CallKind, ...]] = ("status", "predict", "upscale", "stylize", "dream", "transfer")

LARGEST_MESSAGE: Final = 2**31 - 1
"""gRPC's own limit, in bytes."""

_LIMIT: Final = forms.seconds("more than 0", endless="no limit")
_SHORTEST_PAUSE: Final = 0.01
"""A client that pauses for less only keeps the server from coming back."""


@documented
@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """The time that a call of each kind may take, in seconds, retries included; `math.inf` for no limit.

    A timeout is there to end a call that will not be answered, not to hurry one that will: a default is several times
    what the slowest sensible call of its kind takes on two CPU cores.

    Raises:
        SettingsError: one is not more than 0, or more than 1000000 and not endless.
    """

    status: float = setting(10.0, "IMPASTO_TIMEOUT_STATUS", _LIMIT, "for status and metadata")
    predict: float = setting(
        60.0,
        "IMPASTO_TIMEOUT_PREDICT",
        _LIMIT,
        "for `predict`; a model without warm-up takes some seconds more for its first call",
    )
    upscale: float = setting(60.0, "IMPASTO_TIMEOUT_UPSCALE", _LIMIT, "for each tile")
    stylize: float = setting(120.0, "IMPASTO_TIMEOUT_STYLIZE", _LIMIT, "for each call of a stylization")
    dream: float = setting(
        600.0,
        "IMPASTO_TIMEOUT_DREAM",
        _LIMIT,
        "for each chunk of a dream: up to 10 seconds, or one step, which may be minutes",
    )
    transfer: float = setting(600.0, "IMPASTO_TIMEOUT_TRANSFER", _LIMIT, "for each chunk of a transfer")

    def __post_init__(self) -> None:
        check_fields(self, "timeouts.")

    @classmethod
    def of(cls, seconds: float) -> Timeouts:
        """Make one with the same time for each kind. Raises SettingsError."""
        each = float(BY_NAME["timeout"].checked(seconds, where="timeout"))
        return cls(status=each, predict=each, upscale=each, stylize=each, dream=each, transfer=each)

    def for_(self, kind: CallKind) -> float | None:
        """Return the timeout of a call of this kind as gRPC takes it: None for no limit."""
        seconds: float = getattr(self, kind)
        return None if math.isinf(seconds) else seconds


@documented
@dataclass(frozen=True, kw_only=True)
class Retries:
    """The attempts of a call while the server is unavailable. Every call of this API can be sent twice.

    Raises:
        SettingsError: one is out of its range, or the first pause longer than the longest.
    """

    attempts: int = setting(
        4, "IMPASTO_RETRIES_ATTEMPTS", forms.whole(1), "how often a call is sent in all; 1 for no retries"
    )
    first_pause: float = setting(
        0.1,
        "IMPASTO_RETRIES_FIRST_PAUSE",
        forms.seconds("0.01 or more", least=_SHORTEST_PAUSE),
        "about the pause before the second attempt; each later one is three times as long",
    )
    longest_pause: float = setting(
        2.0,
        "IMPASTO_RETRIES_LONGEST_PAUSE",
        forms.seconds("not less than the first pause", least=_SHORTEST_PAUSE),
        "about the longest pause before an attempt",
    )

    def __post_init__(self) -> None:
        check_fields(self, "retries.")
        check_pauses(self.first_pause, self.longest_pause, "retries.first_pause", "retries.longest_pause")


def check_pauses(first: float, longest: float, first_place: str, longest_place: str) -> None:
    """Check that the first pause is not longer than the longest; the SettingsError names their places."""
    if longest < first:
        raise SettingsError(
            f"{first_place}: the first pause is {first:g} s, but the longest is {longest:g} s ({longest_place}); "
            "shorten the first or lengthen the longest"
        )


@documented
@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a client needs to know before its first call. `resolve` makes one from where settings may be.

    Raises:
        SettingsError: a value cannot be used, or credentials would be sent in plain text.
        AddressError: the address cannot be parsed.
    """

    address: str = setting(
        DEFAULT_ADDRESS,
        ADDRESS_VARIABLE,
        forms.text("`host:port`, several with commas between, or a gRPC target"),
        "the server; replicas with commas between",
        key="server",
        flag="--server",
    )
    timeouts: Timeouts = setting(
        Timeouts,
        "IMPASTO_TIMEOUT",
        _LIMIT,
        "how long each call may take, whatever it does: sets all of the following",
        name="timeout",
        flag="--timeout",
        part=Timeouts,
    )
    tls: TlsOptions | None = setting(
        None,
        "IMPASTO_TLS",
        forms.flag(),
        "encrypt; each of the following switches it on too, unless this one is false in the same place",
        name="tls.enabled",
        flag="--tls/--no-tls",
        part=TlsOptions,
    )
    token: str | None = setting(
        None,
        "IMPASTO_TOKEN",
        forms.text("printable ASCII without spaces and line breaks", r"[!-~]+"),
        "sent with each call as `authorization: Bearer ...`",
        secret=True,
    )
    token_in_plain_text: bool = setting(
        False,
        "IMPASTO_TOKEN_IN_PLAIN_TEXT",
        forms.flag(),
        "send credentials without TLS to a server that is not on this machine",
    )
    metadata: Mapping[str, str | bytes] = setting(
        dict, "IMPASTO_METADATA", forms.metadata(), "sent with each call", secret=True
    )
    compression: Literal["none", "gzip"] = setting(
        "none", "IMPASTO_COMPRESSION", forms.choice("none", "gzip"), "how requests are compressed"
    )
    retries: Retries = part_of(Retries)
    patience: float = setting(
        300.0,
        "IMPASTO_PATIENCE",
        forms.seconds("0 or more", least=0, endless="no end"),
        "how long a job that has begun waits for a server that is away or overloaded, each time; a server that "
        "restarts may take two minutes",
    )
    keepalive: float = setting(
        330.0,
        "IMPASTO_KEEPALIVE",
        forms.seconds("10 or more", least=10, endless="none"),
        "while a call runs, a ping after this time without news; a gRPC server with its own defaults hangs up on pings "
        "less than 300 seconds apart",
    )
    max_message_bytes: int = setting(
        LARGEST_MESSAGE,
        "IMPASTO_MAX_MESSAGE_BYTES",
        forms.whole(1, LARGEST_MESSAGE),
        "the largest request and the largest response",
    )
    max_in_flight: int = setting(
        1000,
        "IMPASTO_MAX_IN_FLIGHT",
        forms.whole(1),
        "how many calls an asynchronous client, or one job of a blocking one, has under way at once; more wait",
    )
    max_pixels: int = setting(
        MAX_PIXELS,
        "IMPASTO_MAX_PIXELS",
        forms.whole(1),
        "the largest width times height of a picture that is read",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        endpoints(self.address)  # raises where it cannot be parsed
        self._check_credentials()

    @property
    def has_credentials(self) -> bool:
        """True if each call carries a token, or metadata whose name says that it is a credential."""
        return bool(self._credentials())

    def call_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return the metadata of each call as gRPC takes it, the token included."""
        own = tuple(self.metadata.items())
        return own if self.token is None else (*own, (AUTHORIZATION, f"Bearer {self.token}"))

    def _check_credentials(self) -> None:
        if self.token is not None and AUTHORIZATION in self.metadata:
            raise SettingsError(
                "token and the metadata's authorization are both given, and both are sent as authorization; "
                "give one of them"
            )
        found = self._credentials()
        if not found or self.tls is not None or self.token_in_plain_text:
            return
        if not is_on_this_machine(self.address):
            raise SettingsError(
                f"{', '.join(found)}: without TLS, everyone on the way to {self.address} could read it. Switch TLS on "
                "(tls=TlsOptions(...), IMPASTO_TLS=true, --tls), or, where the network itself is encrypted, set "
                "token_in_plain_text (IMPASTO_TOKEN_IN_PLAIN_TEXT=true)"
            )

    def _credentials(self) -> list[str]:
        """The names of what is sent and must not be read by others."""
        token = [] if self.token is None else ["token"]
        return token + [f"metadata {name}" for name in self.metadata if is_credential(name)]


SETTINGS: Final = tuple(settings_of(Settings))
"""Every setting, in the order of the table."""

BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}


def value_of(settings: Settings, setting: Setting) -> Any:
    """Return the value of one setting; None where it is not set."""
    group, _, member = setting.name.partition(".")
    if setting.name == "tls.enabled":
        return settings.tls is not None
    value = getattr(settings, group, None)
    return getattr(value, member, None) if member else value
