"""Every setting of the client in one table: its name, where it may be set, what it may be, and what it means.

Reading, checking, the command line's `impasto config` and the table in docs/client.md all come from here. The defaults
are those of the dataclasses in `settings`.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from impasto.client.addresses import ADDRESS_VARIABLE
from impasto.client.errors import SettingsError

LARGEST_MESSAGE: Final = 2**31 - 1
"""gRPC's own limit, in bytes."""

_METADATA_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_RESERVED_KEYS: Final = ("content-type", "te", "user-agent")
_FLAGS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Form:
    """What values a setting may have.

    Attributes:
        words: what the value must be, to follow "must be".
        check: the value, perhaps as a wider type; raises ValueError or TypeError if it cannot be used.
        from_text: reads a variable's text into what `check` takes; raises ValueError.
        from_file: turns what a TOML file can hold into what `check` takes; raises ValueError.
    """

    words: str
    check: Callable[[Any], Any]
    from_text: Callable[[str], Any] = _same
    from_file: Callable[[Any], Any] = _same


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


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def _seconds(words: str, *, least: float = 0.0, ends: bool = False) -> Form:
    def check(value: Any) -> float:
        _require(isinstance(value, int | float) and not isinstance(value, bool))
        _require(value > 0 and value >= least)  # not so of nan
        _require(not (ends and math.isinf(value)))
        return float(value)

    return Form(f"seconds, {words}", check, from_text=float)


def _whole(least: int, most: int | None = None) -> Form:
    def check(value: Any) -> int:
        _require(isinstance(value, int) and not isinstance(value, bool))
        _require(value >= least and (most is None or value <= most))
        return int(value)

    words = f"a whole number from {least} on" if most is None else f"a whole number from {least} to {most}"
    return Form(words, check, from_text=int)


def _flag() -> Form:
    def check(value: Any) -> bool:
        _require(isinstance(value, bool))
        return bool(value)

    def from_text(text: str) -> bool:
        _require(text.lower() in _FLAGS)
        return _FLAGS[text.lower()]

    return Form("true or false", check, from_text)


def _choice(*choices: str) -> Form:
    def check(value: Any) -> str:
        _require(value in choices)
        return str(value)

    return Form(" or ".join(f"`{choice}`" for choice in choices), check)


def _text(words: str) -> Form:
    def check(value: Any) -> str:
        _require(isinstance(value, str) and value != "")
        return str(value)

    return Form(words, check)


def _path() -> Form:
    def check(value: Any) -> str | os.PathLike[str]:
        _require(isinstance(value, str | os.PathLike) and os.fspath(value) != "")
        return value  # type: ignore[no-any-return]

    return Form("the path of a PEM file", check)


def _token() -> Form:
    def check(value: Any) -> str:
        _require(isinstance(value, str) and re.fullmatch(r"[!-~]+", value) is not None)
        return str(value)

    return Form("printable ASCII without spaces and line breaks", check)


def _metadata() -> Form:
    def check(value: Any) -> dict[str, str | bytes]:
        _require(isinstance(value, Mapping))
        for key, entry in value.items():
            _require(isinstance(key, str) and _METADATA_KEY.fullmatch(key) is not None)
            _require(not key.startswith("grpc-") and key not in _RESERVED_KEYS)
            if key.endswith("-bin"):
                _require(isinstance(entry, bytes))
            else:
                _require(isinstance(entry, str) and re.fullmatch(r"[ -~]*", entry) is not None)
        return dict(value)

    def from_file(value: Any) -> dict[str, str | bytes]:
        _require(isinstance(value, Mapping) and all(isinstance(entry, str) for entry in value.values()))
        return {key: _bytes(entry) if key.endswith("-bin") else entry for key, entry in value.items()}

    def from_text(text: str) -> dict[str, str | bytes]:
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        _require(all(equals for _, equals, _ in pairs))
        return from_file({key.strip(): entry.strip() for key, _, entry in pairs})

    words = (
        "lowercase ASCII keys, none of gRPC's own, each with printable ASCII (a variable: `key=value,key=value`); "
        "for keys that end in `-bin` bytes (a variable or a file: base64)"
    )
    return Form(words, check, from_text, from_file)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _timeout(kind: str, meaning: str) -> Setting:
    return Setting(f"timeouts.{kind}", f"IMPASTO_TIMEOUT_{kind.upper()}", _LIMIT, meaning)


