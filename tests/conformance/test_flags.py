"""The flags that tensorflow_model_server lists are those that the local server takes, with the same kinds of values."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import click
import pytest
from click.testing import CliRunner

from both_servers.conformance import Case, compare
from both_servers.differences import WRONG_FLAG
from impasto.serving.cli import local
from servers.model_server_facts import FLAGS
from servers.model_servers import VARIABLE, needs_real

pytestmark = needs_real

VERSION = Case("flags: --version", lambda: "")
WRONG = Case(WRONG_FLAG, lambda: "")

GOOD = {"int32": "1", "int64": "1", "float": "0.5", "bool": "true", "string": ""}
BAD = {"int32": "one", "int64": "1.5", "float": "half", "bool": "maybe"}
BEYOND = {"int32": str(2**31), "int64": str(2**63)}


def real(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The real server with arguments with which it does not start."""
    command = [*shlex.split(os.environ[VARIABLE]), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.fixture(scope="module")
def kinds() -> dict[str, str]:
    """The kind of each flag, as --help says it."""
    listed = re.findall(r"^\s+--(\w+)=.*?\t(\w+)\t", real("--help").stdout, re.MULTILINE)
    assert len(listed) > 40
    return dict(listed)


def takes(flag: str) -> bool:
    """Whether the local server's command line takes it."""
    try:
        local.make_context("local", [flag], resilient_parsing=False).close()
    except click.exceptions.Exit:
        return True  # --version
    except click.UsageError:
        return False
    return True


def test_the_flags_that_the_tests_of_the_containers_know_are_those_of_help(kinds: dict[str, str]) -> None:
    assert kinds == FLAGS


def test_the_local_server_takes_every_flag(kinds: dict[str, str]) -> None:
    refused = [name for name, kind in kinds.items() if not takes(f"--{name}={GOOD[kind]}")]
    assert refused == []


def test_the_local_server_refuses_every_value_of_another_kind(kinds: dict[str, str]) -> None:
    wrong = [
        f"--{name}={values[kind]}"
        for name, kind in kinds.items()
        for values in (BAD, BEYOND)
        if kind in values
    ]
    assert len(wrong) > 50
    assert [flag for flag in wrong if takes(flag)] == []


@pytest.mark.parametrize(
    "flag",
    [
        "--port=one",
        "--grpc_max_threads=2147483648",
        "--load_retry_interval_micros=1.5",
        "--per_process_gpu_memory_fraction=half",
        "--enable_batching=maybe",
        "--no_such_flag=1",
    ],
)
def test_what_is_no_flag_or_no_value_is_refused_by_both(flag: str) -> None:
    assert not takes(flag)
    ours = CliRunner().invoke(local, [flag])
    compare(
        WRONG,
        real=f"exit {real(flag).returncode}",
        local=f"exit {ours.exit_code}",
    )


def test_both_tell_their_version_and_end() -> None:
    ended = real("--version")
    said = re.sub(r"\d[\w.+-]*", "N", "".join(re.findall(r"^TensorFlow.*\n", ended.stdout, re.MULTILINE)))
    ours = CliRunner().invoke(local, ["--version"])
    compare(
        VERSION,
        real=f"exit {ended.returncode}: {' '.join(said.split())}",
        local=f"exit {ours.exit_code}: {' '.join(re.sub(r'[0-9][0-9A-Za-z.+-]*', 'N', ours.output).split())}",
    )
