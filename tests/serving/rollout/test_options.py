"""The options of the commands that change running servers."""

from __future__ import annotations

from collections.abc import Mapping

import click
import pytest
from click.testing import CliRunner, Result

from impasto.client import TlsOptions
from impasto.client.settings.addresses import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from impasto.serving.rollout.options import RolloutOptions, rollout_options
from impasto.serving.rollout.whereabouts import MODELS_VARIABLE

OFF = repr(None)


@click.command()
@rollout_options
def tls_in_force(*, options: RolloutOptions) -> None:
    """Print the TLS that the options ask for."""
    click.echo(repr(options.tls))


def run(*words: str, **environment: str) -> Result:
    unset = dict.fromkeys(("IMPASTO_TLS", "IMPASTO_TLS_CA", "IMPASTO_TLS_SERVER_NAME"))
    return CliRunner().invoke(tls_in_force, ["--config=f", *words], env={**unset, **environment})


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ([], {}, OFF),
        (["--tls"], {}, repr(TlsOptions())),
        (["--tls-ca=ca.pem"], {}, repr(TlsOptions(ca="ca.pem"))),
        (["--tls-ca="], {}, OFF),
        ([], {"IMPASTO_TLS": "true"}, repr(TlsOptions())),
        ([], {"IMPASTO_TLS": ""}, OFF),
        ([], {"IMPASTO_TLS_CA": "ca.pem"}, repr(TlsOptions(ca="ca.pem"))),
        ([], {"IMPASTO_TLS": "false", "IMPASTO_TLS_CA": "ca.pem"}, OFF),
        (["--no-tls"], {"IMPASTO_TLS": "true", "IMPASTO_TLS_CA": "ca.pem"}, OFF),
        (["--no-tls", "--tls-ca=ca.pem"], {}, OFF),
        (["--tls-ca=ca.pem"], {"IMPASTO_TLS": "false"}, repr(TlsOptions(ca="ca.pem"))),
        (
            ["--tls-server-name=s"],
            {"IMPASTO_TLS": "false", "IMPASTO_TLS_CA": "ca.pem"},
            repr(TlsOptions(ca="ca.pem", server_name="s")),
        ),
    ],
)
def test_tls_comes_from_the_command_line_before_the_environment(
    words: list[str], environment: Mapping[str, str], expected: str
) -> None:
    assert run(*words, **environment).output.strip() == expected


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "86401", "soon"])
def test_a_timeout_is_a_number_of_seconds_up_to_a_day(seconds: str) -> None:
    refused = run(f"--timeout={seconds}")
    assert refused.exit_code == 2
    assert "--timeout" in refused.output


def test_the_help_names_the_defaults_in_force() -> None:
    text = " ".join(run("--help").output.split())
    assert f"[default: {ADDRESS_VARIABLE} or {DEFAULT_ADDRESS}]" in text
    assert f"{MODELS_VARIABLE} or ../models" in text
