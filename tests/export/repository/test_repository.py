from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.client.repository.manifest import Manifest, ManifestError
from impasto.export.repository import (
    CorruptVersionError,
    ModelNameError,
    ModelNotFoundError,
    ModelRepository,
    PublishError,
    VersionNotFoundError,
)
from toys.toy_repository import files_of, leftovers, numbers, publish_toy, toy_files


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    return ModelRepository(tmp_path / "models")


def test_the_first_version_is_1_and_each_further_one_is_the_next(repository: ModelRepository) -> None:
    first, second = publish_toy(repository, b"a"), publish_toy(repository, b"b")
    assert (first.name, first.number, first.path) == ("toy", 1, repository.root / "toy" / "1")
    assert second.number == 2
    assert files_of(first) == toy_files(b"a")
    assert files_of(second) == toy_files(b"b")
    assert leftovers(repository) == []


def test_a_published_version_verifies_and_its_manifest_lists_every_file(repository: ModelRepository) -> None:
    publish_toy(repository, b"a")
    assert repository.verify("toy").ok
    manifest = repository.manifest("toy")
    assert set(manifest.files) == set(toy_files(b"a"))
    assert manifest.figures == {"content": "a"}


def test_a_directory_is_published_by_copy_with_what_its_links_point_to(
    repository: ModelRepository, tmp_path: Path
) -> None:
    source = tmp_path / "export"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"graph")
    (source / "variables" / "index").symlink_to(source / "saved_model.pb")
    version = repository.publish("toy", source, manifest=Manifest(model="toy"))
    assert files_of(version) == {"saved_model.pb": b"graph", "variables/index": b"graph"}
    assert not (version.path / "variables" / "index").is_symlink()
    assert source.exists()


def test_a_writer_that_fails_leaves_nothing_and_its_error_passes_through(repository: ModelRepository) -> None:
    def write(directory: Path) -> None:
        (directory / "saved_model.pb").write_bytes(b"half")
        raise ZeroDivisionError("training diverged")

    with pytest.raises(ZeroDivisionError, match="diverged"):
        repository.publish("toy", write, manifest=Manifest(model="toy"))
    assert repository.models() == ()
    assert leftovers(repository) == []


def _nothing(directory: Path) -> None:
    (directory / "variables").mkdir()


def _link(directory: Path) -> None:
    (directory / "saved_model.pb").symlink_to("/etc/hostname")


def _directory_link(directory: Path) -> None:
    (directory / "variables").symlink_to("/tmp")


def _pipe(directory: Path) -> None:
    os.mkfifo(directory / "saved_model.pb")


def _own_manifest(directory: Path) -> None:
    (directory / "manifest.json").write_text("{}")


@pytest.mark.parametrize("name", ["saved_model.pb", "variables"])
def test_a_directory_with_a_dangling_or_directory_link_is_refused(
    repository: ModelRepository, tmp_path: Path, name: str
) -> None:
    source = tmp_path / "export"
    source.mkdir()
    (source / name).symlink_to(tmp_path if name == "variables" else tmp_path / "gone")
    with pytest.raises(PublishError, match=f"{name} is neither a file nor a link to one"):
        repository.publish("toy", source, manifest=Manifest(model="toy"))
    assert leftovers(repository) == []


@pytest.mark.parametrize("write", [_nothing, _link, _directory_link, _pipe, _own_manifest, Path("/nowhere")])
def test_content_that_cannot_be_a_version_is_refused_and_leaves_nothing(
    repository: ModelRepository, write: Path
) -> None:
    with pytest.raises(PublishError):
        repository.publish("toy", write, manifest=Manifest(model="toy"))
    assert repository.versions("toy") == ()
    assert leftovers(repository) == []


def test_a_manifest_of_another_model_is_refused(repository: ModelRepository) -> None:
    with pytest.raises(ManifestError, match="'dream', not 'toy'"):
        repository.publish("toy", _nothing, manifest=Manifest(model="dream"))


def test_a_manifest_that_is_not_json_leaves_nothing(repository: ModelRepository, tmp_path: Path) -> None:
    source = tmp_path / "export"
    source.mkdir()
    (source / "saved_model.pb").write_bytes(b"graph")
    with pytest.raises(ManifestError):
        repository.publish("toy", source, manifest=Manifest(model="toy", source={"x": object()}))
    assert repository.versions("toy") == ()
    assert leftovers(repository) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "/abs", "a b", "-x", "ä", "a\n", "x" * 129]
)
def test_a_name_that_no_model_can_have_is_refused_by_every_method(
    repository: ModelRepository, name: str
) -> None:
    for call in (
        lambda: publish_toy(repository, model=name),
        lambda: repository.versions(name),
        lambda: repository.latest(name),
        lambda: repository.verify(name),
        lambda: repository.prune(name, keep=1),
        lambda: repository.roll_back(name),
    ):
        with pytest.raises(ModelNameError, match="cannot be a model's name"):
            call()
    assert not repository.root.exists()


@pytest.fixture
def tight_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("tight_umask")
def test_every_user_can_read_a_version_whatever_the_umask(repository: ModelRepository) -> None:
    version = publish_toy(repository)
    directories = [repository.root, version.path.parent, version.path, version.path / "variables"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in directories] == [0o755] * 4
    files = [path for path in version.path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}


