"""The checks of versions before a server hears of them: their files, and that they load and answer.

A reload that names a model which a server does not have yet waits until that model is loaded, and later reloads wait
behind it. So a configuration is sent only if every model in it is already served by every server, or was checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client.repository import manifest
from impasto.serving.errors import ConfigError, VersionCheckError
from impasto.serving.model_config import models_of
from impasto.serving.rollout.fleet import Fleet
from impasto.serving.rollout.load_check import Loaded, VersionOnDisk, load_each
from impasto.serving.rollout.whereabouts import Whereabouts


@dataclass(frozen=True)
class VersionChecks:
    """The checks of single versions.

    Attributes:
        load: load the versions in another process, one for all of them, and call each once; otherwise only compare
            their files.
        timeout: the seconds that loading and calling one version may take.
        say: prints the steps and the findings.
    """

    load: bool
    timeout: float
    say: Callable[[str], None]

    def check(self, versions: Sequence[VersionOnDisk]) -> None:
        """Check versions: first the files of all, then whether each can be loaded and called.

        Raises:
            VersionCheckError: a version is damaged, cannot be served, or differs from its model's contract.
        """
        files = {version: _check_files(version) for version in versions}
        if not self.load:
            for version, words in files.items():
                self.say(f"{version} in {version.directory}: {words}; not loaded (--no-load)")
            return
        if versions:
            listed = ", ".join(map(str, versions))
            self.say(f"Checking {listed}: TensorFlow loads them here first, which takes a moment.")
        for version, loaded in load_each(versions, timeout=self.timeout):
            _check_loaded(version, loaded)
            self.say(f"{version} in {version.directory}: {files[version]}, {_calls(loaded)}")


@dataclass(frozen=True)
class RolloutChecks:
    """The checks of the configurations of one rollout.

    Attributes:
        fleet: the servers.
        whereabouts: the places of their models on this machine.
        versions: the checks of single versions.
        unchecked: send models that are not on this machine, too.
    """

    fleet: Fleet
    whereabouts: Whereabouts
    versions: VersionChecks
    unchecked: bool

    def promotion(self, config: config_pb2.ModelServerConfig, model: str, version: int) -> None:
        """Check the version to be promoted, and each other model that not every server has.

        A version that every server has loaded needs no check.

        Raises:
            LocalServerError: a version is damaged, cannot be served, or is not on this machine.
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
        self.versions.check(found)

    def reload(self, config: config_pb2.ModelServerConfig) -> None:
        """Check each version that a configuration asks for and not every server has.

        The errors are those of `promotion`.
        """
        found: list[VersionOnDisk] = []
        for entry in models_of(config):
            found += self._all(entry, self.fleet.available(entry.name))
        self.versions.check(found)

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
        """Print that a version was not checked, or refuse to send it with a ConfigError."""
        remedy = (
            f"{entry.base_path} is not on this machine. Name a repository with the same versions with --models DIR, "
            "and they are checked there"
        )
        if known or self.unchecked:
            self.versions.say(f"{what} was not checked: {remedy}.")
            return
        raise ConfigError(
            f"{what} cannot be checked: {remedy}. Not every server has {entry.name} yet, and one that cannot load it "
            "would take no further configuration; --unchecked sends it all the same"
        )


def _check_files(version: VersionOnDisk) -> str:
    """Compare a version with its manifest, and return the result in words or raise VersionCheckError."""
    if not (version.directory / manifest.MANIFEST_NAME).exists():
        return "no manifest to compare the files with"
    found = manifest.compare(version.directory)
    if not found.ok:
        raise VersionCheckError(
            f"{version} is not what its manifest says ({version.directory}): {found}. "
            "Export the version again, or copy it again from where it was published"
        )
    return "the files are those of its manifest"


def _check_loaded(version: VersionOnDisk, loaded: Loaded) -> None:
    if loaded.error is not None:
        raise VersionCheckError(
            f"{version} cannot be served ({version.directory}): {loaded.error.rstrip('.')}. No server was told of it. "
            "Export it again, or use --no-load if a server has what is missing here"
        )
    faults = [
        *loaded.differences,
        *(f"signature {name!r} is missing" for name in _broken_promises(version, loaded)),
    ]
    if faults:
        raise VersionCheckError(
            f"{version} does not keep the contract of {version.model}, by which clients call it "
            f"({version.directory}): {'; '.join(faults)}. No server was told of it. Export it with the "
            "present impasto-export, or use --no-load to serve it all the same"
        )


def _broken_promises(version: VersionOnDisk, loaded: Loaded) -> list[str]:
    """Return the signatures that a version's manifest names, if there is one, and the version lacks."""
    try:
        promised = manifest.Manifest.read(version.directory).signatures
    except manifest.ManifestError:
        return []
    return sorted(set(promised) - set(loaded.signatures))


def _calls(loaded: Loaded) -> str:
    if not loaded.signatures:
        return "it loads, but it has no signatures, so no client can call it: save it with signatures=..."
    what = f"it loads, {len(loaded.signatures)} signature(s)"
    if loaded.records:
        return f"{what}, {loaded.records} warm-up record(s) ran"
    if loaded.called:
        return f"{what}, called: {', '.join(loaded.called)}"
    return f"{what}; not called, as it has no warm-up records"
