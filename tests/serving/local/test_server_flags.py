"""Every flag of tensorflow_model_server on the local server's command line: its kind of value, or why it is ignored."""

from __future__ import annotations

from importlib import metadata
from typing import Final

import pytest
from click.testing import CliRunner, Result

from impasto.serving.cli import local, main
from impasto.serving.local.flags import IGNORED
from servers.model_server_facts import FLAGS

GOOD: Final = {
    "bool": ("true", "false", "True", "FALSE", "1", "0"),
    "int32": ("1", "65535"),
    "int64": ("1", "99999999999", "-5"),
    "float": ("0.5", "1e-1", "1"),
}
BAD: Final = {
    "bool": ("yes", "t", "2", ""),
    "int32": ("x", "1.5", "", "99999999999"),
    "int64": ("x", "1.5", "", "9223372036854775808"),
    "float": ("x", ""),
}


def run(*flags: str) -> Result:
    """The command with these flags. It does not serve: `--version` comes last."""
    return CliRunner().invoke(main, ["local", *flags, "--version"])


def test_every_flag_of_tensorflow_model_server_is_known() -> None:
    assert {name for parameter in local.params for name in parameter.opts} >= {f"--{flag}" for flag in FLAGS}
    assert set(IGNORED) < set(FLAGS)


@pytest.mark.parametrize("flag", sorted(set(FLAGS) - {"version"}))
def test_a_flag_takes_values_of_its_kind_and_no_others(flag: str) -> None:
    if FLAGS[flag] == "string":
        allowed = {"grpc_channel_arguments": "grpc.max_connection_age_ms=1"}.get(flag, "anything")
        more = ["--enable_batching"] if flag == "batching_parameters_file" else []
        assert run(f"--{flag}={allowed}", f"--{flag}=", *more).exit_code == 0
        return
    for value in GOOD[FLAGS[flag]]:
        assert run(f"--{flag}={value}").exit_code == 0, value
    for value in BAD[FLAGS[flag]]:
        assert run(f"--{flag}={value}").exit_code == 2, value


def test_the_version_is_a_switch_too() -> None:
    for value, code in (("True", 0), ("1", 0), ("yes", 2)):
        assert CliRunner().invoke(main, ["local", f"--version={value}"]).exit_code == code


@pytest.mark.parametrize("flag", sorted(name for name, kind in FLAGS.items() if kind == "bool"))
def test_a_switch_needs_no_value(flag: str) -> None:
    assert run(f"--{flag}").exit_code == 0


def test_the_versions_are_said_in_two_lines_and_nothing_is_served() -> None:
    done = CliRunner().invoke(main, ["local", "--models=/nowhere", "--version"])
    assert done.exit_code == 0
    assert done.output == (
        f"TensorFlow ModelServer: {metadata.version('tensorflow-serving-api')}"
        f"+impasto.{metadata.version('impasto-serving')}\n"
        f"TensorFlow Library: {metadata.version('tensorflow')}\n"
    )


def test_an_ignored_flag_is_named_with_its_reason() -> None:
    flags = ["--rest_api_timeout_in_ms=5000", "--tensorflow_intra_op_parallelism=1", "--enable_profiler"]
    done = CliRunner().invoke(main, ["local", "--models=/nowhere", *flags])
    assert done.exit_code == 2
    for flag in ("rest_api_timeout_in_ms", "tensorflow_intra_op_parallelism", "enable_profiler"):
        assert f"--{flag} is ignored: {IGNORED[flag].reason}." in done.output


@pytest.mark.parametrize("flag", ["-port=1", "--rest-api-port=1", "--bogus", "--noenable_batching"])
def test_other_spellings_are_refused(flag: str) -> None:
    assert run(flag).exit_code == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--batching_parameters_file=f"], "--batching_parameters_file needs --enable_batching"),
        (["--use_alts_credentials", "--ssl_config_file=f"], "exclude each other"),
        (
            [f"--tensorflow_{kind}_parallelism=1" for kind in ("session", "intra_op", "inter_op")],
            "exclude each other",
        ),
    ],
    ids=["batching", "credentials", "threads"],
)
def test_what_tensorflow_model_server_refuses_together_is_refused(flags: list[str], words: str) -> None:
    done = run(*flags)
    assert done.exit_code == 2
    assert words in done.output
    for number in range(len(flags)):
        rest = flags[:number] + flags[number + 1 :]
        assert run(*rest).exit_code == 0
