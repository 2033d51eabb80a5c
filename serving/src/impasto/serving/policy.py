"""Which of the versions on disk a model's policy asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.versions import model_versions

_FILE: Final = "file://"
"""The one scheme of a base path that needs no other file system than the machine's."""


def aspired_versions(model: config_pb2.ModelConfig) -> dict[int, Path]:
    """The versions on disk that should be served, with their directories.

    The policy is the newest `num_versions` (one, if nothing is said), all of them, or the specific ones
    listed; those of a list that are not on disk are left out.

    Raises:
        OSError: the base path is not there or cannot be read.
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
