"""The checks before a configuration is sent to running servers.

A reload that names a model which a server does not have yet waits until that model is loaded, and the reloads after it
wait behind it. So a configuration is sent only if every model in it is served by every server already, or was checked
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError
from impasto.serving.fleet import Fleet
from impasto.serving.load_check import VersionOnDisk
from impasto.serving.model_config import models_of
from impasto.serving.version_checks import Check
from impasto.serving.whereabouts import Whereabouts


@dataclass(frozen=True)
class RolloutCheck:
    """The check of the configurations of one rollout.

    Attributes:
        fleet: the servers.
        whereabouts: where their models are on this machine.
        check: how versions are checked.
        unchecked: send models that are nowhere here, too.
    """

    fleet: Fleet
    whereabouts: Whereabouts
    check: Check
    unchecked: bool

    def promotion(self, config: config_pb2.ModelServerConfig, model: str, version: int) -> None:
        """Check the version to be promoted, and each other model that not every server has.

        A version that every server has loaded is not checked: the servers have done it.

        Raises:
            LocalServerError: a version is not there, damaged or cannot be served, or is nowhere here.
            CallError: a server cannot be asked.
        """
        found: list[VersionOnDisk] = []
        for entry in models_of(config):
            available = self.fleet.available(entry.name)
            if entry.name == model:
                if version not in available:
                    found += self._one(entry, version)
            elif not available:
                found += self._all(entry, available)
        self.check.check(found)

    def reload(self, config: config_pb2.ModelServerConfig) -> None:
        """Check each version that a configuration asks for and not every server has.

        The errors are those of `promotion`.
        """
        found: list[VersionOnDisk] = []
        for entry in models_of(config):
            found += self._all(entry, self.fleet.available(entry.name))
        self.check.check(found)

    def _one(self, entry: config_pb2.ModelConfig, version: int) -> Iterator[VersionOnDisk]:
        folder = self.whereabouts.folder(entry)
        if folder is None:
            self._nowhere(
                entry, f"version {version} of {entry.name}", known=bool(self.fleet.available(entry.name))
            )
        else:
            yield VersionOnDisk(entry.name, version, self.whereabouts.version(entry.name, version, folder))

    def _all(self, entry: config_pb2.ModelConfig, available: set[int]) -> Iterator[VersionOnDisk]:
        named = set(entry.model_version_policy.specific.versions)
        if named and named <= available:
            return
        folder = self.whereabouts.folder(entry)
        if folder is None:
            self._nowhere(entry, f"the newest of {entry.name}", known=bool(available))
            return
        for version, directory in self.whereabouts.missing(entry, folder, available).items():
            yield VersionOnDisk(entry.name, version, directory)

    def _nowhere(self, entry: config_pb2.ModelConfig, what: str, *, known: bool) -> None:
        """Say that something was not checked, or refuse to send it. Raises ConfigError."""
        remedy = (
            f"{entry.base_path} is not on this machine. Name a repository with the same versions with --models DIR, "
            "and they are checked there"
        )
        if known or self.unchecked:
            self.check.say(f"{what} was not checked: {remedy}.")
            return
        raise ConfigError(
            f"{what} cannot be checked: {remedy}. Not every server has {entry.name} yet, and one that cannot load it "
            "would take no further configuration; --unchecked sends it all the same"
        )
