"""Where settings come from, which goes before which, and what is said of one that cannot be used."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import pickle
import re
import traceback
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from documents.client_docs import PAGE, page_with_tables
from impasto.client import AsyncClient, Client, Retries, Settings, Timeouts, TlsOptions, errors
from impasto.client.errors import SettingsError
from impasto.client.settings import KINDS, Options, resolve, sources
from impasto.client.settings.forms import MOST_SECONDS
from impasto.client.settings.values import SETTINGS, value_of
from scripted.client_servers import prediction, scripted

EXAMPLES: dict[str, tuple[str, object, str, object]] = {
    # setting: the file's TOML and its value, a variable's text and its value
    "address": ('"models:1"', "models:1", "models:2", "models:2"),
    "timeouts.status": ("3", 3.0, "4", 4.0),
    "timeouts.predict": ("inf", math.inf, "4", 4.0),
    "timeouts.upscale": ("0.5", 0.5, "inf", math.inf),
    "timeouts.stylize": ("1e2", 100.0, "1e1", 10.0),
    "timeouts.dream": ("900", 900.0, " 0.5 ", 0.5),
    "timeouts.transfer": ("900", 900.0, "4", 4.0),
    "tls.enabled": ("false", False, "true", True),
    "tls.ca": ('"/a/ca.pem"', "/a/ca.pem", "b.pem", "b.pem"),
    "tls.certificate": ('"/a/c.pem"', "/a/c.pem", "b.pem", "b.pem"),
    "tls.key": ('"/a/k.pem"', "/a/k.pem", "b.pem", "b.pem"),
    "tls.server_name": ('"a.example"', "a.example", "b.example", "b.example"),
    "token": ('"a"', "a", "b", "b"),
    "token_in_plain_text": ("true", True, "NO", False),
    "metadata": (
        '{ x-a = "1, 2", b-bin = "AAEC" }',
        {"x-a": "1, 2", "b-bin": b"\0\1\2"},
        "x-a=1, b-bin=AA==, c=",
        {"x-a": "1", "b-bin": b"\0", "c": ""},
    ),
    "compression": ('"gzip"', "gzip", "none", "none"),
    "retries.attempts": ("5", 5, "1", 1),
    "retries.first_pause": ("0.01", 0.01, "0.02", 0.02),
    "retries.longest_pause": ("7", 7.0, "0.5", 0.5),
    "patience": ("0", 0.0, "inf", math.inf),
    "keepalive": ("10", 10.0, "inf", math.inf),
    "max_message_bytes": ("1_000", 1000, "2_000", 2000),
    "max_in_flight": ("2", 2, "3", 3),
    "max_pixels": ("1_000_000", 10**6, "2", 2),
}
BY_NAME = {setting.name: setting for setting in SETTINGS}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [*(s.variable for s in SETTINGS), "IMPASTO_CLIENT_CONFIG"]:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refused(**options: Any) -> str:
    with pytest.raises(errors.SettingsError) as caught:
        resolve(**options)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


def test_there_is_an_example_of_every_setting() -> None:
    assert set(EXAMPLES) == set(BY_NAME) - {"timeout"}


def as_argument(name: str, value: object) -> dict[str, Any]:
    """The keyword of a client's constructor that gives one setting its value."""
    group, _, member = name.partition(".")
    if name == "tls.enabled":
        return {"tls": TlsOptions()}
    if not member:
        return {name: value}
    kinds: dict[str, Any] = {"timeouts": Timeouts, "tls": TlsOptions, "retries": Retries}
    return {"timeout" if group == "timeouts" else group: kinds[group](**{member: value})}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_argument_goes_before_environment_file_and_default_in_this_order(
    name: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml, in_file, text, in_environment = EXAMPLES[name]
    setting = BY_NAME[name]
    config.write_text(f"{setting.key} = {toml}\n")
    assert value_of(resolve(config=config), setting) == in_file
    monkeypatch.setenv(setting.variable, text)
    assert value_of(resolve(config=config), setting) == in_environment
    assert value_of(resolve(), setting) == in_environment
    argued = resolve(config=config, **as_argument(name, in_file))
    assert value_of(argued, setting) == (True if name == "tls.enabled" else in_file)
    monkeypatch.setenv(setting.variable, "")
    assert value_of(resolve(), setting) == value_of(Settings(), setting)


def test_every_option_of_a_client_is_a_field_of_the_settings_or_names_the_file() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)} - {"address", "timeouts"}
    assert set(Options.__annotations__) == fields | {"timeout", "config"}


