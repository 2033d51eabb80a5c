"""From an upscaler to a version in the model repository, and from a version back to a callable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.client.signatures import FACTORS, SERVING_DEFAULT, UPSCALE
from impasto.export import publishing
from impasto.export.contract import ContractError
from impasto.export.golden import Requests
from impasto.export.repository import CorruptVersionError, ModelRepository, RepositoryError, Version
from impasto.export.sample import painting, photo
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.export.upscale.served import ServedUpscaler
from impasto.export.upscale.upscaler import Upscaler
from impasto.export.warmup import Request


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


def publish(
    upscaler: Upscaler,
    model: str,
    models: Path,
    *,
    source: Mapping[str, Any],
    figures: Mapping[str, Any] | None = None,
    allow_host_ops: bool = False,
) -> Version:
    """Export an upscaler as the next version of a model, with warm-up, golden records and manifest.

    Args:
        upscaler: what to serve.
        model: the model's name, any.
        models: the model repository.
        source: where the weights come from, for the manifest.
        figures: what was measured, for the manifest.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: `publishing.publish` refuses the result.
    """
    served = ServedUpscaler(upscaler)
    return publishing.publish(
        publishing.Servable(served, served.functions, UPSCALE, model),
        models,
        warm_up=warm_up(served),
        golden=golden_requests(served),
        source={"network": upscaler.network, "weights": upscaler.weights, **source},
        figures=figures,
        allow_host_ops=allow_host_ops,
    )


def warm_up(served: ServedUpscaler) -> list[Request]:
    """Make a request for each signature, of a single picture as the client sends it, and one of a small batch."""
    least = served.upscaler.minimum_side
    pictures = np.zeros((2, max(least, 32), max(least, 48), 3), np.uint8)
    return [
        ("describe", {}),
        *((name, {"image": pictures[:1]}) for name in _enlarging(served)),
        (SERVING_DEFAULT, {"image": pictures}),
    ]


def golden_requests(served: ServedUpscaler) -> Requests:
    """Make requests: a single picture, a batch, one smaller than what a network looks at, and one for each factor."""
    least = served.upscaler.minimum_side
    height, width = max(least, 21), max(least, 27)
    yield "describe", {"query": [0, 1]}
    yield SERVING_DEFAULT, {"image": photo(max(least, 45), max(least, 61))[None]}
    yield SERVING_DEFAULT, {"image": np.stack([photo(height, width), painting(height, width)])}
    yield SERVING_DEFAULT, {"image": photo(least, least + 2)[None]}
    for name in _enlarging(served):
        if name != SERVING_DEFAULT:
            yield name, {"image": photo(height, width)[None]}


def _enlarging(served: ServedUpscaler) -> Iterator[str]:
    return (name for name in served.functions if name != "describe")
