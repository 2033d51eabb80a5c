"""A repository of tiny versions that are no SavedModels: publishing does not look into them."""

from __future__ import annotations

from pathlib import Path

from impasto.client.repository.manifest import Manifest
from impasto.export.repository import ModelRepository, Version


def toy_files(content: bytes) -> dict[str, bytes]:
    """The files of a toy version: relative path to bytes."""
    return {"saved_model.pb": b"graph " + content, "variables/variables.index": b"weights " + content}


def publish_toy(repository: ModelRepository, content: bytes = b"0", *, model: str = "toy") -> Version:
    """Publish the toy version that holds `content`."""

    def write(directory: Path) -> None:
        for name, data in toy_files(content).items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)

    return repository.publish(
        model, write, manifest=Manifest(model=model, figures={"content": content.decode()})
    )


def files_of(version: Version) -> dict[str, bytes]:
    """Every file of a version but its manifest: relative path to bytes."""
    return {
        path.relative_to(version.path).as_posix(): path.read_bytes()
        for path in version.path.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def numbers(repository: ModelRepository, model: str = "toy") -> list[int]:
    """The numbers of a model's versions as listed."""
    return [version.number for version in repository.versions(model)]


def leftovers(repository: ModelRepository, model: str = "toy") -> list[str]:
    """What a model's directory holds that is neither a version nor the lock."""
    return sorted(
        path.name
        for path in (repository.root / model).iterdir()
        if not path.name.isdigit() and path.name != ".lock"
    )
