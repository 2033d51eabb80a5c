"""Every setting of the client in one table: its name, where it may be set, what it may be, and what it means.

Reading, checking, the command line's `impasto config` and the table in docs/client.md all come from here. The defaults
are those of the dataclasses in `settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from impasto.client import _settings_forms as forms
from impasto.client._settings_forms import Form
from impasto.client.addresses import ADDRESS_VARIABLE
from impasto.client.errors import SettingsError

LARGEST_MESSAGE: Final = 2**31 - 1
"""gRPC's own limit, in bytes."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: its field of Settings; with a dot, the field of the dataclass in that field.
        variable: the environment's variable.
        form: what it may be.
        meaning: what it does.
        key: its name in the file, if that is not `name`.
        flag: the option of the command line, if there is one.
        optional: whether it may be None, which is: not set.
        secret: whether it must not be shown.
    """

    name: str
    variable: str
    form: Form
    meaning: str
    key: str = ""
    flag: str = ""
    optional: bool = False
    secret: bool = False

    @property
    def file_key(self) -> str:
        """The key in the file; with a dot, the table and the key in it."""
        return self.key or self.name

    def checked(self, value: object, *, where: str) -> Any:
        """The value to use. Raises SettingsError, which begins with `where`."""
        return None if value is None and self.optional else self._read(self.form.check, value, where)

    def from_text(self, text: str, *, where: str) -> Any:
        """The value that a variable's text stands for. Raises SettingsError."""
        return self._read(lambda value: self.form.check(self.form.from_text(value)), text, where)

    def from_file(self, value: object, *, where: str) -> Any:
        """The value that a value in a file stands for. Raises SettingsError."""
        return self._read(lambda held: self.form.check(self.form.from_file(held)), value, where)

    def _read(self, read: Callable[[Any], Any], value: object, where: str) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError) as error:
            shown = "what is there cannot be used" if self.secret else f"{value!r} cannot be used"
            raise SettingsError(f"{where}: {shown}; it must be {self.form.words}") from error


def _timeout(kind: str, meaning: str) -> Setting:
    return Setting(f"timeouts.{kind}", f"IMPASTO_TIMEOUT_{kind.upper()}", _LIMIT, meaning)


# After a pause of about a millisecond, gRPC may never send the second attempt (grpc/grpc#41036).
_SHORTEST_PAUSE: Final = 0.01

_LIMIT: Final = forms.seconds("more than 0", endless="no limit")

SETTINGS: Final = (
    Setting(
        "address",
        ADDRESS_VARIABLE,
        forms.text("`host:port`, several with commas between, or a gRPC target"),
        "the server; replicas with commas between",
        key="server",
        flag="--server",
    ),
    Setting(
        "timeout",
        "IMPASTO_TIMEOUT",
        _LIMIT,
        "how long each call may take, whatever it does: sets all of the following",
        flag="--timeout",
        optional=True,
    ),
    _timeout("status", "for status and metadata"),
    _timeout("predict", "for `predict`"),
    _timeout("upscale", "for each tile"),
    _timeout("stylize", "for each call of a stylization"),
    _timeout("dream", "for each chunk of a dream"),
    _timeout("transfer", "for each chunk of a transfer"),
    Setting(
        "tls.enabled",
        "IMPASTO_TLS",
        forms.flag(),
        "encrypt; each of the following switches it on too, unless this one is false in the same place",
        flag="--tls/--no-tls",
        optional=True,
    ),
    Setting(
        "tls.ca",
        "IMPASTO_TLS_CA",
        forms.path(),
        "the CA that signed the server's certificate; the well-known ones if not set",
        flag="--tls-ca",
        optional=True,
    ),
    Setting(
        "tls.certificate",
        "IMPASTO_TLS_CERT",
        forms.path(),
        "the client's certificate, for a server that wants one (mTLS)",
        flag="--tls-cert",
        optional=True,
    ),
    Setting(
        "tls.key",
        "IMPASTO_TLS_KEY",
        forms.path(),
        "the key of the client's certificate, not encrypted",
        flag="--tls-key",
        optional=True,
    ),
    Setting(
        "tls.server_name",
        "IMPASTO_TLS_SERVER_NAME",
        forms.text("a name"),
        "the name on the server's certificate, if it is not that of the address",
        flag="--tls-server-name",
        optional=True,
    ),
    Setting(
        "token",
        "IMPASTO_TOKEN",
        forms.token(),
        "sent with each call as `authorization: Bearer ...`",
        optional=True,
        secret=True,
    ),
    Setting(
        "token_in_plain_text",
        "IMPASTO_TOKEN_IN_PLAIN_TEXT",
        forms.flag(),
        "send credentials without TLS to a server that is not on this machine",
    ),
    Setting(
        "metadata",
        "IMPASTO_METADATA",
        forms.metadata(),
        "sent with each call",
        secret=True,
    ),
    Setting(
        "compression",
        "IMPASTO_COMPRESSION",
        forms.choice("none", "gzip"),
        "how requests are compressed",
    ),
    Setting(
        "retries.attempts",
        "IMPASTO_RETRIES_ATTEMPTS",
        forms.whole(1, 5),
        "how often a call is sent in all while the server is unavailable; gRPC allows 5 at most",
    ),
    Setting(
        "retries.first_pause",
        "IMPASTO_RETRIES_FIRST_PAUSE",
        forms.seconds("0.01 or more", least=_SHORTEST_PAUSE),
        "about the pause before the second attempt; each later one is three times as long",
    ),
    Setting(
        "retries.longest_pause",
        "IMPASTO_RETRIES_LONGEST_PAUSE",
        forms.seconds("not less than the first pause", least=_SHORTEST_PAUSE),
        "about the longest pause before an attempt",
    ),
    Setting(
        "patience",
        "IMPASTO_PATIENCE",
        forms.seconds("0 or more", least=0, endless="no end"),
        "how long a job that has begun waits for a server that is away or overloaded; a server that restarts may take "
        "two minutes",
    ),
    Setting(
        "keepalive",
        "IMPASTO_KEEPALIVE",
        forms.seconds("10 or more", least=10, endless="none"),
        "while a call runs, a ping after this time without news; a gRPC server with its own defaults "
        "hangs up on pings less than 300 seconds apart",
    ),
    Setting(
        "max_message_bytes",
        "IMPASTO_MAX_MESSAGE_BYTES",
        forms.whole(1, LARGEST_MESSAGE),
        "the largest request and the largest answer",
    ),
    Setting(
        "hedge",
        "IMPASTO_HEDGE",
        forms.seconds("more than 0", endless="never"),
        "send a call again, twice at most, if it is not answered by then, and take the first answer",
    ),
    Setting(
        "max_in_flight",
        "IMPASTO_MAX_IN_FLIGHT",
        forms.whole(1),
        "how many calls the asynchronous client has under way at once; more wait",
    ),
    Setting(
        "max_pixels",
        "IMPASTO_MAX_PIXELS",
        forms.whole(1),
        "the largest width times height of a picture that is read, against pictures that would fill the memory",
    ),
)

BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}


def checked(name: str, value: object) -> Any:
    """The value of a setting that was given as an argument. Raises SettingsError."""
    return BY_NAME[name].checked(value, where=name)
