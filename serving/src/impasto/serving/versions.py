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

_SAVED_MODEL: Final = ("saved_model.pb", "saved_model.pbtxt")

_LOOKED_AT: Final = 100
"""The most entries of a folder that a hint looks at."""

_FILE: Final = "file://"
"""The one scheme of a base path that needs no other file system than the machine's."""


def scan_repository(root: Path, *, only: Sequence[str] | None = None) -> dict[str, dict[int, Path]]:
    """Return the version directories of each model of a repository, by name and by version.

    A model is a folder of `root` whose name does not start with a dot and is text that a request can say; a version is
    a folder in it whose name is a whole number, as TensorFlow Serving reads it. A model without versions, or one that
    cannot be read, is listed with none: it does not keep the others back.

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
        names = sorted(entry.name for entry in root.iterdir() if _is_model(entry))
    except OSError as error:
        raise RepositoryError(
            f"models: {error.filename} cannot be read ({error.strerror}). Give this user the right to read it."
        ) from error
    found = {name: _readable_versions(root / name) for name in names if only is None or name in only}
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


def base_folder(model: config_pb2.ModelConfig) -> Path:
    """Return the folder of a model's versions."""
    return Path(model.base_path.removeprefix(_FILE))


def where_versions_are(directory: Path) -> str:
    """Return a hint to put behind a message about a folder without versions: what it holds, and the remedy."""
    try:
        if any((directory / name).is_file() for name in _SAVED_MODEL):
            if _VERSION.fullmatch(directory.name):
                model = directory.parent
                return f": it is a version, and {model} is the model. Give the folder above, {model.parent}"
            return f": it is a SavedModel itself. Move its files into {directory / '1'}"
        inner = next(
            (
                entry
                for entry in sorted(directory.iterdir())[:_LOOKED_AT]
                if _is_model(entry) and _readable_versions(entry)
            ),
            None,
        )
    except OSError:
        return ""
    if inner is not None:
        return (
            f": the versions are one level deeper, such as in {inner}. Give the folder that holds the numbers"
        )
    return f": it has no folder with a whole number for its name, such as {directory / '1'}"


def aspired_versions(model: config_pb2.ModelConfig) -> dict[int, Path]:
    """Return the versions on disk that should be served, with their directories.

    The policy asks for the newest `num_versions` (one by default), for all of them, or for the listed ones; listed
    versions that are not on disk are left out.

    Raises:
        OSError: the base path does not exist or cannot be read.
    """
    found = model_versions(base_folder(model))
    policy = model.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return found
    if choice == "specific":
        return {version: path for version, path in found.items() if version in policy.specific.versions}
    newest = sorted(found, reverse=True)[: max(1, policy.latest.num_versions)]
    return {version: found[version] for version in newest}


def _is_model(entry: Path) -> bool:
    try:
        entry.name.encode()
        return not entry.name.startswith(".") and entry.is_dir()
    except (OSError, UnicodeEncodeError):  # a folder of bytes that are no text, which no request can name
        return False


def _readable_versions(directory: Path) -> dict[int, Path]:
    try:
        return model_versions(directory)
    except OSError:
        return {}


def _listing(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) if names else "no models"
