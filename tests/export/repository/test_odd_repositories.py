"""Links, odd names, broken manifests and pruners at work: no raw exception, and every model can be published again."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from impasto.client.repository.manifest import MANIFEST_NAME, Manifest, ManifestError
from impasto.export.cli.repository import repository as command
from impasto.export.repository import (
    CorruptVersionError,
    ModelRepository,
    PublishError,
    RepositoryError,
    VersionNotFoundError,
)
from impasto.export.repository import tree as contents
from toys.toy_repository import files_of, leftovers, numbers, publish_toy, toy_files


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    return ModelRepository(tmp_path / "models")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A version that is not the repository's."""
    return publish_toy(ModelRepository(tmp_path / "others"), b"theirs").path


def test_a_linked_version_is_pruned_as_a_link_and_the_model_is_published_again(
    repository: ModelRepository, outside: Path
) -> None:
    publish_toy(repository, b"a")
    (repository.root / "toy" / "2").symlink_to(outside)
    assert repository.verify("toy", 2).ok
    publish_toy(repository, b"c")
    assert [version.number for version in repository.prune("toy", keep=1)] == [1, 2]
    assert (outside / "saved_model.pb").read_bytes() == b"graph theirs"
    publish_toy(repository, b"d")
    assert numbers(repository) == [3, 4]
    assert leftovers(repository) == []


def test_a_linked_model_is_published_to_and_never_pruned(repository: ModelRepository, outside: Path) -> None:
    repository.root.mkdir()
    (repository.root / "toy").symlink_to(outside.parent)
    publish_toy(repository, b"b")
    with pytest.raises(RepositoryError, match="is a link, and nothing outside the repository is deleted"):
        repository.prune("toy", keep=1)
    assert numbers(repository) == [1, 2]


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "nowhere")


def _file(path: Path, outside: Path) -> None:
    path.write_text("a file")


def _folder(path: Path, outside: Path) -> None:
    (path / "lock").mkdir(parents=True)


def _pipe(path: Path, outside: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "lock")


@pytest.mark.parametrize("name", [".pruned-7", ".staging-7", "7", "99999999999999999999999", "²", "07"])
@pytest.mark.parametrize("make", [_link, _dangling, _file, _folder, _pipe])
def test_whatever_lies_in_a_models_folder_it_can_be_published_pruned_and_rolled_back(
    repository: ModelRepository, outside: Path, make: Callable[[Path, Path], None], name: str
) -> None:
    publish_toy(repository, b"a")
    make(repository.root / "toy" / name, outside)
    newest = publish_toy(repository, b"b")
    assert newest.number in (2, 8)
    assert files_of(repository.latest("toy")) == toy_files(b"b")
    assert files_of(repository.roll_back("toy", to=1)) == toy_files(b"a")
    repository.prune("toy", keep=1)
    assert numbers(repository) == [newest.number + 1]
    assert (outside / "saved_model.pb").exists()


def test_a_lock_that_is_a_link_is_named_and_not_followed(repository: ModelRepository, tmp_path: Path) -> None:
    publish_toy(repository)
    lock = repository.root / "toy" / ".lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RepositoryError, match="must be a file of its own: remove it"):
        publish_toy(repository)
    assert not (tmp_path / "elsewhere").exists()
    lock.unlink()
    assert publish_toy(repository).number == 2


def test_a_lock_that_is_a_folder_is_named(repository: ModelRepository) -> None:
    publish_toy(repository)
    lock = repository.root / "toy" / ".lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(RepositoryError, match="must be a file of its own: remove it"):
        publish_toy(repository)


@pytest.mark.parametrize("goal", ["/dev/zero", None, "pipe"])
def test_a_file_without_end_in_the_place_of_a_versions_is_not_copied(
    repository: ModelRepository, outside: Path, goal: str | None
) -> None:
    version = publish_toy(repository)
    publish_toy(repository)
    file = version.path / "saved_model.pb"
    file.unlink()
    if goal == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(goal or outside / "saved_model.pb")
    with pytest.raises(CorruptVersionError, match="is no plain file any more: roll back to another"):
        repository.roll_back("toy", to=1)
    assert repository.verify("toy", 1).changed == ("saved_model.pb",)
    assert numbers(repository) == [1, 2]
    assert leftovers(repository) == []


@pytest.mark.parametrize("number", [10**4000, 2**63, -1])
@pytest.mark.parametrize("field", ["size", "copy_of", "rolled_back_from"])
def test_a_number_that_no_version_can_have_is_said_by_every_command(
    repository: ModelRepository, field: str, number: int
) -> None:
    version = publish_toy(repository)
    content = json.loads((version.path / MANIFEST_NAME).read_text())
    (content["files"]["saved_model.pb"] if field == "size" else content)[field] = number
    (version.path / MANIFEST_NAME).write_text(json.dumps(content))
    _check_corrupt(repository)


