"""Checking versions before a server hears of them: their files, and that they load and answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from impasto.client.manifest import MANIFEST_NAME, Manifest, ManifestError
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.version_files import compare
from impasto.serving.errors import LocalServerError
from impasto.serving.load_check import Loaded, VersionOnDisk, load_each


class VersionCheckError(LocalServerError):
    """A version is not what it should be; no server was told of it."""


@dataclass(frozen=True)
class Check:
    """The way in which versions are checked.

    Attributes:
        load: load each in a process of its own and call it once; otherwise the files alone are compared.
        timeout: seconds that loading and calling one may take.
        say: is told what is done and found.
    """

    load: bool
    timeout: float
    say: Callable[[str], None]

    def check(self, versions: Sequence[VersionOnDisk]) -> None:
        """Check versions, the files of all of them first.

        Raises:
            VersionCheckError: one is damaged, cannot be served, or differs from the contract of its model.
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


def _check_files(version: VersionOnDisk) -> str:
    """Compare a version with its manifest; the result in words. Raises VersionCheckError."""
    if not (version.directory / MANIFEST_NAME).exists():
        return "no manifest to compare the files with"
    found = compare(version.directory)
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
    """The signatures that a version has not and must have: the one that is called by default, and its manifest's."""
    promised = {SERVING_DEFAULT} & set(loaded.lacking)
    with contextlib.suppress(ManifestError):  # there is none
        promised |= set(Manifest.read(version.directory).signatures)
    return sorted(promised - set(loaded.signatures))


def _calls(loaded: Loaded) -> str:
    what = f"it loads, {len(loaded.signatures)} signature(s)"
    if loaded.lacking:
        what += f" (of its contract it lacks {', '.join(loaded.lacking)})"
    if loaded.records:
        return f"{what}, {loaded.records} warm-up record(s) ran"
    if loaded.called:
        return f"{what}, called: {', '.join(loaded.called)}"
    return f"{what}; not called, as it has no warm-up records"
