"""Measuring upscalers that were published, by the graph that a server loads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from impasto.client.signatures import FACTORS
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import load_as_server
from impasto.export.srcnn.photos import Photo, Pixels
from impasto.export.upscale.degradation import as_jpeg
from impasto.export.upscale.scores import Comparison, compared


def compare_exported(
    models: Path, model: str, photos: Sequence[Photo], *, factor: int, jpeg_quality: int | None = None
) -> list[Comparison]:
    """Enlarge shrunk photos by the newest version of a model, loaded the way TensorFlow Serving does.

    Args:
        models: the model repository.
        model: the model's name.
        photos: the originals.
        factor: how many times wider and higher.
        jpeg_quality: save the small pictures as JPEG of this quality first.

    Raises:
        RepositoryError: there is no such model.
        ExportError: the model does not enlarge by this factor.
    """
    version = ModelRepository(models).version(model)
    with load_as_server(version.path) as served:
        has = [number for number, name in FACTORS.items() if name in served.signatures]
        if factor not in has:
            told = ", ".join(map(str, has)) or "no factor"
            raise ExportError(f"{model} does not enlarge {factor} times; it has {told}")

        def upscale(low: Pixels, factor: int) -> Pixels:
            result: Pixels = served.run(FACTORS[factor], {"image": low[None]})["image"][0]
            return result

        wear = (lambda low: low) if jpeg_quality is None else partial(as_jpeg, quality=jpeg_quality)
        return list(compared(photos, factor, upscale, wear=wear))
