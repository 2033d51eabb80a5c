"""The transfer model's signatures over gRPC, on a narrow random network: chunks, mixtures, masks, sizes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from images.pictures import pixels
from impasto.client.signatures import TRANSFER
from impasto.export import contract
from impasto.export.stateless import assert_stateless
from toys.transfer_models import (
    FILTERS,
    LAYER_COUNT,
    LIMITS,
    WEIGHTS,
    TransferCalls,
    layer_weights,
)

CONTENT = pixels(40, 52)
STYLE = pixels(34, 29, seed=1)[:, ::-1]
OTHER = 255 - pixels(30, 30, seed=2)
SETTINGS = {"style_weight": 0.3, "content_weight": 2.0, "total_variation_weight": 0.1, "learning_rate": 0.03}


@pytest.fixture(scope="module")
def calls(transfer_calls: TransferCalls) -> TransferCalls:
    return transfer_calls


def opened(calls: TransferCalls, **inputs: Any) -> dict[str, Any]:
    return calls.predict("open", content=CONTENT, style=STYLE, **inputs)


def in_chunks(
    calls: TransferCalls, job: dict[str, Any], chunks: list[int], **settings: Any
) -> dict[str, Any]:
    for steps in chunks:
        job = calls.go_on(job, steps, **settings)
    return job


def assert_equal_jobs(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in TRANSFER.signatures["optimize"].outputs:
        np.testing.assert_array_equal(one[name.name], other[name.name])


def test_it_keeps_the_contract_and_no_state(transfer_repository: Path) -> None:
    version = transfer_repository / TRANSFER.name / "1"
    contract.check(TRANSFER, version)
    assert_stateless(version)


@pytest.mark.parametrize("chunks", [[12], [1, 11], [5, 0, 7], [1] * 12], ids=str)
def test_a_transfer_in_chunks_equals_the_one_call_bit_for_bit(
    calls: TransferCalls, chunks: list[int]
) -> None:
    whole = calls.predict("serving_default", content=CONTENT, style=STYLE, steps=12, **SETTINGS)["image"]
    assert (whole != CONTENT).mean() > 0.9
    job = in_chunks(calls, calls.begin(opened(calls)), chunks, **SETTINGS)
    np.testing.assert_array_equal(calls.predict("close", image=job["image"])["image"], whole)
    assert_equal_jobs(job, in_chunks(calls, calls.begin(opened(calls)), [12], **SETTINGS))
    assert job["iteration"] == 12


def test_two_jobs_at_once_give_what_each_gives_alone(calls: TransferCalls) -> None:
    def paint(seed: int) -> dict[str, Any]:
        start = calls.predict("open", content=pixels(40 + seed, 52, seed=seed), style=STYLE)
        return in_chunks(calls, calls.begin(start), [3] * 5, **SETTINGS, style_layer_weights=())

    alone = [paint(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(paint, range(4)))
    for one, other in zip(alone, together, strict=True):
        assert_equal_jobs(one, other)


def test_the_two_pictures_alone_are_enough(calls: TransferCalls) -> None:
    # The contract's 1000 steps are over the narrow model's limit, as they must be refused rather than cut.
    with pytest.raises(Exception, match="steps must be 0 to 60, not"):
        calls.predict("serving_default", content=CONTENT, style=STYLE)
    spelled_out = {
        "style_weight": 1e-2,
        "content_weight": 1e4,
        "total_variation_weight": 0.0,
        "learning_rate": 0.02,
        "style_layer_weights": layer_weights(**{f"block{block}_conv1": 1 for block in range(1, 6)}),
        "content_layer_weights": layer_weights(block5_conv2=1),
    }
    np.testing.assert_array_equal(
        calls.predict("serving_default", content=CONTENT, style=STYLE, steps=3)["image"],
        calls.predict("serving_default", content=CONTENT, style=STYLE, steps=3, **spelled_out)["image"],
    )


def test_steps_bring_the_picture_nearer_to_the_style(calls: TransferCalls) -> None:
    only_style = {"style_weight": 1.0, "content_weight": 0.0}
    first = calls.go_on(calls.begin(opened(calls)), 1, **only_style)
    assert first["style_loss"] > 0.0 and first["content_loss"] == 0.0
    assert calls.go_on(first, 50, **only_style)["style_loss"] < 0.6 * first["style_loss"]


def test_the_content_weight_holds_the_picture_to_its_content(calls: TransferCalls) -> None:
    first = calls.go_on(calls.begin(opened(calls)), 1, **SETTINGS)
    assert first["content_loss"] == 0.0  # it starts there

    def change(content_weight: float) -> float:
        job = calls.go_on(calls.begin(opened(calls)), 30, style_weight=1.0, content_weight=content_weight)
        painted = calls.predict("close", image=job["image"])["image"]
        found = calls.predict("open", content=painted, style=STYLE)["content_targets"]
        return float(np.linalg.norm(found - job["content_targets"]))

    assert change(1e4) < 0.7 * change(0.0)


def test_no_step_changes_nothing_and_sees_no_loss(calls: TransferCalls) -> None:
    job = calls.go_on(calls.begin(opened(calls)), 4, **SETTINGS)
    still = calls.go_on(job, 0, **SETTINGS)
    for name in ("image", "m", "v", "iteration"):
        np.testing.assert_array_equal(still[name], job[name])
    assert still["style_loss"] == still["content_loss"] == still["total_variation_loss"] == 0.0
    assert (
        np.abs(calls.predict("close", image=opened(calls)["image"])["image"].astype(int) - CONTENT).max() <= 1
    )


def test_layer_weights_are_shares_of_their_loss(calls: TransferCalls) -> None:
    def style_loss(**weights: float) -> float:
        layers = {"style_layer_weights": layer_weights(**weights)}
        return float(calls.go_on(calls.begin(opened(calls, **layers)), 1, **SETTINGS, **layers)["style_loss"])

    first, second = style_loss(block1_conv1=5.0), style_loss(block3_conv1=0.1)
    assert style_loss(block1_conv1=1.0, block3_conv1=3.0) == pytest.approx(
        0.25 * first + 0.75 * second, rel=1e-5
    )


def test_styles_are_mixed_by_averaging_their_targets(calls: TransferCalls) -> None:
    start = opened(calls)
    mine = calls.predict("open_style", style=STYLE)["style_targets"]
    # Two graphs, which TensorFlow optimises each by itself.
    np.testing.assert_allclose(start["style_targets"], mine, rtol=1e-5, atol=1e-6 * np.abs(mine).max())
    other = calls.predict("open_style", style=OTHER)["style_targets"]
    assert mine.shape == other.shape == (sum(filters**2 for filters in FILTERS),)

    def distance(weight: float) -> float:
        """Of the painting's own style from the other picture's, when that one counts `weight`."""
        mixed = start | {"style_targets": (1 - weight) * mine + weight * other}
        job = calls.go_on(calls.begin(mixed), 40, style_weight=1.0, content_weight=0.0)
        painted = calls.predict("close", image=job["image"])["image"]
        found = calls.predict("open_style", style=painted)["style_targets"]
        return float(np.linalg.norm(found - other))

    assert distance(1.0) < distance(0.5) < distance(0.0)


def test_a_larger_style_size_gives_other_targets(calls: TransferCalls) -> None:
    own = calls.predict("open_style", style=STYLE)["style_targets"]
    np.testing.assert_array_equal(
        calls.predict("open_style", style=STYLE, style_size=[34, 29])["style_targets"], own
    )
    twice = calls.predict("open_style", style=STYLE, style_size=[68, 58])["style_targets"]
    assert twice.shape == own.shape and (twice != own).any()


def test_a_job_may_start_anywhere(calls: TransferCalls) -> None:
    start = opened(calls)
    noise = np.random.default_rng(0).uniform(0, 1, CONTENT.shape)
    job = calls.go_on(calls.begin(start, noise), 1, **SETTINGS)
    assert job["content_loss"] > 0.0
    later = calls.go_on(job, 40, **SETTINGS)
    assert later["content_loss"] + later["style_loss"] < 0.5 * (job["content_loss"] + job["style_loss"])


def test_a_mask_keeps_what_it_covers_and_slows_what_it_half_covers(calls: TransferCalls) -> None:
    mask = np.ones(CONTENT.shape[:2])
    mask[:10], mask[10:20] = 0.0, 0.5
    start = opened(calls)
    job = in_chunks(calls, calls.begin(start), [2, 3], **SETTINGS, mask=mask.ravel())
    np.testing.assert_array_equal(job["image"][:10], start["image"][:10])
    assert (job["image"][10:] != start["image"][10:]).mean() > 0.9
    step = calls.go_on(calls.begin(start), 1, **SETTINGS, mask=mask.ravel())["image"] - start["image"]
    whole = calls.go_on(calls.begin(start), 1, **SETTINGS)["image"] - start["image"]
    inside = (start["image"] > 0.1) & (start["image"] < 0.9)  # where a step is not cut off
    np.testing.assert_allclose(step[10:20][inside[10:20]], 0.5 * whole[10:20][inside[10:20]], atol=1e-6)
    np.testing.assert_array_equal(step[20:], whole[20:])


def test_total_variation_smooths(calls: TransferCalls) -> None:
    def roughness(weight: float) -> float:
        job = calls.go_on(calls.begin(opened(calls)), 20, style_weight=0.1, total_variation_weight=weight)
        return float(np.abs(np.diff(job["image"], axis=0)).mean())

    assert roughness(1e3) < 0.8 * roughness(0.0)


def test_from_coarse_to_fine(calls: TransferCalls) -> None:
    image = None
    for side in (24, 40):
        size = calls.predict("describe", size=CONTENT.shape[:2], longest_side=side)["size"]
        start = opened(calls, size=size)
        if image is not None:
            image = calls.predict("resize", image=image, size=size)["image"]
            assert image.shape == start["image"].shape == (*size, 3)
        image = calls.go_on(calls.begin(start, image), 3, **SETTINGS)["image"]
    assert calls.predict("close", image=image, size=[80, 104])["image"].shape == (80, 104, 3)


def test_resizing_to_the_same_size_changes_nothing(calls: TransferCalls) -> None:
    image = np.random.default_rng(0).uniform(0, 1, (30, 20, 3)).astype(np.float32)
    np.testing.assert_array_equal(calls.predict("resize", image=image, size=[30, 20])["image"], image)
    np.testing.assert_array_equal(
        calls.predict("close", image=image)["image"], (255 * image).astype(np.uint8)
    )


@pytest.mark.parametrize("size", [(16, 16), (16, 400), (17, 31), (140, 142)], ids=str)
@pytest.mark.parametrize("style_size", [(16, 90), (140, 142)], ids=str)
def test_pictures_of_any_two_sizes(
    calls: TransferCalls, size: tuple[int, int], style_size: tuple[int, int]
) -> None:
    content, style = pixels(*size), pixels(*style_size, seed=1)
    painted = calls.predict("serving_default", content=content, style=style, steps=2, **SETTINGS)["image"]
    assert painted.shape == content.shape


def test_flat_pictures_give_finite_numbers(calls: TransferCalls) -> None:
    for value in (0, 128, 255):
        flat = np.full((20, 24, 3), value, np.uint8)
        start = calls.predict("open", content=flat, style=flat)
        job = calls.go_on(calls.begin(start), 5, total_variation_weight=1.0)
        assert all(np.isfinite(job[name]).all() for name in ("image", "m", "v", "style_loss", "content_loss"))


def test_describe_names_the_layers_and_what_suits_them(calls: TransferCalls) -> None:
    described = calls.predict("describe")
    assert described["backbone"].item() == b"vgg19"
    assert described["weights"].item().decode() == WEIGHTS
    assert described["layers"].shape == (LAYER_COUNT,)
    assert described["style_layer_weights"].sum() == 5 and described["content_layer_weights"][-1] == 1
    assert described["maximum_steps"] == LIMITS.maximum_steps
    assert described["maximum_pixels"] == LIMITS.maximum_pixels
    assert described["minimum_side"] == 16


@pytest.mark.parametrize(
    ("size", "longest_side", "expected"),
    [
        ([300, 451], 512, [340, 512]),
        ([400, 600], 256, [170, 256]),
        ([7, 7], 40, [40, 40]),
        ([1, 4000], 512, [0, 512]),
        ([0, 0], 512, [0, 0]),
    ],
    ids=str,
)
def test_describe_scales_a_size(
    calls: TransferCalls, size: list[int], longest_side: int, expected: list[int]
) -> None:
    described = calls.predict("describe", size=size, longest_side=longest_side)
    assert described["size"].tolist() == expected


def test_a_fine_run_in_chunks_equals_one_call_bit_for_bit_and_averages(calls: TransferCalls) -> None:
    fine = {"loss_kind": 1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8, "average_decay": 0.9} | SETTINGS
    whole = calls.go_on(calls.begin(opened(calls)), 12, **fine)
    job, pictures, done = calls.begin(opened(calls)), [], 0
    for steps in [1] * 5 + [0, 7]:
        job = calls.go_on(job, steps, **fine, averaged=done)
        pictures += [job["image"]] * (steps == 1)
        done += steps
        if done == 5:
            weights = 0.9 ** np.arange(4, -1, -1.0)
            expected = np.tensordot(weights / weights.sum(), np.array(pictures, np.float64), 1)
            np.testing.assert_allclose(job["average"], expected.ravel(), atol=2e-6)
    assert_equal_jobs(job, whole)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"loss_kind": 2}, "loss_kind must be 0 to 1"),
        ({"beta_2": 1.0}, "beta_2 must be 0 to 0.999999"),
        ({"epsilon": 0.0}, "epsilon must be 1e-12 to 1"),
        ({"average_decay": 1.0}, "average_decay must be 0 to 0.999999"),
        ({"averaged": 3}, "average must hold the numbers of the image"),
        ({"average": [0.5]}, "average must hold the numbers of the image"),
    ],
)
def test_what_a_fine_run_cannot_take_is_refused(
    calls: TransferCalls, inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(grpc.RpcError, match=words):
        calls.go_on(calls.begin(opened(calls)), 1, **inputs)
