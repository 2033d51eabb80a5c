from __future__ import annotations

from pathlib import Path

import pytest

from impasto.export.repository import (
    CorruptVersionError,
    ModelNotFoundError,
    ModelRepository,
    VersionNotFoundError,
)
from toys.toy_repository import files_of, leftovers, numbers, publish_toy


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    """Versions 1, 2 and 3 with contents a, b and c."""
    repository = ModelRepository(tmp_path / "models")
    for content in (b"a", b"b", b"c"):
        publish_toy(repository, content)
    return repository


def test_rolling_back_publishes_the_earlier_files_as_the_newest_version(repository: ModelRepository) -> None:
    version = repository.roll_back("toy")
    assert version.number == 4
    assert files_of(version) == files_of(repository.version("toy", 2))
    assert repository.verify("toy").ok
    assert numbers(repository) == [1, 2, 3, 4]


def test_its_manifest_says_what_was_copied_and_what_was_left(repository: ModelRepository) -> None:
    repository.roll_back("toy", to=1)
    manifest = repository.manifest("toy", 4)
    assert (manifest.copy_of, manifest.rolled_back_from) == (1, 3)
    assert manifest.figures == {"content": "a"}
    assert manifest.files == repository.manifest("toy", 1).files


def test_each_further_roll_back_goes_one_step_further(repository: ModelRepository) -> None:
    repository.roll_back("toy")
    assert repository.manifest("toy", repository.roll_back("toy").number).copy_of == 1
    with pytest.raises(VersionNotFoundError, match="no version before 1"):
        repository.roll_back("toy")
    assert numbers(repository) == [1, 2, 3, 4, 5]


def test_a_copy_of_a_copy_names_the_original(repository: ModelRepository) -> None:
    repository.roll_back("toy", to=1)
    publish_toy(repository, b"d")
    version = repository.roll_back("toy")
    manifest = repository.manifest("toy", version.number)
    assert (manifest.copy_of, manifest.rolled_back_from) == (1, 5)


def test_damage_to_the_copy_does_not_reach_the_original(repository: ModelRepository) -> None:
    version = repository.roll_back("toy", to=1)
    with (version.path / "saved_model.pb").open("r+b") as file:
        file.write(b"!")
    assert not repository.verify("toy", 4).ok
    assert repository.verify("toy", 1).ok


@pytest.mark.parametrize("damage", ["flip", "lose", "no manifest"])
def test_a_damaged_version_is_not_rolled_back_to(repository: ModelRepository, damage: str) -> None:
    directory = repository.version("toy", 2).path
    if damage == "flip":
        (directory / "saved_model.pb").write_bytes(b"graph B")
    else:
        (directory / ("saved_model.pb" if damage == "lose" else "manifest.json")).unlink()
    with pytest.raises(CorruptVersionError):
        repository.roll_back("toy")
    assert numbers(repository) == [1, 2, 3]
    assert leftovers(repository) == []


def test_a_newest_version_without_a_manifest_can_be_left(repository: ModelRepository) -> None:
    (repository.latest("toy").path / "manifest.json").unlink()
    assert files_of(repository.roll_back("toy")) == files_of(repository.version("toy", 2))


def test_a_file_that_the_manifest_does_not_list_is_not_copied(repository: ModelRepository) -> None:
    (repository.version("toy", 2).path / "notes.txt").write_text("left by hand")
    assert "notes.txt" not in files_of(repository.roll_back("toy"))


def test_there_is_nothing_to_roll_back_to_in_the_newest_or_a_missing_version(
    repository: ModelRepository,
) -> None:
    with pytest.raises(VersionNotFoundError, match="already the newest"):
        repository.roll_back("toy", to=3)
    with pytest.raises(VersionNotFoundError, match="no version 9"):
        repository.roll_back("toy", to=9)
    with pytest.raises(ModelNotFoundError):
        repository.roll_back("nope")