def test_a_repository_that_is_there_keeps_its_mode(repository: ModelRepository) -> None:
    repository.root.mkdir(mode=0o750)
    publish_toy(repository)
    assert stat.S_IMODE(repository.root.stat().st_mode) == 0o750


def test_versions_are_ordered_by_number_not_by_name(repository: ModelRepository) -> None:
    for _ in range(11):
        publish_toy(repository)
    assert numbers(repository) == list(range(1, 12))
    assert repository.latest("toy").number == 11


def test_only_directories_with_plain_numbers_are_versions(repository: ModelRepository) -> None:
    publish_toy(repository)
    for name in ("latest", "٣", "-2", ".staging-1", "1.5"):
        (repository.root / "toy" / name).mkdir()
    (repository.root / "toy" / "7").write_text("a file")
    (repository.root / "toy" / "8").symlink_to("nowhere")
    assert numbers(repository) == [1]


@pytest.mark.parametrize("name", ["7", "007"])
@pytest.mark.parametrize("kind", ["file", "empty", "full"])
def test_a_number_that_anything_else_took_is_passed_over(
    repository: ModelRepository, name: str, kind: str
) -> None:
    path = repository.root / "toy" / name
    path.parent.mkdir(parents=True)
    if kind == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        if kind == "full":
            (path / "saved_model.pb").write_text("mine")
    assert publish_toy(repository).number == 8
    assert path.exists()


def test_models_lists_those_with_a_version(repository: ModelRepository) -> None:
    assert repository.models() == ()
    publish_toy(repository, model="toy")
    publish_toy(repository, model="dream")
    (repository.root / "empty").mkdir()
    (repository.root / "README.md").write_text("a note")
    (repository.root / ".git" / "1").mkdir(parents=True)
    assert repository.models() == ("dream", "toy")


def test_a_model_that_is_not_there_is_answered_with_those_that_are(repository: ModelRepository) -> None:
    publish_toy(repository)
    assert repository.versions("nope") == ()
    with pytest.raises(ModelNotFoundError, match=r"'nope'.*models there: toy"):
        repository.latest("nope")


def test_a_version_that_is_not_there_is_answered_with_those_that_are(repository: ModelRepository) -> None:
    publish_toy(repository)
    publish_toy(repository)
    for call in (repository.version, repository.verify, repository.manifest):
        with pytest.raises(VersionNotFoundError, match="no version 9; versions there: 1, 2"):
            call("toy", 9)


def test_verify_finds_one_flipped_bit(repository: ModelRepository) -> None:
    path = publish_toy(repository).path / "variables" / "variables.index"
    data = bytearray(path.read_bytes())
    data[3] ^= 0b100
    path.write_bytes(data)
    report = repository.verify("toy")
    assert not report.ok
    assert report.changed == ("variables/variables.index",)
    assert str(report) == "toy/1: changed: variables/variables.index"


def test_verify_finds_missing_extra_and_replaced_files(repository: ModelRepository, tmp_path: Path) -> None:
    version = publish_toy(repository)
    index = version.path / "variables" / "variables.index"
    copy = tmp_path / "copy"
    copy.write_bytes((version.path / "saved_model.pb").read_bytes())
    (version.path / "saved_model.pb").unlink()
    (version.path / "saved_model.pb").symlink_to(copy)
    index.rename(index.with_name("moved"))
    report = repository.verify("toy", 1)
    assert report.missing == ("variables/variables.index",)
    assert report.extra == ("variables/moved",)
    assert report.changed == ("saved_model.pb",)


def test_a_version_without_a_readable_manifest_is_not_complete(repository: ModelRepository) -> None:
    version = publish_toy(repository)
    manifest = version.path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    assert "is not JSON" in (repository.verify("toy").problem or "")
    manifest.unlink()
    assert "is missing" in (repository.verify("toy").problem or "")
    with pytest.raises(CorruptVersionError, match=r"manifest\.json is missing"):
        repository.manifest("toy")


def test_prune_keeps_the_newest_and_no_number_comes_back(repository: ModelRepository) -> None:
    for content in (b"a", b"b", b"c", b"d"):
        publish_toy(repository, content)
    assert [version.number for version in repository.prune("toy", keep=2)] == [1, 2]
    assert numbers(repository) == [3, 4]
    assert repository.prune("toy", keep=5) == ()
    repository.prune("toy", keep=1)
    assert numbers(repository) == [4]
    assert publish_toy(repository).number == 5
    assert leftovers(repository) == []


@pytest.mark.parametrize("keep", [0, -1])
def test_prune_never_takes_the_newest(repository: ModelRepository, keep: int) -> None:
    publish_toy(repository)
    with pytest.raises(ValueError, match="keep must be 1 or more"):
        repository.prune("toy", keep=keep)
    assert numbers(repository) == [1]


def test_the_repository_is_used_without_importing_tensorflow() -> None:
    code = (
        "import sys, impasto.export.repository, impasto.export.cli.repository\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_verify_reports_a_file_that_it_may_not_read(repository: ModelRepository) -> None:
    version = publish_toy(repository)
    (version.path / "saved_model.pb").chmod(0)
    assert repository.verify("toy").unreadable == ("saved_model.pb",)
