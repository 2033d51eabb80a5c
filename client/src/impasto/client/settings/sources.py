"""Settings from arguments, the environment and a configuration file, and which of them goes before which."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict, TypeGuard

from impasto.client.errors import SettingsError
from impasto.client.settings.forms import Setting
from impasto.client.settings.tls import TlsOptions
from impasto.client.settings.values import BY_NAME, KINDS, SETTINGS, Retries, Settings, Timeouts, check_pauses
from impasto.client.texts import NotUtf8, decoded_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

CONFIG_VARIABLE: Final = "IMPASTO_CLIENT_CONFIG"

_BY_KEY: Final = {setting.key: setting for setting in SETTINGS}
_TABLES: Final = {key.partition(".")[0] for key in _BY_KEY if "." in key}


class Options(TypedDict, total=False):
    """The keywords of a client's constructor beside `settings`; None and left out are the same.

    `timeout` in seconds is for each kind of call. `config` names the configuration file. The others are the fields of
    Settings.
    """

    timeout: float | Timeouts | None
    tls: TlsOptions | None
    token: str | None
    token_in_plain_text: bool | None
    metadata: Mapping[str, str | bytes] | None
    compression: Literal["none", "gzip"] | None
    retries: Retries | None
    patience: float | None
    keepalive: float | None
    max_message_bytes: int | None
    max_in_flight: int | None
    max_pixels: int | None
    config: str | os.PathLike[str] | None


def resolve(
    address: str | None = None, *, settings: Settings | None = None, **options: Unpack[Options]
) -> Settings:
    """Return the settings of a client: the arguments, and for what they leave open the environment and the file.

    Args:
        address: the server.
        settings: if given, what the other arguments leave open is taken from here instead: neither the
            environment nor a file is read.
        **options: see Options.

    Raises:
        SettingsError: a value cannot be used, or the file cannot be read.
        AddressError: the address cannot be parsed.
        TypeError: there is no such option.
    """
    if unknown := sorted(set(options) - Options.__annotations__.keys()):
        known = ", ".join(Options.__annotations__)
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; there are {known}")
    config, timeout = options.pop("config", None), options.pop("timeout", None)
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if address:
        given["address"] = address
    if timeout is not None:
        given["timeouts"] = timeout if isinstance(timeout, Timeouts) else Timeouts.of(timeout)
    if settings is None:
        return Settings(**{**fields(ambient(config=config)), **given})
    if config:
        raise TypeError("config has no meaning beside settings: give one or the other")
    return replace(settings, **given)


class Given(NamedTuple):
    """A setting's value.

    Attributes:
        value: checked already; may be a secret.
        source: the variable, the file or the option that it comes from.
        key: in the file.
    """

    value: Any
    source: str
    key: str = ""

    def __repr__(self) -> str:  # without the value
        return f"Given({self.place})"

    @property
    def place(self) -> str:
        """The variable, the option, or the file with the key."""
        return f"{self.key} in {self.source}" if self.key else self.source


Layer = Mapping[str, Given]
"""The values of one source, by the settings' names."""


def ambient(*, config: str | os.PathLike[str] | None = None) -> dict[str, Given]:
    """Return the settings of the configuration file and of the environment. Raises SettingsError."""
    return merged(from_file(config), from_environment())


def merged(*layers: Layer) -> dict[str, Given]:
    """Merge the layers into one, the later before the earlier.

    In each, `timeout` stands for all kinds of call, and what says something of TLS switches it on unless it says no.
    """
    found: dict[str, Given] = {}
    for layer in layers:
        if "timeout" in layer:
            found |= {f"timeouts.{kind}": layer["timeout"] for kind in KINDS}
        if about_tls := [given for name, given in layer.items() if name.startswith("tls.")]:
            found["tls.enabled"] = Given(True, about_tls[0].source)
        found |= {name: given for name, given in layer.items() if name != "timeout"}
    return found


