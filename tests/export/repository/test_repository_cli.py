from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from impasto.export.cli.repository import repository as command
from impasto.export.repository import ModelNotFoundError, ModelRepository, RepositoryError
from toys.toy_repository import files_of, numbers, publish_toy


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    """Versions 1 and 2 of toy, version 1 of dream."""
    repository = ModelRepository(tmp_path / "models")
    publish_toy(repository, b"a")
    publish_toy(repository, b"b")
    publish_toy(repository, model="dream")
    return repository


def invoke(repository: ModelRepository, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--models", str(repository.root)], env={"COLUMNS": "120"})


def invoke_json(repository: ModelRepository, *arguments: str) -> Any:
    return json.loads(invoke(repository, *arguments, "--json").stdout)


def test_list_shows_every_version_of_every_model(repository: ModelRepository) -> None:
    result = invoke(repository, "list")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["model", "version"], ["dream", "1"], ["toy", "1"], ["toy", "2"]]
    assert repository.manifest("toy", 1).created in rows[2]


def test_list_shows_the_models_asked_for_and_where_a_roll_back_came_from(repository: ModelRepository) -> None:
    invoke(repository, "rollback", "toy")
    rows = invoke_json(repository, "list", "toy")
    assert [(row["model"], row["version"]) for row in rows] == [("toy", 1), ("toy", 2), ("toy", 3)]
    assert [row["note"] for row in rows] == ["", "", "copy of 1, rolled back from 2"]
    assert rows[0]["size"] == sum(len(data) for data in files_of(repository.version("toy", 1)).values())


def test_list_tells_of_a_version_without_a_manifest(repository: ModelRepository) -> None:
    (repository.root / "toy" / "1" / "manifest.json").unlink()
    result = invoke(repository, "list")
    assert result.exit_code == 0
    assert "no usable manifest, see verify" in result.stdout
    assert invoke_json(repository, "list", "toy")[0]["size"] is None


def test_verify_succeeds_when_all_is_complete(repository: ModelRepository) -> None:
    result = invoke(repository, "verify")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["ok dream/1: complete", "ok toy/1: complete", "ok toy/2: complete"]


def test_verify_fails_when_any_version_is_damaged(repository: ModelRepository) -> None:
    (repository.root / "toy" / "1" / "saved_model.pb").write_bytes(b"graph A")
    result = invoke(repository, "verify")
    assert result.exit_code == 1
    assert "FAILED toy/1: changed: saved_model.pb" in result.stdout
    result = invoke(repository, "verify", "toy", "--json")
    assert result.exit_code == 1
    reports = json.loads(result.stdout)
    assert [(report["version"], report["ok"]) for report in reports] == [(1, False), (2, True)]
    assert reports[0]["changed"] == ["saved_model.pb"]
    assert invoke(repository, "verify", "toy", "--version", "2").exit_code == 0
    assert invoke(repository, "verify", "toy", "--version", "1").exit_code == 1
    assert invoke(repository, "verify", "dream").exit_code == 0


def test_verify_takes_a_version_for_one_model_only(repository: ModelRepository) -> None:
    result = invoke(repository, "verify", "toy", "dream", "--version", "1")
    assert result.exit_code == 2
    assert "--version needs exactly one MODEL" in result.output


def test_prune_deletes_the_old_and_says_which(repository: ModelRepository) -> None:
    assert invoke(repository, "prune", "toy", "--keep", "1").stdout == "toy: deleted 1, kept 2\n"
    assert numbers(repository) == [2]
    assert invoke_json(repository, "prune", "toy", "--keep", "1") == {
        "model": "toy",
        "deleted": [],
        "kept": [2],
    }


@pytest.mark.parametrize("arguments", [[], ["--keep", "0"]])
def test_prune_wants_to_be_told_how_many_stay(repository: ModelRepository, arguments: list[str]) -> None:
    assert invoke(repository, "prune", "toy", *arguments).exit_code == 2
    assert numbers(repository) == [1, 2]


def test_rollback_publishes_the_earlier_version_and_says_so(repository: ModelRepository) -> None:
    assert invoke(repository, "rollback", "toy").stdout == "toy: version 3 holds the files of version 1\n"
    assert invoke_json(repository, "rollback", "toy", "--to", "2") == {
        "model": "toy",
        "version": 4,
        "path": str(repository.root / "toy" / "4"),
        "copy_of": 2,
        "rolled_back_from": 3,
    }


@pytest.mark.parametrize("arguments", [["list"], ["verify"], ["prune", "--keep", "1"], ["rollback"]])
def test_a_model_that_is_not_there_is_answered_with_those_that_are(
    repository: ModelRepository, arguments: list[str]
) -> None:
    result = invoke(repository, *arguments, "nope")
    assert isinstance(result.exception, ModelNotFoundError)
    assert "models there: dream, toy" in str(result.exception)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = invoke(ModelRepository(tmp_path / "nowhere"), "list")
    assert isinstance(result.exception, RepositoryError)
    assert f"no model repository at {tmp_path / 'nowhere'}" in str(result.exception)


def test_a_lock_that_is_no_file_is_named_with_the_remedy(repository: ModelRepository) -> None:
    lock = repository.root / "toy" / ".lock"
    lock.unlink()
    lock.mkdir()
    result = invoke(repository, "prune", "toy", "--keep", "1")
    assert isinstance(result.exception, RepositoryError)
    assert str(result.exception) == f"{lock} must be a file of its own: remove it, it is made again"


def test_an_empty_directory_says_that_it_has_no_models(tmp_path: Path) -> None:
    for name in ("list", "verify"):
        result = invoke(ModelRepository(tmp_path), name)
        assert result.exit_code == 0
        assert "no models in" in result.stdout


def test_the_installed_command_ends_an_error_in_one_line_and_status_1(repository: ModelRepository) -> None:
    command = [str(Path(sys.executable).with_name("impasto-export")), "repository", "verify", "nope"]
    run = subprocess.run(
        [*command, "--models", str(repository.root)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "no version of model 'nope'" in run.stderr