_LIMIT: Final = _seconds("more than 0; `inf` for no limit")

SETTINGS: Final = (
    Setting(
        "address",
        ADDRESS_VARIABLE,
        _text("`host:port`, several with commas between, or a gRPC target"),
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
        _flag(),
        "encrypt; so it is too if another `tls` setting is there, unless this one is false",
        flag="--tls/--no-tls",
        optional=True,
    ),
    Setting(
        "tls.ca",
        "IMPASTO_TLS_CA",
        _path(),
        "the CA that signed the server's certificate; the well-known ones if not set",
        flag="--tls-ca",
        optional=True,
    ),
    Setting(
        "tls.certificate",
        "IMPASTO_TLS_CERT",
        _path(),
        "the client's certificate, for a server that wants one (mTLS)",
        flag="--tls-cert",
        optional=True,
    ),
    Setting(
        "tls.key",
        "IMPASTO_TLS_KEY",
        _path(),
        "the key of the client's certificate, not encrypted",
        flag="--tls-key",
        optional=True,
    ),
    Setting(
        "tls.server_name",
        "IMPASTO_TLS_SERVER_NAME",
        _text("a name"),
        "the name on the server's certificate, if it is not that of the address",
        flag="--tls-server-name",
        optional=True,
    ),
    Setting(
        "token",
        "IMPASTO_TOKEN",
        _token(),
        "sent with each call as `authorization: Bearer ...`",
        optional=True,
        secret=True,
    ),
    Setting(
        "token_in_plain_text",
        "IMPASTO_TOKEN_IN_PLAIN_TEXT",
        _flag(),
        "send credentials without TLS to a server that is not on this machine",
    ),
    Setting(
        "metadata",
        "IMPASTO_METADATA",
        _metadata(),
        "sent with each call",
        secret=True,
    ),
    Setting(
        "compression",
        "IMPASTO_COMPRESSION",
        _choice("none", "gzip"),
        "how requests are compressed",
    ),
    Setting(
        "retries.attempts",
        "IMPASTO_RETRIES_ATTEMPTS",
        _whole(1, 5),
        "how often a call is sent in all while the server is unavailable; gRPC allows 5 at most",
    ),
    Setting(
        "retries.first_pause",
        "IMPASTO_RETRIES_FIRST_PAUSE",
        _seconds("0.001 or more", least=0.001, ends=True),
        "about the pause before the second attempt; each later one is three times as long",
    ),
    Setting(
        "retries.longest_pause",
        "IMPASTO_RETRIES_LONGEST_PAUSE",
        _seconds("not less than the first pause", least=0.001, ends=True),
        "about the longest pause before an attempt",
    ),
    Setting(
        "keepalive",
        "IMPASTO_KEEPALIVE",
        _seconds("10 or more; `inf` for none", least=10),
        "while a call runs, a ping after this time without news; a gRPC server with its own defaults "
        "hangs up on pings less than 300 seconds apart",
    ),
    Setting(
        "max_message_bytes",
        "IMPASTO_MAX_MESSAGE_BYTES",
        _whole(1, LARGEST_MESSAGE),
        "the largest request and the largest answer",
    ),
    Setting(
        "hedge",
        "IMPASTO_HEDGE",
        _seconds("more than 0; `inf` for never"),
        "send a call a second time if it is not answered by then, and take the first answer",
    ),
    Setting(
        "max_in_flight",
        "IMPASTO_MAX_IN_FLIGHT",
        _whole(1),
        "how many calls the asynchronous client has under way at once; more wait",
    ),
)

BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}


def checked(name: str, value: object) -> Any:
    """The value of a setting that was given as an argument. Raises SettingsError."""
    return BY_NAME[name].checked(value, where=name)