def test_an_option_has_the_type_of_its_field_or_is_none() -> None:
    options, held = get_type_hints(Options), get_type_hints(Settings)
    for name in set(options) - {"timeout", "config"}:
        assert set(get_args(options[name])) == {*(get_args(held[name] | None)), type(None)}, name


def test_each_field_is_told_of_in_the_docstring_of_its_class() -> None:
    for kind in (Settings, Timeouts, Retries, TlsOptions):
        for field in dataclasses.fields(kind):
            assert re.search(rf"^        {field.name}: [a-z`].+\.$", kind.__doc__ or "", re.MULTILINE), (
                field.name
            )


def test_a_client_takes_its_settings_and_reads_nothing_else_where_they_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMPASTO_SERVER", "elsewhere:1")
    monkeypatch.setenv("IMPASTO_PATIENCE", "nonsense")
    given = Settings(address="here:1", patience=3)
    with Client(settings=given) as client:
        assert client.settings == given
    with Client("there:2", settings=given, max_in_flight=4) as client:
        assert client.settings == dataclasses.replace(given, address="there:2", max_in_flight=4)
    with pytest.raises(TypeError, match="config has no meaning beside settings"):
        Client(settings=given, config="production.toml")


def test_an_argument_that_there_is_not_is_a_type_error_with_those_there_are() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'timout'; there are timeout, tls"):
        Client(timout=3)  # type: ignore[call-arg]


def test_one_timeout_is_for_every_kind_of_call_and_a_kinds_own_goes_before_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve(timeout=7).timeouts == Timeouts.of(7)
    config.write_text("timeout = 5\n[timeouts]\ndream = 50\nstatus = 1\n")
    assert resolve(config=config).timeouts == dataclasses.replace(Timeouts.of(5), dream=50, status=1)
    monkeypatch.setenv("IMPASTO_TIMEOUT_STATUS", "2")
    assert resolve(config=config).timeouts == dataclasses.replace(Timeouts.of(5), dream=50, status=2)
    monkeypatch.setenv("IMPASTO_TIMEOUT", "9")
    assert resolve(config=config).timeouts == dataclasses.replace(Timeouts.of(9), status=2)
    assert resolve(config=config, timeout=Timeouts(dream=1)).timeouts == Timeouts(dream=1)


ANY_TIME = strategies.floats(0, MOST_SECONDS, exclude_min=True) | strategies.just(math.inf)


@given(strategies.sampled_from(KINDS), ANY_TIME)
def test_a_timeout_without_end_is_none_to_grpc(kind: Any, seconds: float) -> None:
    found = Timeouts(**{kind: seconds}).for_(kind)
    assert found == (None if math.isinf(seconds) else seconds)


