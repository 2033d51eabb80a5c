"""Tell what made each result, and on `--resume` which results are what would be made now."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import repeat
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from impasto.client import Client, Job, Model, Progress, errors
from impasto.client.cli.files import Pipe, Place
from impasto.client.cli.index import Entry, Fingerprint, Index, UnusableIndex, read_index
from impasto.client.cli.options import Pictures
from impasto.client.cli.output import note
from impasto.client.cli.pairs import Pair, Plan, named
from impasto.client.cli.served import look_up

PICTURE: Final = Path("picture")
"""Stands for the picture in the job that tells the options of all."""

_NOT_THERE: Final = ""
_CHUNK: Final = 2**20
_THREADS: Final = 4
_OF_THE_RUN: Final = ("inputs", "output", "as_folder", "overwrite", "resume", "concurrency")
"""The fields of Pictures that do not change a result."""


class Recipe(NamedTuple):
    """The things that results depend on, apart from their pictures: make it before any of them is read.

    Attributes:
        model: the model that is asked.
        options: JSON values: those of a job, with digests of files in place of their names, and further ones.
    """

    model: Model
    options: Mapping[str, Any]

    @staticmethod
    def of(job: Job[Any, Any], files: Iterable[Path] = (), **more: object) -> Recipe:
        """Return the recipe of the results of jobs like one of PICTURE.

        Args:
            job: of the picture PICTURE.
            files: those that it reads besides; what they hold counts, not their names.
            **more: further options, JSON values.
        """
        held = {str(path): _held(path) for path in files}
        options = {name: _with(value, held) for name, value in job.to_json().items() if name != "model"}
        return Recipe(Model.of(job.model), {**options, **more})

    def digest(self, pictures: Pictures) -> str:
        """Return a digest of the options, those on how results are written included."""
        writing = {field.name: getattr(pictures, field.name) for field in fields(pictures)}
        for name in _OF_THE_RUN:
            del writing[name]
        told = json.dumps([self.options, writing], sort_keys=True, default=str, allow_nan=False)
        return hashlib.sha256(told.encode()).hexdigest()


class Ledger:
    """The record of what made the results of a run, and of earlier ones. Several threads may write to it.

    Args:
        plan: the run.
        recipe: what results depend on.
        pictures: what was asked for. The result of a run without a folder is recorded only with `resume`.
    """

    def __init__(self, plan: Plan, recipe: Recipe, pictures: Pictures) -> None:
        self._pairs = plan.pairs
        self._model = recipe.model
        self._inputs: dict[Pair, Fingerprint | None] = {}
        self._versions: dict[Pair, set[int]] = {}
        self._index: Index | None = None
        self._failure: str | None = None
        output = plan.pairs[0].output
        if isinstance(output, Path) and (pictures.resume or plan.folder is not None):
            self._folder = plan.folder or output.parent
            self._index = Index(self._folder)
            self._options = recipe.digest(pictures)

    def to_do(self, client: Client, *, quiet: bool) -> tuple[Pair, ...]:
        """Return the pairs whose result is not there, or is not what would be made now.

        Args:
            client: asks for the version that is served.
            quiet: do not say which results are there and why they are done again.

        Raises:
            CallError: the server does not tell its version.
        """
        if self._index is None:
            return self._pairs
        say: Callable[[str], None] = _unsaid if quiet else note
        try:
            entries = read_index(self._index.path)
        except UnusableIndex as error:
            entries = {}
            say(f"impasto: {self._index.path} is ignored and written anew: {error}")
        version = look_up(client, self._model).version if self._model.version is None else self._model.version
        threads = ThreadPoolExecutor(_THREADS)
        try:
            known = [entries.get(self._name(pair)) for pair in self._pairs]
            reasons = threads.map(self._why_not, self._pairs, known, repeat(version))
            found = {pair: why for pair, why in zip(self._pairs, reasons, strict=True) if why is not None}
        finally:
            threads.shutdown(cancel_futures=True)
        for reason in sorted(set(found.values()) - {_NOT_THERE}):
            again = [pair.output for pair, why in found.items() if why == reason]
            say(f"impasto: done again {reason}: {named(again)}")
        return tuple(found)

    def begin(self, pair: Pair) -> None:
        """Look at a picture's file, before it is read: one that is changed while it is read counts as changed."""
        if self._index is not None and pair not in self._inputs:
            self._inputs[pair] = fingerprint(pair.source)

    def watch(self, pair: Pair, show: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """Return `show`, which also learns the version that makes the pair's result, or a frame of it."""

        def watched(progress: Progress) -> None:
            if progress.version:
                self._versions.setdefault(pair, set()).add(progress.version)
            show(progress)

        return watched

    def forget(self, pair: Pair) -> None:
        """Forget which versions made frames of the pair's result: it is begun anew."""
        self._versions.pop(pair, None)

    def record(self, pair: Pair) -> None:
        """Keep what made a result that was just written. No result is lost if that fails: `close` tells."""
        source, result = self._inputs.get(pair), fingerprint(pair.output)
        if self._index is None or source is None or result is None:
            return
        versions = self._versions.get(pair, set())
        version = next(iter(versions)) if len(versions) == 1 else 0  # what two versions made is no one's
        entry = Entry(source, self._options, self._model.name, version, result)
        try:
            self._index.add(self._name(pair), entry)
        except (errors.OutputError, OSError) as error:
            self._failure = str(error)

    def close(self) -> str | None:
        """Write what is left to write. Return a line for the person if that failed, or failed before."""
        try:
            if self._index is not None:
                self._index.close()
                return None
        except (errors.OutputError, OSError) as error:
            self._failure = str(error)
        return self._failure and f"{self._failure}; --resume will do these pictures again"

    def _why_not(self, pair: Pair, entry: Entry | None, version: int) -> str | None:
        """Return why a result is not what would be made now; None if it is. What costs least is compared first."""
        if not _is_there(pair.output):
            return _NOT_THERE
        if entry is None:
            return "because nothing tells what made it"
        if entry.options != self._options:
            return "because it was made with other options"
        if (entry.model, entry.version) != (self._model.name, version):
            return f"because version {version} of {self._model.name} is served now"
        if fingerprint(pair.output) != entry.result:
            return "because it was changed or damaged"
        self.begin(pair)
        return None if self._inputs[pair] == entry.input else "because its picture has changed"

    def _name(self, pair: Pair) -> str:
        assert isinstance(pair.output, Path)
        return pair.output.relative_to(self._folder).as_posix()


def _unsaid(_line: str) -> None:
    pass


def fingerprint(place: Place) -> Fingerprint | None:
    """Return a regular file's; None of anything else, which could be read only once, and of what cannot be read."""
    try:
        if isinstance(place, Pipe) or not place.is_file():
            return None
        size, digest = 0, hashlib.sha256()
        with place.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                digest.update(chunk)
    except OSError:
        return None
    return Fingerprint(size, digest.hexdigest())


def _held(path: Path) -> str:
    """Return a digest of what a file holds; of what can be read only once, such as a pipe, one that never recurs."""
    found = fingerprint(path)
    return secrets.token_hex() if found is None else found.sha256


def _is_there(place: Place) -> bool:
    try:
        return isinstance(place, Path) and place.is_file()
    except OSError:  # such as a name that is too long, which the work tells
        return False


def _with(value: Any, held: Mapping[str, str]) -> Any:
    """Return JSON values with the digest of what a file holds in place of the file's name."""
    if isinstance(value, str):
        return {"sha256": held[value]} if value in held else value
    if isinstance(value, list):
        return [_with(entry, held) for entry in cast(list[object], value)]
    if isinstance(value, dict):
        return {name: _with(entry, held) for name, entry in cast(dict[str, Any], value).items()}
    return value