def fields(found: Layer) -> dict[str, Any]:
    """Return the fields of Settings that these values make; those that none of them is about are left out.

    Raises:
        SettingsError: values do not go together.
    """
    groups: dict[str, dict[str, Any]] = {"timeouts": {}, "retries": {}, "tls": {}}
    made: dict[str, Any] = {}
    for name, given in found.items():
        group, dot, member = name.partition(".")
        (groups[group] if dot else made)[member or name] = given.value
    tls = groups["tls"]
    if tls.pop("enabled", False):
        made["tls"] = TlsOptions(**tls)
    if groups["timeouts"]:
        made["timeouts"] = Timeouts(**groups["timeouts"])
    if groups["retries"]:
        _check_pauses(found)
        made["retries"] = Retries(**groups["retries"])
    return made


def _check_pauses(found: Layer) -> None:
    """Check that the pauses go together; the SettingsError names where each is, or would be, set."""
    default = Retries()
    first, longest = (
        found.get(f"retries.{name}")
        or Given(getattr(default, name), f"the default of {BY_NAME[f'retries.{name}'].variable}")
        for name in ("first_pause", "longest_pause")
    )
    check_pauses(first.value, longest.value, first.place, longest.place)


def from_environment() -> dict[str, Given]:
    """Return the settings of the environment; an empty variable sets nothing. Raises SettingsError."""
    found: dict[str, Given] = {}
    for setting in SETTINGS:
        if text := os.environ.get(setting.variable):
            value = setting.checked(text, where=setting.variable, read=setting.form.from_text)
            found[setting.name] = Given(value, setting.variable)
    return found


def from_file(config: str | os.PathLike[str] | None) -> dict[str, Given]:
    """Return the settings of the configuration file.

    Args:
        config: the file; else IMPASTO_CLIENT_CONFIG names it, else it is the person's own, which need not be there.

    Raises:
        SettingsError: the file cannot be read, or holds what is no setting.
    """
    path = config_file(config)
    found: dict[str, Given] = {}
    if path is None:
        return found
    for key, value in _leaves(_read(path)):
        setting = _BY_KEY.get(key)
        if setting is None:
            raise SettingsError(f"{key} in {path} is no setting{_similar(key)}")
        read = setting.checked(value, where=f"{key} in {path}", read=setting.form.from_file)
        found[setting.name] = Given(_absolute(setting, read, path), str(path), key)
    return found


def config_file(config: str | os.PathLike[str] | None) -> Path | None:
    """Return the file that is read: the one that is named, else the person's own if it is there."""
    named = config or os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    own = own_file()
    # os.path.isfile is False, where Path.is_file would raise, for a home that this user may not look into.
    return own if own is not None and os.path.isfile(own) else None  # noqa: PTH113


def own_file() -> Path | None:
    """Return the place of the person's own configuration file; None for a user without a home."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # the specification wants a relative one to be ignored  # noqa: PTH117
        try:
            base = str(Path.home() / ".config")
        except RuntimeError:  # a user without a home, as in many containers
            return None
    return Path(base, "impasto", "config.toml")


def _read(path: Path) -> dict[str, Any]:
    import sys

    # Only imported where there is a file: every start would pay for it.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        content: dict[str, Any] = tomllib.loads(decoded_text(path.read_bytes()))
        return content
    except OSError as error:
        raise SettingsError(f"configuration file {path} cannot be read: {error.strerror}") from error
    except NotUtf8 as error:
        raise SettingsError(f"configuration file {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"configuration file {path} is not TOML: {error}") from error


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)  # TOML has no other, and its keys are text


def _leaves(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        key = before + name
        if _is_table(value) and key in _TABLES:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _absolute(setting: Setting, value: Any, path: Path) -> Any:
    """A file that a configuration file names is beside it, unless it is named from the root or from the home."""
    if setting.name not in ("tls.ca", "tls.certificate", "tls.key"):
        return value
    try:
        return str(path.absolute().parent / Path(value).expanduser())
    except RuntimeError as error:
        raise SettingsError(f"{setting.key} in {path}: {value!r} is in a home that is not known") from error


def _similar(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key, _BY_KEY, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(_BY_KEY)}"
