"""The settings of a client: what each may be, and where it comes from.

An argument goes before the environment, the environment before the configuration file, and that before the default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from impasto.client._decode import MAX_PIXELS
from impasto.client._settings_table import LARGEST_MESSAGE, checked
from impasto.client.addresses import DEFAULT_ADDRESS, endpoints, is_on_this_machine
from impasto.client.errors import SettingsError
from impasto.client.tls import TlsOptions

if TYPE_CHECKING:
    import os

    from typing_extensions import Unpack

CallKind = Literal["status", "predict", "upscale", "stylize", "dream", "transfer"]
"""What a call is for, which decides how long it may take."""

KINDS: Final[tuple[CallKind, ...]] = ("status", "predict", "upscale", "stylize", "dream", "transfer")

_AUTHORIZATION: Final = "authorization"


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long a call of each kind may take, in seconds, retries included; `math.inf` for no limit.

    A timeout is there to end a call that will not be answered, not to hurry one that will: a default is several times
    what the slowest sensible call of its kind takes on two CPU cores.

    Attributes:
        status: status and metadata. The server looks them up; what takes time is to find and reach it.
        predict: any signature. A model that is served without warm-up takes 10 to 13 s for its first call.
        upscale: a tile, which takes well below a second; a picture of 12 megapixels sent whole takes ten.
        stylize: a picture in one call, some seconds per megapixel, or a style's picture.
        dream: a chunk. It is sized to take about a second, but it is one step at least, and one step of a picture
            of 12 megapixels takes minutes.
        transfer: a chunk, as of a dream; the first call, of a model without warm-up, also looks at both pictures.

    Raises:
        SettingsError: one is not more than 0, or more than 1000000 and not endless.
    """

    status: float = 10.0
    predict: float = 60.0
    upscale: float = 60.0
    stylize: float = 120.0
    dream: float = 600.0
    transfer: float = 600.0

    def __post_init__(self) -> None:
        for kind in KINDS:
            object.__setattr__(self, kind, checked(f"timeouts.{kind}", getattr(self, kind)))

    @classmethod
    def of(cls, seconds: float) -> Timeouts:
        """The same for each kind. Raises SettingsError."""
        each = float(checked("timeout", seconds))
        return cls(status=each, predict=each, upscale=each, stylize=each, dream=each, transfer=each)

    def for_(self, kind: CallKind) -> float | None:
        """The timeout of a call of this kind as gRPC takes it: None for no limit."""
        seconds: float = getattr(self, kind)
        return None if math.isinf(seconds) else seconds


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How a call is sent again while the server is unavailable. Every call of this API can be sent twice.

    Attributes:
        attempts: how often it is sent in all, 1 to 5; 1 for no retries.
        first_pause: about the seconds before the second attempt, 0.01 or more; each later pause is three times as long.
        longest_pause: about the longest pause in seconds, 1000000 at most.

    Raises:
        SettingsError: one is out of its range, or the first pause longer than the longest.
    """

    attempts: int = 4
    first_pause: float = 0.1
    longest_pause: float = 2.0

    def __post_init__(self) -> None:
        for name in ("attempts", "first_pause", "longest_pause"):
            object.__setattr__(self, name, checked(f"retries.{name}", getattr(self, name)))
        check_pauses(self.first_pause, self.longest_pause, "retries.first_pause", "retries.longest_pause")


def check_pauses(first: float, longest: float, first_place: str, longest_place: str) -> None:
    """Raises SettingsError if the first pause is longer than the longest; it names the places that they are from."""
    if longest < first:
        raise SettingsError(
            f"{first_place}: the first pause is {first:g} s, but the longest is {longest:g} s ({longest_place}); "
            "shorten the first or lengthen the longest"
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a client needs to know before its first call. `resolve` makes one from where settings may be.

    docs/client.md has the table of all settings.

    Attributes:
        address: `host:port`, several with commas between for replicas, or a gRPC target.
        timeouts: for each kind of call.
        tls: encrypt, and check the server's certificate; None for plain text.
        token: sent with each call as `authorization: Bearer ...`.
        token_in_plain_text: whether credentials may go without TLS to a server that is not on this machine.
        metadata: sent with each call: lowercase ASCII keys, each with printable ASCII, or with bytes if the key
            ends in `-bin`.
        compression: of requests, `none` or `gzip`.
        retries: while the server is unavailable.
        patience: seconds for which a job that has begun waits for a server that is away or overloaded, each time;
            `math.inf` for no end.
        keepalive: seconds without news after which a server is pinged while a call runs; `math.inf` for never.
        max_message_bytes: the largest request, and the largest answer.
        hedge: seconds after which a call without an answer is sent again, to the next replica; `math.inf` for never.
        max_in_flight: how many calls the asynchronous client has under way at once.
        max_pixels: the largest width times height of a picture that is read.

    Raises:
        SettingsError: a value cannot be used, or credentials would be sent in plain text.
        AddressError: the address cannot be parsed.
    """

    address: str = DEFAULT_ADDRESS
    timeouts: Timeouts = field(default_factory=Timeouts)
    tls: TlsOptions | None = None
    token: str | None = field(default=None, repr=False)
    token_in_plain_text: bool = False
    metadata: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"], repr=False)
    compression: Literal["none", "gzip"] = "none"
    retries: Retries = field(default_factory=Retries)
    patience: float = 300.0
    keepalive: float = 330.0
    max_message_bytes: int = LARGEST_MESSAGE
    hedge: float = math.inf
    max_in_flight: int = 1000
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name in _PLAIN:
            object.__setattr__(self, name, checked(name, getattr(self, name)))
        for name, kind, words in _GROUPS:
            if not isinstance(getattr(self, name), kind):
                raise SettingsError(f"{name}: {getattr(self, name)!r} cannot be used; give a {words}")
        endpoints(self.address)  # raises where it cannot be parsed
        self._check_credentials()

    @property
    def has_credentials(self) -> bool:
        """Whether each call carries a token, or an `authorization` of the metadata."""
        return self.token is not None or _AUTHORIZATION in self.metadata

    def call_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The metadata of each call as gRPC takes it, the token included."""
        own = tuple(self.metadata.items())
        return own if self.token is None else (*own, (_AUTHORIZATION, f"Bearer {self.token}"))

    def _check_credentials(self) -> None:
        if self.token is not None and _AUTHORIZATION in self.metadata:
            raise SettingsError(
                "token and the metadata's authorization are both given, and both are sent as authorization; "
                "give one of them"
            )
        if not self.has_credentials or self.tls is not None or self.token_in_plain_text:
            return
        if not is_on_this_machine(self.address):
            raise SettingsError(
                f"token: without TLS, everyone on the way to {self.address} could read it. Switch TLS on "
                "(tls=TlsOptions(...), IMPASTO_TLS=true, --tls), or, where the network itself is encrypted, set "
                "token_in_plain_text (IMPASTO_TOKEN_IN_PLAIN_TEXT=true)"
            )


_GROUPS: Final = (
    ("timeouts", Timeouts, "Timeouts"),
    ("retries", Retries, "Retries"),
    ("tls", TlsOptions | None, "TlsOptions, or None for plain text"),
)
_PLAIN: Final = (
    "address",
    "token",
    "token_in_plain_text",
    "metadata",
    "compression",
    "patience",
    "keepalive",
    "max_message_bytes",
    "hedge",
    "max_in_flight",
    "max_pixels",
)


class Options(TypedDict, total=False):
    """What the constructor of a client takes by keyword beside `settings`; None and left out are the same.

    `timeout` in seconds is for each kind of call. `config` names the configuration file and `profile` a part of it.
    The others are the fields of Settings.
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
    hedge: float | None
    max_in_flight: int | None
    max_pixels: int | None
    config: str | os.PathLike[str] | None
    profile: str | None


def resolve(
    address: str | None = None, *, settings: Settings | None = None, **options: Unpack[Options]
) -> Settings:
    """The settings of a client: the arguments, and for what they leave open the environment and the file.

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
    from impasto.client._settings_sources import ambient, fields

    if unknown := sorted(set(options) - Options.__annotations__.keys()):
        known = ", ".join(Options.__annotations__)
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; there are {known}")
    config, profile = options.pop("config", None), options.pop("profile", None)
    timeout = options.pop("timeout", None)
    if settings is not None and (config or profile):
        raise TypeError("config and profile have no meaning beside settings: give one or the other")
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if address:
        given["address"] = address
    if timeout is not None:
        given["timeouts"] = timeout if isinstance(timeout, Timeouts) else Timeouts.of(timeout)
    if settings is not None:
        return replace(settings, **given)
    return Settings(**{**fields(ambient(config=config, profile=profile)), **given})