def test_the_largest_number_is_told(repository: ModelRepository) -> None:
    (repository.root / "toy" / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(PublishError, match="the largest number that servers read: move it away"):
        publish_toy(repository)


def test_a_writer_that_leaves_odd_names_or_links_is_told(repository: ModelRepository, outside: Path) -> None:
    def odd(directory: Path) -> None:
        Path(os.fsdecode(os.fsencode(directory) + b"/\xff")).write_bytes(b"x")

    def replaced(directory: Path) -> None:
        directory.rmdir()
        directory.symlink_to(outside)

    for write, message in ((odd, "not a name in UTF-8"), (replaced, "put a link in the place")):
        with pytest.raises(PublishError, match=message):
            repository.publish("toy", write, manifest=Manifest(model="toy"))
    assert leftovers(repository) == []
    with pytest.raises(RepositoryError, match="cannot be a path"):
        ModelRepository("a\0b")


MANIFESTS = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep field": '{"source": ' + '{"a":' * 100_000 + "1" + "}" * 100_001,
    "NaN": '{"model": "toy", "figures": {"gain": NaN}}',
    "infinity": '{"model": "toy", "figures": {"gain": -Infinity}}',
    "many digits": '{"model": ' + "9" * 10_000 + "}",
    "bytes": "\ud800",
    "empty": "",
    "list": "[]",
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_none_is_said_by_every_command(repository: ModelRepository, text: str) -> None:
    version = publish_toy(repository)
    (version.path / MANIFEST_NAME).write_text(text, encoding="utf-8", errors="surrogatepass")
    _check_corrupt(repository)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "../a", "/a", ""])
def test_a_manifest_that_lists_what_no_file_can_be_called_is_refused(
    repository: ModelRepository, name: str
) -> None:
    version = publish_toy(repository)
    data = json.loads((version.path / MANIFEST_NAME).read_text())
    data["files"][name] = {"sha256": "0" * 64, "size": 1}
    (version.path / MANIFEST_NAME).write_text(json.dumps(data))
    _check_corrupt(repository)


def test_a_manifest_that_is_a_pipe_is_not_waited_for(repository: ModelRepository) -> None:
    version = publish_toy(repository)
    (version.path / MANIFEST_NAME).unlink()
    os.mkfifo(version.path / MANIFEST_NAME)
    _check_corrupt(repository)


def _check_corrupt(repository: ModelRepository) -> None:
    with pytest.raises(CorruptVersionError):
        repository.manifest("toy", 1)
    assert repository.verify("toy", 1).problem
    publish_toy(repository)
    with pytest.raises(CorruptVersionError):
        repository.roll_back("toy", to=1)
    for words, code in ((["list"], 0), (["verify"], 1)):
        ended = CliRunner().invoke(command, [*words, "--models", str(repository.root)])
        assert (ended.exit_code, type(ended.exception)) in ((code, type(None)), (code, SystemExit))


def test_a_deep_value_is_no_raw_error_when_it_is_written() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ManifestError, match="'source' cannot be written as JSON"):
        Manifest(model="toy", source={"deep": deep}).to_json()


def test_a_name_in_a_manifest_does_not_reach_the_terminal_raw(repository: ModelRepository) -> None:
    version = publish_toy(repository)
    data = json.loads((version.path / MANIFEST_NAME).read_text())
    data["created"] = "\x1b[2J\ud800"
    data["files"]["\u202egnp"] = {"sha256": "0" * 64, "size": 1}
    (version.path / MANIFEST_NAME).write_text(json.dumps(data))
    for words in (["list"], ["verify"], ["list", "--json"], ["verify", "--json"]):
        said = CliRunner().invoke(command, [*words, "--models", str(repository.root)]).output
        assert not set("\x1b\u202e\ud800") & set(said)


def test_a_version_that_is_pruned_while_it_is_copied_or_verified_is_not_called_corrupt(
    repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish_toy(repository, b"a")
    publish_toy(repository, b"b")
    copy = contents._copy

    def pruned_meanwhile(source: Path, target: Path) -> None:
        shutil.rmtree(old.path, ignore_errors=True)
        copy(source, target)

    monkeypatch.setattr(contents, "_copy", pruned_meanwhile)
    with pytest.raises(VersionNotFoundError, match="was pruned meanwhile"):
        repository.roll_back("toy", to=1)
    monkeypatch.undo()
    vanishing = publish_toy(repository, b"c")
    verify = ModelRepository.verify

    def pruned_before(self: ModelRepository, model: str, number: int | None = None) -> object:
        if number == vanishing.number:
            shutil.rmtree(vanishing.path)
        return verify(self, model, number)

    monkeypatch.setattr(ModelRepository, "verify", pruned_before)
    ended = CliRunner().invoke(command, ["verify", "--models", str(repository.root)])
    assert (ended.exit_code, ended.output) == (0, "ok toy/2: complete\n")


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_flushes_no_folder_takes_a_version_and_a_configuration(
    repository: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    from impasto.serving.rollout.files import replace_file

    fsync = os.fsync

    def for_files_only(descriptor: int) -> None:
        if os.path.isdir(descriptor):  # noqa: PTH112  # a descriptor is no path
            raise OSError(refusal, os.strerror(refusal))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", for_files_only)
    assert publish_toy(repository).number == 1
    assert publish_toy(repository).number == 2
    repository.prune("toy", keep=1)
    replace_file(tmp_path / "models.config", b"text")
    assert (tmp_path / "models.config").read_bytes() == b"text"
