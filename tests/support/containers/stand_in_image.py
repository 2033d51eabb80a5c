"""An image that stands in for TensorFlow Serving's and for the exporters', made of this machine: nothing is downloaded.

The image holds a shell, a few commands, and links as this machine's root has them. Libraries, the Python that runs the
tests, its packages and the sources are this machine's own folders, mounted read-only where they lie.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any, Final

from containers.docker_engine import docker

REPOSITORY: Final = Path(__file__).resolve().parents[3]
IMAGE: Final = "impasto/stand-in:test"

_COMMANDS: Final = ("bash", "cat", "env", "sleep", "timeout", "touch", "tr")
_SOURCES: Final = ("client/src", "export/src", "serving/src", "tests/support")

_ENVIRONMENT: Final = Path(os.path.realpath(sys.prefix))
_PYTHON: Final = _ENVIRONMENT / "bin" / Path(sys.executable).name

VARIABLES: Final = {
    "PATH": f"{_ENVIRONMENT}/bin:/usr/bin",
    "PYTHONPATH": ":".join(str(REPOSITORY / source) for source in _SOURCES),
    "PYTHONDONTWRITEBYTECODE": "1",
    "HOME": "/tmp",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

_SERVER: Final = f"""#!/bin/bash
exec {_PYTHON} -m containers.stand_in_server "$@"
"""


def build() -> str:
    """Import the image into the engine; its name."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("bin", "lib", "lib64"):
            _add_like_here(tar, Path("/") / name)
        for command in _COMMANDS:
            _add(tar, f"usr/bin/{command}", Path(_found(command)).read_bytes(), 0o755)
        if Path(sys.base_prefix) == Path("/usr"):
            interpreter = Path(os.path.realpath(sys.executable))
            _add(tar, str(interpreter).lstrip("/"), interpreter.read_bytes(), 0o755)
        _add(tar, "usr/bin/tensorflow_model_server", _SERVER.encode(), 0o755)
        _add(tar, "etc/ld.so.cache", Path("/etc/ld.so.cache").read_bytes(), 0o644)
        _add(tar, "etc/passwd", b"root:x:0:0::/:/bin/bash\n", 0o644)
        # A restarted container gives its tmpfs the mode that the folder has in the image.
        _add_folder(tar, "tmp", 0o1777)
    docker("import", "--change", "WORKDIR /work", "-", IMAGE, stdin=archive.getvalue())
    return IMAGE


def mounts() -> list[dict[str, Any]]:
    """The folders of this machine that a container of the image needs, as compose writes them."""
    folders = {Path("/usr/lib"), Path("/usr/lib64"), Path(sys.base_prefix), _ENVIRONMENT, REPOSITORY}
    return [
        {"type": "bind", "source": str(folder), "target": str(folder), "read_only": True}
        for folder in sorted(folders - {Path("/usr")})
        if folder.is_dir() and not folder.is_symlink()
    ]


def _found(command: str) -> str:
    path = shutil.which(command)
    if path is None:
        raise FileNotFoundError(f"the stand-in image needs the command {command}")
    return os.path.realpath(path)


def _add_like_here(tar: tarfile.TarFile, path: Path) -> None:
    """A link into /usr, as all distributions have it now."""
    if not path.is_symlink():
        raise NotImplementedError(f"{path} is no link into /usr here; the stand-in image needs a merged /usr")
    link = tarfile.TarInfo(path.name)
    link.type, link.linkname = tarfile.SYMTYPE, str(path.readlink()).lstrip("/")
    tar.addfile(link)


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    tar.addfile(folder)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    file = tarfile.TarInfo(name)
    file.size, file.mode = len(content), mode
    tar.addfile(file, io.BytesIO(content))
