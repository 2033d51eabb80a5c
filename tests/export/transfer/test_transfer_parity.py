"""The served transfer against the usual recipe, run eagerly on Keras' VGG19 with Keras' Adam."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from impasto.export.backbones import VGG19, DownloadError, Weights, load_weights
from impasto.export.transfer import publish
from oracles import transfer_oracle as oracle
from toys.exported import without_golden_records
from toys.fewer_layers import with_layers
from toys.transfer_models import TransferCalls, serve_transfer, weights_of

LAYERS = (
    *("block1_conv1", "block1_conv2", "block2_conv1", "block3_conv1", "block3_conv4", "block4_conv1"),
    *("block4_conv2", "block4_conv4", "block5_conv1", "block5_conv2"),
)
"""Those that are asked for here. `make demo` exports the network with all of them."""

SIDE = 64
# The recipe's own weights make random networks chaotic: their activations differ too much from a trained one's.
GENTLE: dict[str, Any] = {"style_weight": 1e-6, "content_weight": 1e-2}


class Pair:
    """The recipe and a server, with the same weights, painting the same pictures."""

    def __init__(self, weights: Weights, calls: TransferCalls) -> None:
        self.calls = calls
        self.weights = weights
        self.content, self.style = data.chelsea(), data.coffee()[:, 100:400]
        self.keras_model = oracle.keras_vgg19(weights.arrays)

    @cached_property
    def twenty_steps(self) -> list[oracle.Run]:
        """The recipe's first five steps, and all twenty."""
        return self.recipe(5, 15, **gentle(self))

    @cached_property
    def five_served_steps(self) -> list[dict[str, Any]]:
        """The job after each of them, one call for each."""
        jobs = [self.open()]
        for _ in range(5):
            jobs.append(self.calls.go_on(jobs[-1], 1, **gentle(self)))
        return jobs[1:]

    def recipe(
        self, *steps: int, layers: tuple[tuple[str, ...], ...] = (), **settings: Any
    ) -> list[oracle.Run]:
        """The recipe's run, as it is after so many steps, after so many more, and so on."""
        transferrer = oracle.StyleTransferrer(self.keras_model, *layers)
        content, style = oracle.load(self.content, SIDE), oracle.load(self.style, SIDE)
        return transferrer.transfers(content, style, steps=steps, **settings)

    def open(self, **layers: Any) -> dict[str, Any]:
        sizes = {
            name: self.calls.predict("describe", size=picture.shape[:2], longest_side=SIDE)["size"]
            for name, picture in (("size", self.content), ("style_size", self.style))
        }
        opened = self.calls.predict("open", content=self.content, style=self.style, **sizes, **layers)
        return self.calls.begin(opened)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """With the trained weights; with random ones where no package index can be reached."""
    try:
        weights = load_weights(VGG19, "package")
    except DownloadError:
        weights = load_weights(VGG19, "random")
    root = tmp_path_factory.mktemp("vgg19")
    with pytest.MonkeyPatch.context() as patch, without_golden_records():
        patch.setattr(publish, "VGG19", with_layers(VGG19, *LAYERS))
        publish.publish(weights, root)
    with serve_transfer(root, warm_up=False) as calls:
        yield Pair(weights, calls)


def gentle(pair: Pair) -> dict[str, Any]:
    return GENTLE if pair.weights.provenance.source == "random" else {}


def psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2) + 1e-20))


def test_it_starts_from_the_recipes_very_picture(pair: Pair) -> None:
    # The recipe runs op by op and the server a graph, whose arithmetic TensorFlow may arrange anew.
    np.testing.assert_allclose(pair.open()["image"], oracle.load(pair.content, SIDE), rtol=0, atol=1e-6)


def test_five_steps_are_the_recipes_and_so_are_the_losses(pair: Pair) -> None:
    expected, _ = pair.twenty_steps
    style_losses, content_losses = (
        [float(job[f"{kind}_loss"]) for job in pair.five_served_steps] for kind in ("style", "content")
    )
    assert psnr(pair.five_served_steps[-1]["image"], expected.image) >= 70
    np.testing.assert_allclose(style_losses, expected.style_losses, rtol=1e-3)
    np.testing.assert_allclose(content_losses, expected.content_losses, rtol=1e-3)
    assert content_losses[0] == 0.0 and style_losses[-1] < style_losses[0]


def test_twenty_steps_are_nearly_the_recipes(pair: Pair) -> None:
    job = pair.calls.go_on(pair.five_served_steps[-1], 15, **gentle(pair))
    assert psnr(job["image"], pair.twenty_steps[-1].image) >= 50


def test_other_layers_a_total_variation_and_another_rate_are_the_recipes_too(pair: Pair) -> None:
    chosen = (("block1_conv2", "block3_conv1", "block4_conv4"), ("block3_conv4", "block4_conv2"))
    names = ("style_layer_weights", "content_layer_weights")
    layers = {
        name: weights_of(LAYERS, **dict.fromkeys(kinds, 2.0))
        for name, kinds in zip(names, chosen, strict=True)
    }
    settings = {**GENTLE, "total_variation_weight": 1e-3, "learning_rate": 0.05}
    job = pair.calls.go_on(pair.open(**layers), 5, **layers, **settings)
    (expected,) = pair.recipe(5, layers=chosen, **settings)
    assert psnr(job["image"], expected.image) >= 70
    assert job["style_loss"] == pytest.approx(expected.style_losses[-1], rel=1e-3)
    assert job["content_loss"] == pytest.approx(expected.content_losses[-1], rel=1e-3)


def test_the_one_call_gives_the_recipes_bytes(pair: Pair) -> None:
    content, style = (np.array(255 * oracle.load(p, SIDE), np.uint8) for p in (pair.content, pair.style))
    transferrer = oracle.StyleTransferrer(pair.keras_model)
    (expected,) = transferrer.transfers(
        *(oracle.load(picture, SIDE) for picture in (content, style)), steps=[5], **gentle(pair)
    )
    served = pair.calls.predict("serving_default", content=content, style=style, steps=5, **gentle(pair))
    # A pixel may lie on either side of a whole number.
    assert np.abs(served["image"].astype(int) - expected.pixels).max() <= 1


def test_a_version_says_which_weights_are_inside(pair: Pair, tmp_path: Path) -> None:
    described = pair.calls.predict("describe")
    assert described["weights"].item().decode() == str(pair.weights.provenance)
    assert described["compute"].item() == b"float32"
    assert tuple(name.decode() for name in described["layers"]) == LAYERS
