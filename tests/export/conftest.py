"""Fixtures of the exporters' tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from toys.exported import publish_others
from toys.shared_folders import shared_folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, stylize_repository: Path) -> Path:
    """A model repository with version 1 of each of the four models, with toy networks and golden records."""

    def fill(models: Path) -> None:
        shutil.copytree(stylize_repository, models, dirs_exist_ok=True)
        publish_others(models)

    return shared_folder(tmp_path_factory, "exported", fill)
