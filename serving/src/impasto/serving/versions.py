"""The models and versions of a repository `<root>/<name>/<version>/`, and those that a policy asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import RepositoryError

_VERSION: Final = re.compile(r"\d{1,19}", re.ASCII)
_LARGEST_VERSION: Final = 2**63 - 1

_FILE: Final = "file://"
"""The one scheme of a base path that needs no other file system than the machine's."""


def scan_repository(root: Path, *, only: Sequence[str] | None = None) -> dict[str, dict[int, Path]]:
    """Return the version directories of each model of a repository, by name and by version.

    A model is a folder of `root` whose name does not start with a dot; a version is a folder in it whose name
    is a whole number, as TensorFlow Serving reads it. A model without versions is listed with none.

    Args:
        root: the repository.
        only: the models to list; all of them if None.

    Raises:
        RepositoryError: `root` is not a folder or cannot be read, or a model of `only` is not in it.
    """
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise RepositoryError(
            f"models: {root} {what}. Give the folder that holds <model>/<version>/saved_model.pb; "
            "`impasto-export` makes one."
        )
    try:
        names = sorted(
            entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
        found = {name: model_versions(root / name) for name in names if only is None or name in only}
    except OSError as error:
        raise RepositoryError(
            f"models: {error.filename} cannot be read ({error.strerror}). Give this user the right to read it."
        ) from error
    missing = [name for name in only or () if name not in found]
    if missing:
        raise RepositoryError(
            f"only: {root} has no model {', '.join(map(repr, missing))}; it has {_listing(names)}. "
            "Export the model or correct its name."
        )
    return found


def model_versions(directory: Path) -> dict[int, Path]:
    """Return the version directories of one model, oldest first.

    Where two names give the same number (`1`, `01`) the last in the alphabet is taken.

    Raises:
        OSError: the directory cannot be read.
    """
    numbered = {
        int(entry.name): entry
        for entry in sorted(directory.iterdir())
        if _VERSION.fullmatch(entry.name) and int(entry.name) <= _LARGEST_VERSION and entry.is_dir()
    }
    return dict(sorted(numbered.items()))


def aspired_versions(model: config_pb2.ModelConfig) -> dict[int, Path]:
    """Return the versions on disk that should be served, with their directories.

    The policy asks for the newest `num_versions` (one by default), for all of them, or for the listed ones; listed
    versions that are not on disk are left out.

    Raises:
        OSError: the base path does not exist or cannot be read.
    """
    found = model_versions(Path(model.base_path.removeprefix(_FILE)))
    policy = model.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return found
    if choice == "specific":
        return {version: path for version, path in found.items() if version in policy.specific.versions}
    newest = sorted(found, reverse=True)[: max(1, policy.latest.num_versions)]
    return {version: found[version] for version in newest}


def _listing(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) if names else "no models"