def test_tls_is_switched_on_by_each_of_its_settings_and_off_by_the_one_that_says_so(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve().tls is None
    config.write_text('[tls]\nca = "sub/ca.pem"\nserver_name = "a"\n')
    of_file = TlsOptions(ca=str(config.parent / "sub" / "ca.pem"), server_name="a")
    assert resolve(config=config).tls == of_file
    monkeypatch.setenv("IMPASTO_TLS_SERVER_NAME", "b")
    assert resolve(config=config).tls == dataclasses.replace(of_file, server_name="b")
    monkeypatch.setenv("IMPASTO_TLS", "no")
    assert resolve(config=config).tls is None
    monkeypatch.delenv("IMPASTO_TLS_SERVER_NAME")
    monkeypatch.setenv("IMPASTO_TLS", "1")
    assert resolve().tls == TlsOptions()


def test_a_variable_that_speaks_of_tls_switches_on_what_the_file_switched_off(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("tls.enabled = false\n")
    assert resolve(config=config).tls is None
    monkeypatch.setenv("IMPASTO_TLS_CA", "ca.pem")
    assert resolve(config=config).tls == TlsOptions(ca="ca.pem")


def test_a_file_of_the_home_may_be_named_with_a_tilde(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config.write_text('tls.ca = "~/ca.pem"\n')
    assert resolve(config=config).tls == TlsOptions(ca="/home/someone/ca.pem")
    config.write_text('tls.ca = "~nobody-of-this-name/ca.pem"\n')
    assert refused(config=config) == (
        f"tls.ca in {config}: '~nobody-of-this-name/ca.pem' is in a home that is not known"
    )


def test_the_persons_own_file_is_read_where_it_is_there(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert resolve().address == "localhost:8500"
    own = tmp_path / "impasto" / "config.toml"
    own.parent.mkdir()
    own.write_text('server = "own:1"\n')
    assert resolve().address == "own:1"
    config.write_text('server = "named:1"\n')
    monkeypatch.setenv("IMPASTO_CLIENT_CONFIG", str(config))
    assert resolve().address == "named:1"
    monkeypatch.setenv("IMPASTO_CLIENT_CONFIG", os.devnull)
    assert resolve().address == "localhost:8500"
    assert resolve(config=own).address == "own:1"


def test_without_xdg_config_home_the_own_file_is_in_the_homes_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / ".config" / "impasto" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('server = "own:1"\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert resolve().address == "own:1"


def test_a_user_without_a_home_has_no_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Path.home does for a user id that the system does not know and no HOME, as in many containers.
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.setattr(Path, "home", no_home)
    assert resolve() == Settings()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("patiense = 3", "patiense in {} is no setting; did you mean patience?"),
        ("zzz = 3", "zzz in {} is no setting; there are server, timeout, timeouts.status,"),
        ("[timeouts]\nspeech = 3", "timeouts.speech in {} is no setting"),
        ("timeouts = 3", "timeouts in {} is no setting"),
        ("[production]\npatience = 3", "production in {} is no setting"),
        (
            "patience = '3'",
            "patience in {}: '3' cannot be used; it must be seconds, 0 or more, at most 1000000;",
        ),
        (f"timeout = {10**400}", "timeout in {}: 1000000"),
        (
            "keepalive = 1e306",
            "keepalive in {}: 1e+306 cannot be used; it must be seconds, 10 or more, at most",
        ),
        ("patience = true", "patience in {}: True cannot be used; it must be seconds"),
        ("patience = nan", "patience in {}: nan cannot be used"),
        ("timeout = 0", "timeout in {}: 0 cannot be used; it must be seconds, more than 0"),
        ("timeouts.dream = -1", "timeouts.dream in {}: -1 cannot be used"),
        ("keepalive = 5", "keepalive in {}: 5 cannot be used; it must be seconds, 10 or more"),
        (
            "max_in_flight = 1.5",
            "max_in_flight in {}: 1.5 cannot be used; it must be a whole number from 1 on",
        ),
        (
            "retries = { attempts = 0 }",
            "retries.attempts in {}: 0 cannot be used; it must be a whole number from 1 on",
        ),
        (
            "retries.first_pause = 0.001",
            "retries.first_pause in {}: 0.001 cannot be used; it must be seconds, 0.01 or",
        ),
        ("retries.longest_pause = inf", "retries.longest_pause in {}: inf cannot be used"),
        ("compression = 'br'", "compression in {}: 'br' cannot be used; it must be `none` or `gzip`"),
        ("server = ''", "server in {}: '' cannot be used; it must be `host:port`"),
        ("tls.enabled = 1", "tls.enabled in {}: 1 cannot be used; it must be true or false"),
        ("tls.ca = ''", "tls.ca in {}: '' cannot be used; it must be the path of a PEM file"),
        ("metadata = 'a=b'", "metadata in {}: what is there cannot be used; it must be lowercase ASCII keys"),
        ("metadata = { a-bin = 'no base64' }", "metadata in {}: what is there cannot be used"),
        ("metadata = { a = 3 }", "metadata in {}: what is there cannot be used"),
        (
            "token = 'a secret'",
            "token in {}: what is there cannot be used; it must be printable ASCII without spaces",
        ),
        ("server = ", "configuration file {} is not TOML: "),
        (
            "\udcff",
            "configuration file {} cannot be read: it is not UTF-8 from byte 0 on, in line 1; save it",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_named_with_the_file_and_the_remedy(
    content: str, words: str, config: Path
) -> None:
    config.write_bytes(content.encode(errors="surrogateescape"))
    message = refused(config=config)
    assert message.startswith(words.format(config))
    assert "secret" not in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refused(config=tmp_path / "gone") == (
        f"configuration file {tmp_path / 'gone'} cannot be read: No such file or directory"
    )
    assert refused(config=tmp_path) == f"configuration file {tmp_path} cannot be read: Is a directory"


# Any text is an address or a path here; what is wrong with it is said when it is used.
UNCHECKED = ("address", "tls.ca", "tls.certificate", "tls.key", "tls.server_name")


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in UNCHECKED])
def test_what_a_variable_cannot_hold_is_named_with_the_variable_and_the_remedy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = BY_NAME[name]
    monkeypatch.setenv(setting.variable, "not this")
    message = refused()
    shown = "what is there" if setting.secret else "'not this'"
    assert message == f"{setting.variable}: {shown} cannot be used; it must be {setting.form.words}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout: 0 cannot be used; it must be seconds, more than 0"),
        ({"timeout": "5"}, "timeout: '5' cannot be used"),
        ({"timeout": 10**400}, "timeout: 1000000"),
        (
            {"patience": 1e10},
            "patience: 10000000000.0 cannot be used; it must be seconds, 0 or more, at most 1000000",
        ),
        ({"keepalive": -math.inf}, "keepalive: -inf cannot be used"),
        ({"patience": math.nan}, "patience: nan cannot be used"),
        ({"max_in_flight": 0}, "max_in_flight: 0 cannot be used"),
        ({"max_in_flight": True}, "max_in_flight: True cannot be used"),
        ({"max_message_bytes": 2**31}, "max_message_bytes: 2147483648 cannot be used"),
        ({"token": "a\nb"}, "token: what is there cannot be used"),
        ({"metadata": {"X": "1"}}, "metadata: what is there cannot be used"),
        ({"metadata": {"grpc-timeout": "1S"}}, "metadata: what is there cannot be used"),
        ({"metadata": {"a": "é"}}, "metadata: what is there cannot be used"),
        ({"metadata": {"a": b"1"}}, "metadata: what is there cannot be used"),
        ({"metadata": {"a-bin": "1"}}, "metadata: what is there cannot be used"),
        ({"metadata": 3}, "metadata: what is there cannot be used"),
        ({"compression": "br"}, "compression: 'br' cannot be used"),
        ({"retries": 3}, "retries: 3 cannot be used; give a Retries"),
        ({"tls": True}, "tls: True cannot be used; give a TlsOptions"),
        (
            {"token": "a", "metadata": {"authorization": "b"}},
            "token and the metadata's authorization are both given",
        ),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(options: dict[str, Any], words: str) -> None:
    assert refused(**options).startswith(words)
    with pytest.raises(errors.SettingsError):
        Client(**options)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (Timeouts, {"dream": -1}, "timeouts.dream: -1 cannot be used"),
        (Retries, {"attempts": 0}, "retries.attempts: 0 cannot be used"),
        (
            Retries,
            {"first_pause": 3},
            "retries.first_pause: the first pause is 3 s, but the longest is 2 s (",
        ),
        (Settings, {"address": "a b"}, "'a b' in server address 'a b' is not host:port"),
        (Settings, {"timeouts": 3}, "timeouts: 3 cannot be used; give a Timeouts"),
    ],
)
def test_parts_of_the_settings_are_checked_where_they_are_made(
    kind: type, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.SettingsError) as caught:
        kind(**values)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("timeout", "9e9"),
        ("keepalive", "1e306"),
        ("patience", "1e7"),
        ("retries.first_pause", "1e12"),
        ("retries.longest_pause", "1e12"),
    ],
)
def test_a_time_beyond_what_grpc_and_python_can_count_is_refused(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = BY_NAME[name]
    monkeypatch.setenv(setting.variable, text)
    assert refused() == f"{setting.variable}: {text!r} cannot be used; it must be {setting.form.words}"
    assert "at most 1000000" in setting.form.words


@pytest.mark.parametrize("seconds", [MOST_SECONDS, math.inf])
def test_the_longest_times_work_in_both_clients(seconds: float) -> None:
    pauses = Retries(first_pause=MOST_SECONDS, longest_pause=MOST_SECONDS)
    longest = Settings(timeouts=Timeouts.of(seconds), patience=seconds, keepalive=seconds, retries=pauses)

    async def predict(address: str) -> None:
        async with AsyncClient(address, settings=longest) as client:
            await client.predict("m", {})
            await client.predict("m", {}, timeout=seconds)
            await client.wait_ready(timeout=seconds)

    with scripted(lambda *_: prediction()) as server:
        with Client(server.address, settings=longest) as client:
            client.predict("m", {})
            client.predict("m", {}, timeout=seconds)
            client.wait_ready(timeout=seconds)
        asyncio.run(predict(server.address))


FIRST, LONGEST = "IMPASTO_RETRIES_FIRST_PAUSE", "IMPASTO_RETRIES_LONGEST_PAUSE"


@pytest.mark.parametrize(
    ("content", "variables", "words"),
    [
        (
            "",
            {FIRST: "5"},
            f"{FIRST}: the first pause is 5 s, but the longest is 2 s (the default of {LONGEST}); ",
        ),
        (
            "",
            {LONGEST: "0.05"},
            f"the default of {FIRST}: the first pause is 0.1 s, but the longest is 0.05 s ({LONGEST}); ",
        ),
        (
            "retries.longest_pause = 3",
            {FIRST: "5"},
            f"{FIRST}: the first pause is 5 s, but the longest is 3 s (retries.longest_pause in {{}}); ",
        ),
        (
            "[retries]\nfirst_pause = 4",
            {LONGEST: "3"},
            f"retries.first_pause in {{}}: the first pause is 4 s, but the longest is 3 s ({LONGEST}); ",
        ),
    ],
)
def test_pauses_that_do_not_go_together_are_named_with_their_places(
    content: str, variables: dict[str, str], words: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(content)
    for variable, text in variables.items():
        monkeypatch.setenv(variable, text)
    message = refused(config=config)
    assert message == words.format(config) + "shorten the first or lengthen the longest"


LOCAL = [
    "localhost",
    "127.0.0.1:9",
    "127.3.2.1",
    "[::1]:1",
    "unix:/run/s",
    "unix-abstract:s",
    "dns:///localhost:1",
]
AWAY = [
    "models.example",
    "10.0.0.1",
    "localhost:1,10.0.0.1:2",
    "xds:///m",
    "dns://8.8.8.8/m:1",
    "ipv4:10.0.0.1:1",
]


@pytest.mark.parametrize("address", LOCAL)
def test_a_token_may_go_unencrypted_to_the_same_machine(address: str) -> None:
    assert ("authorization", "Bearer t") in Settings(address=address, token="t").call_metadata()


@pytest.mark.parametrize("address", AWAY)
@pytest.mark.parametrize(
    "credentials",
    [
        {"token": "sesame"},
        {"metadata": {"authorization": "Basic sesame"}},
        {"metadata": {"x-request-id": "1", "x-api-key": "sesame"}},
        {"metadata": {"x-token-bin": b"sesame"}},
    ],
)
def test_a_token_goes_elsewhere_only_encrypted_or_by_permission(
    address: str, credentials: dict[str, Any]
) -> None:
    message = refused(address=address, **credentials)
    assert f"without TLS, everyone on the way to {address} could read it" in message
    assert "IMPASTO_TLS=true" in message
    assert "token_in_plain_text" in message
    assert "sesame" not in message
    Settings(address=address, tls=TlsOptions(), **credentials)
    Settings(address=address, token_in_plain_text=True, **credentials)


CREDENTIALS = [
    *(
        "authorization",
        "proxy-authorization",
        "x-amzn-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "apikey",
    ),
    *("x-goog-iam-authority-selector", "x-goog-iam-authorization-token", "x-csrf-token", "client_secret"),
    *(
        "password",
        "x-passwd",
        "x-pwd",
        "x-auth",
        "x-auth-user",
        "session",
        "x.sid",
        "x-signature",
        "my-key-bin",
    ),
]
OTHERS = ["x-request-id", "traceparent", "baggage", "x-author", "x-passenger", "x-tenant", "x-side", "accept"]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_metadata_with_the_name_of_a_credential_is_treated_as_one(name: str) -> None:
    value = b"sesame" if name.endswith("-bin") else "sesame"
    made = Settings(metadata={name: value})
    assert made.has_credentials
    assert "sesame" not in repr(made)
    message = refused(address="models.example", metadata={name: value})
    assert f"metadata {name}: without TLS, everyone on the way to models.example could read it" in message
    assert "sesame" not in message


@pytest.mark.parametrize("name", OTHERS)
def test_other_metadata_goes_everywhere(name: str) -> None:
    assert not Settings(address="models.example", metadata={name: "1"}).has_credentials


def test_no_traceback_and_no_representation_on_the_way_shows_a_secret(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('token = "sesame"\n[metadata]\nx-api-key = "sesame"\n')
    monkeypatch.setenv("IMPASTO_METADATA", "x-api-key=sesame")
    found = sources.ambient(config=config)
    assert {"token", "metadata"} <= found.keys()
    assert "sesame" not in repr(found)
    bad: list[dict[str, Any]] = [
        {"token": "sesame sesame"},
        {"token": b"sesame"},
        {"metadata": {"X-Key": "sesame"}},
        {"metadata": {"x-key": "sesame\n"}},
        {"metadata": ["sesame"]},
        {"metadata": {"x-key-bin": "sesame"}},
        {"address": "user:sesame@models.example"},
    ]
    for options in bad:
        with pytest.raises(SettingsError) as raised:
            Settings(**options)
        assert "sesame" not in "".join(traceback.format_exception(raised.value))
    for variable, text in (("IMPASTO_METADATA", "sesame"), ("IMPASTO_METADATA", "k-bin=ses@me")):
        monkeypatch.setenv(variable, text)
        with pytest.raises(SettingsError) as raised:
            sources.from_environment()
        assert text not in "".join(traceback.format_exception(raised.value))


def test_tls_from_an_argument_permits_a_token_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_TOKEN", "t")
    assert resolve("models.example", tls=TlsOptions()).token == "t"


def test_settings_do_not_show_their_secrets_and_survive_pickling() -> None:
    made = Settings(token="sesame", metadata={"x-key": "sesame"})
    assert "sesame" not in repr(made)
    assert pickle.loads(pickle.dumps(made)) == made
    assert dataclasses.asdict(made)["token"] == "sesame"


def test_settings_keep_the_metadata_that_they_were_given() -> None:
    metadata: dict[str, str | bytes] = {"a": "1"}
    made = Settings(metadata=metadata)
    metadata["b"] = "2"
    assert made.metadata == {"a": "1"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    strategies.dictionaries(
        strategies.from_regex(r"x-[0-9a-z_.-]{0,8}[0-9a-z]", fullmatch=True).filter(
            lambda k: not k.endswith("-bin")
        ),
        strategies.text(strategies.sampled_from([chr(c) for c in range(32, 127)]), max_size=20),
    )
)
def test_metadata_of_printable_ascii_is_taken_as_it_is(metadata: dict[str, str]) -> None:
    assert dict(Settings(metadata=metadata).call_metadata()) == metadata


def test_the_tables_of_the_document_are_those_of_the_code() -> None:
    """`python tests/support/documents/client_docs.py` writes them anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page)


def test_the_document_speaks_only_of_variables_that_are_read() -> None:
    known = {setting.variable for setting in SETTINGS} | {"IMPASTO_CLIENT_CONFIG"}
    assert set(re.findall(r"IMPASTO_[A-Z_]+", PAGE.read_text(encoding="utf-8"))) == known


def test_the_documents_configuration_file_can_be_used(config: Path) -> None:
    example = PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    config.write_text(example)
    found = resolve(config=config)
    assert found.timeouts == Timeouts(dream=1800)
    assert found.tls == TlsOptions(ca=str(config.parent / "ca.pem"))
    assert found.metadata == {"x-team": "pictures", "trace-bin": b"\0\1\2"}
