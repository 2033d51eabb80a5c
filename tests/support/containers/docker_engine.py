"""The Docker engine of this machine: whether there is one, and its commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

ENGINE: Final = (25, 0)
"""The first with `start_interval`, as docker/README.md states."""

COMPOSE: Final = (2, 24)
"""The first with `!reset`."""


def docker(
    *arguments: str,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """What a docker command prints on standard output.

    Raises:
        AssertionError: it failed and `check` is set; with all that it printed.
    """
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, env=environment, check=False, timeout=600
    )
    output = done.stdout.decode()
    if check and done.returncode:
        raise AssertionError(
            f"docker {' '.join(arguments)}: {done.returncode}\n{output}{done.stderr.decode()}"
        )
    return output


def why_not() -> str | None:
    """Why containers cannot be started here; None where they can."""
    if shutil.which("docker") is None:
        return "the docker command is not installed"
    for what, oldest, arguments in (
        ("a Docker engine", ENGINE, ["version", "--format", "{{.Server.Version}}"]),
        ("docker's compose plugin", COMPOSE, ["compose", "version", "--short"]),
    ):
        asked = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        if asked.returncode:
            reason = (asked.stderr.strip() or "no answer").splitlines()[0]
            return f"{what} {'.'.join(map(str, oldest))} or newer does not answer: {reason}"
        found = tuple(int(part) for part in re.findall(r"\d+", asked.stdout)[:2])
        if found < oldest:
            return f"{what} is {asked.stdout.strip()}, older than {'.'.join(map(str, oldest))}"
    return None
