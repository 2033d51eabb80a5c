"""ModelRepository: the versions of every model under one root directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from impasto.client.pictures import sync_folder
from impasto.client.repository.manifest import MANIFEST_NAME, Manifest, ManifestError, utc_now
from impasto.export.repository import tree, versions
from impasto.export.repository.errors import (
    CorruptVersionError,
    ModelNotFoundError,
    PublishError,
    RepositoryError,
    VersionNotFoundError,
)
from impasto.export.repository.staging import PRUNED, locked, remove, staging, sweep
from impasto.export.repository.tree import Writer, directory_writer, version_writer
from impasto.export.repository.versions import Report, Version


class ModelRepository:
    """A directory of models, each a directory of numbered versions, as TensorFlow Serving reads it.

    A version never changes and its number is never used again. It is complete or absent, whatever is killed
    when: it is written aside, hashed, flushed to disk and then renamed. Any number of processes and threads
    may use one repository at once, on one POSIX filesystem that supports flock. Reading takes no lock and
    needs no write permission.

    Args:
        root: the directory; made by the first `publish`.

    Every method that takes a model's name raises ModelNameError if no model can have it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)
        if "\0" in str(self._root):
            raise RepositoryError(f"{str(self._root)!r} cannot be a path: leave the NUL out")

    @property
    def root(self) -> Path:
        """The repository's directory."""
        return self._root

    def models(self) -> tuple[str, ...]:
        """The names of the models that have a version, sorted; none if the root is not there."""
        if not self._root.is_dir():
            return ()
        names = (path.name for path in self._root.iterdir() if versions.is_model_name(path.name))
        return tuple(sorted(name for name in names if versions.versions_in(self._root / name)))

    def versions(self, model: str) -> tuple[Version, ...]:
        """The versions of `model`, ascending; none if there is no such model."""
        return versions.versions_in(self._directory(model))

    def latest(self, model: str) -> Version:
        """The newest version of `model`: the one that a server with the default policy loads.

        Raises:
            ModelNotFoundError: it has none.
        """
        return self.version(model)

    def version(self, model: str, number: int | None = None) -> Version:
        """Version `number` of `model`, or the newest.

        Raises:
            ModelNotFoundError: the model has no version at all.
            VersionNotFoundError: it lacks that one.
        """
        found = {version.number: version for version in self.versions(model)}
        if not found:
            others = ", ".join(self.models()) or "none"
            raise ModelNotFoundError(f"no version of model {model!r} in {self._root}; models there: {others}")
        if number is None:
            return found[max(found)]
        if number not in found:
            there = ", ".join(map(str, found))
            raise VersionNotFoundError(f"model {model!r} has no version {number}; versions there: {there}")
        return found[number]

    def manifest(self, model: str, number: int | None = None) -> Manifest:
        """The manifest of version `number` of `model`, or of the newest.

        Raises:
            ModelNotFoundError, VersionNotFoundError: see `version`.
            CorruptVersionError: the manifest is missing or broken.
        """
        version = self.version(model, number)
        try:
            return Manifest.read(version.path)
        except ManifestError as error:
            versions.check_present(version)
            raise CorruptVersionError(str(error)) from error

    def verify(self, model: str, number: int | None = None) -> Report:
        """Read every byte of version `number` of `model`, or of the newest, and compare with its manifest.

        Raises:
            ModelNotFoundError, VersionNotFoundError: see `version`.
        """
        report = versions.verify(self.version(model, number))
        if not report.ok:
            versions.check_present(report.version)
        return report

    def publish(
        self,
        model: str,
        content: Writer | str | os.PathLike[str],
        *,
        manifest: Manifest | Callable[[Path], Manifest],
    ) -> Version:
        """Make a new version of `model`, numbered one above all that were there.

        Args:
            model: the model's name.
            content: a function that fills the empty directory it is given, or a directory to copy. The
                function runs without any lock and may take hours; if it raises, nothing is left and its
                error passes through.
            manifest: what the version is, for `model`, or a function that tells it from the finished directory; its
                `files` are filled in here.

        Returns:
            The version. Its directories have mode 0755 and its files 0644, whatever the umask, because
            servers run as other users.

        Raises:
            PublishError: `content` gave no file, a link, a special file or a manifest of its own, or is no
                directory; or the largest number is taken.
            ManifestError: the manifest's values are not JSON, or it is for another model.
        """
        directory = self._directory(model)
        if isinstance(manifest, Manifest):
            _check_model(manifest, model)
        write = content if callable(content) else directory_writer(Path(content))
        tree.make_shared(self._root)
        tree.make_shared(directory)
        with staging(directory) as staged:
            write(staged)
            if staged.is_symlink():
                raise PublishError(
                    "the writer put a link in the place of its directory: write the files into it"
                )
            if (staged / MANIFEST_NAME).exists():
                raise PublishError(
                    f"the content holds a {MANIFEST_NAME}, which publishing writes: leave it out"
                )
            files = tree.records(staged)
            told = manifest if isinstance(manifest, Manifest) else manifest(staged)
            _check_model(told, model)
            document = replace(told, files=files).to_json()
            (staged / MANIFEST_NAME).write_text(document, encoding="utf-8")
            tree.share(staged)
            tree.flush_tree(staged)
            with locked(directory):
                return _rename_to_next(staged, directory)

    def prune(self, model: str, *, keep: int) -> tuple[Version, ...]:
        """Delete all but the newest `keep` versions of `model`.

        Each is first renamed to a name that is no version's, so that nobody meets a half-deleted one. The
        newest never goes, so no number comes back. Of a version that is a link only the link goes.

        Returns:
            The deleted versions, ascending; their paths are gone.

        Raises:
            ModelNotFoundError: the model has no version.
            RepositoryError: the model's directory is a link: what it leads to is not the repository's to delete.
            ValueError: `keep` is less than 1.
        """
        if keep < 1:
            raise ValueError(f"keep must be 1 or more, not {keep}: the newest version always stays")
        directory = self.latest(model).path.parent
        if directory.is_symlink():
            raise RepositoryError(
                f"{directory} is a link, and nothing outside the repository is deleted: "
                f"prune the repository that it leads to, {directory.resolve().parent}"
            )
        with locked(directory):
            sweep(directory)
            old = versions.versions_in(directory)[:-keep]
            aside = [version.path.rename(directory / f"{PRUNED}{version.number}") for version in old]
            sync_folder(directory)
            for path in aside:
                remove(path)
        return old

    def roll_back(self, model: str, *, to: int | None = None) -> Version:
        """Publish the files of an earlier version once more, as the newest.

        Like a revert in version control this only appends. A server that follows the newest version moves by
        itself and finishes its running calls. Deleting the bad version instead would pull it from under a
        server that loads it, give its number a second meaning later, and leave no trace of what happened.
        The files are copied, not linked, so that later damage to one version does not reach the other, and
        the copy is checked against the earlier version's manifest.

        Args:
            model: the model's name.
            to: the version to go back to; by default the one before the newest. Where the newest is itself
                the result of a roll back, that is the one before the version that it copies: each call goes
                one step further.

        Returns:
            The new version; its manifest names `copy_of` and `rolled_back_from`.

        Raises:
            ModelNotFoundError, VersionNotFoundError: see `version`; or there is no earlier version.
            CorruptVersionError: the earlier version is not what its manifest says.
        """
        newest = self.latest(model)
        if to == newest.number:
            raise VersionNotFoundError(
                f"version {to} of {model!r} is already the newest: name an earlier one"
            )
        earlier = self.version(model, self._number_before(newest) if to is None else to)
        old = self.manifest(model, earlier.number)
        manifest = replace(
            old,
            created=utc_now(),
            copy_of=earlier.number if old.copy_of is None else old.copy_of,
            rolled_back_from=newest.number,
        )
        return self.publish(model, version_writer(earlier, old.files), manifest=manifest)

    def _directory(self, model: str) -> Path:
        return self._root / versions.check_model_name(model)

    def _number_before(self, newest: Version) -> int:
        try:
            copied = Manifest.read(newest.path).copy_of
        except ManifestError:
            # The newest may be the very version whose damage calls for the roll back.
            copied = None
        origin = newest.number if copied is None else copied
        earlier = [version.number for version in self.versions(newest.name) if version.number < origin]
        if not earlier:
            raise VersionNotFoundError(
                f"model {newest.name!r} has no version before {origin} to roll back to"
            )
        return earlier[-1]


def _check_model(manifest: Manifest, model: str) -> None:
    if manifest.model != model:
        raise ManifestError(f"the manifest is for {manifest.model!r}, not {model!r}: make them the same")


def _rename_to_next(staged: Path, directory: Path) -> Version:
    number = versions.next_number(directory)
    while True:
        if number > versions.LARGEST_VERSION:
            raise PublishError(
                f"{directory} holds version {versions.LARGEST_VERSION}, the largest number that servers read: "
                "move it away"
            )
        try:
            # The lock keeps Impasto's own publishers apart. Against any other, a rename never replaces a
            # directory that holds something.
            path = staged.rename(directory / str(number))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY):
                raise
            number += 1
        else:
            sync_folder(directory)
            return Version(directory.name, number, path)
