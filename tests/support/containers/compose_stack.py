"""The shipped compose files, brought up on this machine's engine with the stand-in image."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from containers import stand_in_image
from containers.compose_files import DOCKER
from containers.docker_engine import docker

USER: Final = os.getuid() or 65532
"""The user of the containers: the one who runs the tests, or the shipped one where that is root."""

REAL: Final = "IMPASTO_TEST_DOCKER_SERVING"
"""The variable that names an image of TensorFlow Serving, which then serves in the stand-in's place."""

STUDIO_TOKEN: Final = "a token of the tests"

_SHIPPED: Final = ("compose.yaml", "compose.cpu.yaml")


class Stack:
    """One project of compose, with folders of its own for models and configuration.

    Args:
        folder: an empty folder for all that it needs; `write_config` makes the one of the configuration.
    """

    def __init__(self, folder: Path) -> None:
        self.models, self.config, self._build = folder / "models", folder / "config", folder / "build"
        for path in (self.models, self._build):
            path.mkdir()
        self.project = f"impasto-test-{os.getpid()}"
        self.port = _free_ports(2)
        self.studio_port = _free_ports(1)
        self._override = folder / "stand-in.json"
        self._override.write_text(json.dumps(_override()))
        self.variables = {
            "IMPASTO_MODELS": str(self.models),
            "IMPASTO_CONFIG": str(self.config),
            "IMPASTO_BUILD": str(self._build),
            "IMPASTO_PORT": str(self.port),
            "IMPASTO_STUDIO_PORT": str(self.studio_port),
            "IMPASTO_STUDIO_TOKEN": STUDIO_TOKEN,
            "IMPASTO_UID": str(USER),
            "IMPASTO_GID": str(os.getgid() or USER),
        }

    @property
    def address(self) -> str:
        """Where gRPC of a single replica is published."""
        return f"127.0.0.1:{self.port}"

    def compose(self, *arguments: str, check: bool = True, variables: Mapping[str, str] | None = None) -> str:
        """What `docker compose` prints, with the shipped files and the stand-in over them."""
        files = [option for name in _SHIPPED for option in ("-f", str(DOCKER / name))]
        return docker(
            *("compose", "-p", self.project, *files, "-f", str(self._override), *arguments),
            environment={**os.environ, **self.variables, **(variables or {})},
            check=check,
        )

    def up(self, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        """As the README says it."""
        self.compose("up", "-d", "--wait", *arguments, variables=variables)

    def export(self, *command: str) -> str:
        """A command in a container of the service `export`."""
        return self.compose("run", "--rm", "--no-TTY", "export", *command)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine knows of a service's containers."""
        names = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *names)) if names else []
        return found

    def inside(self, service: str, script: str, *, check: bool = True) -> str:
        """What a script of bash prints in a running container."""
        return self.compose("exec", "--no-TTY", service, "/bin/bash", "-c", script, check=check)

    def write_config(self, *options: str, umask: int = 0o022) -> str:
        """What `impasto-serving config` says, run on this machine for the models that are there."""
        command = [sys.executable, "-m", "impasto.serving", "config", *options]
        folders = ["--models", str(self.models), "--out", str(self.config)]
        done = subprocess.run(
            [*command, *folders], check=True, stdout=subprocess.PIPE, text=True, umask=umask
        )
        return done.stdout

    def give_to_the_containers(self) -> None:
        """Let the containers' user own the folders, as whoever made them would; nothing to do unless run by root."""
        if os.getuid() == 0:
            for root in (self.models, self.config, self._build):
                for path in (root, *root.rglob("*")):
                    os.chown(path, USER, USER)

    def down(self) -> None:
        """Nothing of it is left."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1")


def kill_from_outside(container: dict[str, Any]) -> None:
    """`kill -9` by the host: the engine did not ask for it, so its restart policy is in force."""
    script = f"kill -9 {container['State']['Pid']}"
    where = ("--privileged", "--pid=host", "--network=none")
    volumes = [f"--volume={mount['source']}:{mount['target']}:ro" for mount in stand_in_image.mounts()]
    docker("run", "--rm", *where, *volumes, stand_in_image.IMAGE, "/bin/bash", "-c", script)


def _override() -> dict[str, Any]:
    runs = {"image": stand_in_image.IMAGE, "pull_policy": "never", "volumes": stand_in_image.mounts()}
    serves: dict[str, Any] = {**runs, "environment": stand_in_image.VARIABLES}
    # Neither is in an image here; what matters is on which networks they are.
    idles = {
        **runs,
        "entrypoint": ["/bin/sleep", "infinity"],
        "command": [],
        "healthcheck": {"disable": True},
    }
    studio = {**serves, "entrypoint": ["impasto", "studio", "--host", "0.0.0.0"]}
    real = os.environ.get(REAL)
    server = {"image": real} if real else serves
    services = {"serving": server, "export": serves, "studio": studio, "prometheus": idles, "grafana": idles}
    return {"services": services}


def _free_ports(count: int) -> int:
    """The first of some ports in a row on which nothing listens."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
        if all(_is_free(port + offset) for offset in range(count)):
            return port
    raise OSError(f"no {count} free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True
