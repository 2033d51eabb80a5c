"""One virtual environment for each client library, so that each is measured with what it draws in and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


@dataclass(frozen=True)
class Library:
    """A client library under measurement.

    Attributes:
        name: of the library, and of its environment's folder.
        requirements: what pip installs for it.
        module: what a program imports to use it.
        worker: the script that does its tasks.
        upscale: its command line that doubles a picture, with `{python}`, `{bin}`, `{address}`, `{version}`,
            `{source}` and `{target}` to fill in.
    """

    name: str
    requirements: tuple[str, ...]
    module: str
    worker: Path
    upscale: tuple[str, ...]


def _script(name: str) -> tuple[str, ...]:
    return ("{python}", str(HERE / "clients" / name), "{address}", "{version}", "{source}", "{target}")


LIBRARIES = (
    Library(
        "impasto",
        (f"impasto-client[cli] @ {(REPOSITORY / 'client').as_uri()}",),
        "impasto.client",
        HERE / "clients" / "with_impasto.py",
        ("{bin}/impasto", "upscale", "{source}", "-o", "{target}", "--server", "{address}"),
    ),
    Library(
        "tensorflow-serving-api",
        ("tensorflow-serving-api==2.21.*", "pillow"),
        "tensorflow, tensorflow_serving.apis.predict_pb2",
        HERE / "clients" / "with_tensorflow.py",
        _script("upscale_with_tensorflow.py"),
    ),
    Library(
        "ovmsclient",
        ("ovmsclient==2023.1", "pillow"),
        "ovmsclient",
        HERE / "clients" / "with_ovmsclient.py",
        _script("upscale_with_ovmsclient.py"),
    ),
)


@dataclass
class Environment:
    """A library's environment.

    Attributes:
        library: what is installed in it.
        folder: where it lies.
        failure: why it cannot be used; empty if it can.
        versions: of the packages that matter here.
    """

    library: Library
    folder: Path
    failure: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.folder / "bin"

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.bin / "python")

    def megabytes(self) -> float:
        """The size of what is installed in it, pip left out."""
        (packages,) = self.folder.glob("lib/python*/site-packages")
        files = (
            path
            for path in packages.rglob("*")
            if path.is_file()
            and path.relative_to(packages).parts[0].partition("-")[0] not in ("pip", "setuptools")
        )
        return sum(path.stat().st_size for path in files) / 1e6


def build(library: Library, root: Path) -> Environment:
    """Make the library's environment, or renew it where what should be in it has changed."""
    environment = Environment(library, root / library.name)
    wanted = "\n".join((sys.version, *library.requirements, (REPOSITORY / "constraints.txt").read_text()))
    stamp = environment.folder / "installed.txt"
    try:
        if not stamp.exists() or stamp.read_text() != wanted:
            _run(sys.executable, "-m", "venv", "--clear", str(environment.folder))
            _install(environment, *library.requirements)
            stamp.write_text(wanted)
        elif library.name == "impasto":  # the sources may be others since
            _install(environment, "--force-reinstall", "--no-deps", *library.requirements)
        _run(environment.python, "-c", f"import {library.module}")
        listed = json.loads(_run(environment.python, "-m", "pip", "list", "--format", "json"))
    except subprocess.CalledProcessError as error:
        environment.failure = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        return environment
    of_note = (
        "impasto-client",
        "tensorflow",
        "tensorflow-serving-api",
        "ovmsclient",
        "protobuf",
        "numpy",
        "grpcio",
    )
    environment.versions = {item["name"]: item["version"] for item in listed if item["name"] in of_note}
    return environment


def _install(environment: Environment, *arguments: str) -> None:
    # Everyone gets the pinned versions of what they share: protobuf, numpy, grpcio, pillow.
    constraints = str(REPOSITORY / "constraints.txt")
    _run(environment.python, "-m", "pip", "install", "--quiet", "-c", constraints, *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
