"""An exported upscaler as a callable, loaded the way TensorFlow Serving loads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.client.signatures import FACTORS, SERVING_DEFAULT, UPSCALE
from impasto.export.contract import ContractError
from impasto.export.repository import CorruptVersionError, ModelRepository, RepositoryError, Version
from impasto.export.saved_model import ServedModel, load_as_server


class ExportedUpscaler:
    """A version of an upscaler in this process.

    Attributes:
        version: the version.
        factors: those that it has, ascending.
    """

    def __init__(self, version: Version, served: ServedModel) -> None:
        self.version = version
        self.factors = tuple(factor for factor, name in FACTORS.items() if name in served.signatures)
        self._served = served

    def upscale(self, image: NDArray[np.uint8], factor: int | None = None) -> NDArray[np.uint8]:
        """Enlarge a picture uint8 [H, W, 3], by the model's first factor if None."""
        name = SERVING_DEFAULT if factor is None else FACTORS[factor]
        result: NDArray[np.uint8] = self._served.run(name, {"image": image[None]})["image"][0]
        return result


@contextmanager
def exported_upscaler(models: Path, model: str, version: int | None = None) -> Iterator[ExportedUpscaler]:
    """Load a version of an upscaler.

    Args:
        models: the repository.
        model: the model's name.
        version: its number; `None` is the newest.

    Raises:
        RepositoryError: there is no such version.
        SavedModelError: it cannot be loaded.
        ContractError: it has no factor: it is no upscaler, or older than their contract.
    """
    found = ModelRepository(models).version(model, version)
    with load_as_server(found.path) as served:
        upscaler = ExportedUpscaler(found, served)
        if not upscaler.factors:
            raise ContractError(
                f"version {found.number} of {model} has none of the signatures {', '.join(FACTORS.values())} of an "
                "upscaler: name another model, or export it anew"
            )
        yield upscaler


def upscalers(models: Path) -> list[str]:
    """The names of the upscalers in a repository, those of Impasto's own first.

    Raises:
        RepositoryError: there is none.
    """
    repository = ModelRepository(models)
    found = [name for name in repository.models() if _is_upscaler(repository, name)]
    if not found:
        raise RepositoryError(
            f"there is no upscaler in {models}: export one, or name a repository with --models"
        )
    own = [name for name in UPSCALE.models if name in found]
    return own + [name for name in found if name not in own]


def _is_upscaler(repository: ModelRepository, name: str) -> bool:
    with suppress(CorruptVersionError):  # nobody's manifest, or a damaged one
        return repository.manifest(name).contract == UPSCALE.name
    return False
