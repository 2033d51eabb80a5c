"""An upscaler of several factors as it is published: one contract, one computation a factor, and its limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from impasto.client.repository.contract import contract_of, differences
from impasto.client.repository.graph_file import signatures_of
from impasto.client.signatures import UPSCALE
from impasto.export.contract import read_meta_graph
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.export.upscale.publish import publish
from toys.toy_upscalers import bicubic_upscaler

RNG = np.random.default_rng(8)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = bicubic_upscaler(4, 3, 2, minimum_side=3, maximum_pixels=3000, overlap=1, tile=48)
    return publish(told, "enlarger", tmp_path_factory.mktemp("models"), source={"file": "none"}).path


@pytest.fixture(scope="module")
def served(version: Path) -> Iterator[ServedModel]:
    with load_as_server(version) as model:
        yield model


def test_a_model_of_any_name_keeps_the_contract_by_its_manifest_and_by_its_signatures(version: Path) -> None:
    repository = ModelRepository(version.parents[1])
    manifest = repository.manifest("enlarger")
    assert (manifest.contract, manifest.model) == ("upscale", "enlarger")
    assert manifest.source == {"network": "bicubic", "weights": "none", "file": "none"}
    assert repository.verify("enlarger").ok
    signatures = signatures_of(version)
    assert contract_of("enlarger", signatures) is UPSCALE
    assert contract_of("enlarger", {}, told="upscale") is UPSCALE
    del signatures["x3"], signatures["x4"]
    assert contract_of("enlarger", signatures) is UPSCALE
    del signatures["x2"]
    assert differences(UPSCALE, signatures) == ["one of the signatures x2, x3, x4 is missing"]
    assert contract_of("enlarger", signatures) is None


def test_it_describes_itself_once_for_each_element_of_the_query(served: ServedModel) -> None:
    told = {name: array.tolist() for name, array in served.run("describe", {"query": [7, 7]}).items()}
    assert told == {
        "factors": 2 * [[4, 2, 3]],
        "reach": [2, 2],
        "overlap": [1, 1],
        "tile": [48, 48],
        "minimum_side": [3, 3],
        "maximum_pixels": [3000, 3000],
        "network": 2 * [b"bicubic"],
        "weights": 2 * [b"none"],
    }
    assert [array.shape[0] for array in served.run("describe", {}).values()] == [1] * len(told)


def test_each_signature_enlarges_by_its_factor_and_the_default_by_the_first(served: ServedModel) -> None:
    batch = RNG.integers(0, 256, (2, 13, 9, 3), np.uint8)
    for signature, factor in (("serving_default", 4), ("x2", 2), ("x3", 3), ("x4", 4)):
        enlarged = served.run(signature, {"image": batch})["image"]
        wanted = tf.image.resize(batch, (13 * factor, 9 * factor), "bicubic").numpy()
        assert enlarged.dtype == np.uint8
        assert np.abs(enlarged - np.clip(wanted, 0, 255)).max() <= 0.51


def test_a_factor_is_one_function_whichever_signatures_call_it(version: Path) -> None:
    library = read_meta_graph(version).graph_def.library.function
    enlarging = [f for f in library if any(node.op == "DepthToSpace" for node in f.node_def)]
    assert len(enlarging) == 3


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 2, 9, 3), "image must be at least 3 pixels high and wide"),
        ((0, 9, 9, 3), "image must have at least one picture and one pixel"),
        ((2, 40, 40, 3), "image must have at most 3000 pixels"),
        ((9, 9, 3), "image"),
        ((1, 9, 9, 4), "image"),
    ],
)
def test_pictures_that_it_does_not_take_are_refused_in_words(
    served: ServedModel, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=words):
        served.run("x3", {"image": np.zeros(shape, np.uint8)})


def test_an_upscaler_has_factors_of_the_contract() -> None:
    for factors, told in (((), "no factor"), ((2, 5), "5")):
        with pytest.raises(
            ExportError, match=f"bicubic enlarges by {told}: an upscaler has factors of 2, 3, 4"
        ):
            bicubic_upscaler(*factors)
