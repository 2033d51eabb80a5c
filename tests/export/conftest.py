"""Exports of real size that several files look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_folders import shared_folder


@pytest.fixture(scope="session")
def vgg19_transfer_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with a transfer model on the whole VGG19, random, as the command line exports it."""
    from click.testing import CliRunner

    from impasto.export.cli import cli

    def fill(models: Path) -> None:
        words = ["transfer", "--models", str(models), "--weights", "random", "--seed", "3"]
        CliRunner().invoke(cli, words, catch_exceptions=False)

    return shared_folder(tmp_path_factory, "vgg19-transfers", fill)
