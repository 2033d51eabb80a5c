"""Bad requests to the transfer model: each is refused by the graph itself, whatever client sends it."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest

from images.pictures import pixels
from toys.transfer_models import (
    LAYER_COUNT,
    TransferCalls,
    layer_weights,
    serve_transfer,
    tiny_arrays,
    write_transfer,
)

CONTENT = pixels(40, 52)
STYLE = pixels(34, 29, seed=1)
NAN, INFINITE = float("nan"), float("inf")
ONES = [1.0] * LAYER_COUNT


@pytest.fixture(scope="module")
def calls(transfer_calls: TransferCalls) -> TransferCalls:
    return transfer_calls


@pytest.fixture(scope="module")
def job(calls: TransferCalls) -> dict[str, Any]:
    return calls.begin(calls.predict("open", content=CONTENT, style=STYLE)) | {"steps": 1}


def refusal(calls: TransferCalls, signature: str, **inputs: Any) -> str:
    """The server's words, after checking the status."""
    with pytest.raises(grpc.RpcError) as caught:
        calls.predict(signature, **inputs)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return str(caught.value.details())


WEIGHTS = [
    ({name: value}, f"{name} must be 0 to 1e+10, not")
    for name in ("style_weight", "content_weight", "total_variation_weight")
    for value in (-1.0, 2e10, NAN, INFINITE)
]
LAYERS = [
    ({name: value}, f"{name} must {words}")
    for name in ("style_layer_weights", "content_layer_weights")
    for value, words in (
        (
            [1.0] * 5,
            f"hold {LAYER_COUNT} numbers, one for each candidate layer (see the signature describe), or none; "
            "it holds] [5]",
        ),
        ([*ONES, 1.0], f"hold {LAYER_COUNT} numbers"),
        ([0.0] * LAYER_COUNT, "not be all zero"),
        ([*ONES[1:], -1.0], "be 0 to 1e+06, not"),
        ([*ONES[1:], NAN], "be 0 to 1e+06, not"),
        ([*ONES[1:], 2e6], "be 0 to 1e+06, not"),
    )
]
SETTINGS = [
    ({"steps": -1}, "steps must be 0 to 60, not] [-1]"),
    ({"steps": 61}, "steps must be 0 to 60, not] [61]"),
    ({"learning_rate": -0.01}, "learning_rate must be 0 to 1, not"),
    ({"learning_rate": 1.5}, "learning_rate must be 0 to 1, not"),
    ({"learning_rate": NAN}, "learning_rate must be 0 to 1, not"),
    (
        {"style_weight": 0.0, "content_weight": 0.0},
        "style_weight, content_weight, total_variation_weight must not all be zero",
    ),
    *WEIGHTS,
    *LAYERS,
]


@pytest.mark.parametrize("signature", ["serving_default", "optimize"])
@pytest.mark.parametrize(("bad", "words"), SETTINGS, ids=lambda value: str(value)[:40])
def test_a_setting_out_of_range_is_named_with_its_range(
    calls: TransferCalls, job: dict[str, Any], signature: str, bad: dict[str, Any], words: str
) -> None:
    pictures = {"content": CONTENT, "style": STYLE, "steps": 1}
    good = pictures if signature == "serving_default" else {**_optimize_inputs(job)}
    assert words in refusal(calls, signature, **{**good, **bad})


@pytest.mark.parametrize(("bad", "words"), LAYERS, ids=lambda value: str(value)[:40])
def test_layer_weights_are_checked_when_a_job_is_opened(
    calls: TransferCalls, bad: dict[str, Any], words: str
) -> None:
    assert words in refusal(calls, "open", content=CONTENT, style=STYLE, **bad)
    if "style_layer_weights" in bad:
        assert words in refusal(calls, "open_style", style=STYLE, **bad)


@pytest.mark.parametrize("side", [0, 1, 15])
def test_a_picture_too_small_is_named(calls: TransferCalls, side: int) -> None:
    small, good = np.zeros((side, 40, 3), np.uint8), CONTENT
    for pictures in ({"content": small, "style": good}, {"content": good, "style": small}):
        name = next(name for name, picture in pictures.items() if picture is small)
        expected = "at least one pixel" if side == 0 else "height and width must be 16 pixels or more"
        for signature, more in (("serving_default", {"steps": 1}), ("open", {})):
            words = refusal(calls, signature, **pictures, **more)
            assert f"[{name}" in words and expected in words
    if side:
        image = np.zeros((40, side, 3))
        words = refusal(
            calls, "optimize", image=image, m=image, v=image, style_targets=[], content_targets=[]
        )
        assert "image: height and width must be 16 pixels or more" in words


def test_a_size_out_of_range_is_refused(calls: TransferCalls) -> None:
    for size in ([15, 40], [40, 15], [0, 40], [-16, -16], [142, 142], [2**31 - 1, 2**31 - 1]):
        for given, picture in (("size", "content"), ("style_size", "style")):
            words = refusal(calls, "open", content=CONTENT, style=STYLE, **{given: size})
            assert (
                f"{picture}: height and width must be 16 pixels or more, and their product at most 20000"
                in words
            )
        assert "style: height" in refusal(calls, "open_style", style=STYLE, style_size=size)
    image = np.zeros((40, 52, 3))
    for size in ([0, 40], [-1, -1], [200, 101], [2**31 - 1, 2**31 - 1]):
        for signature in ("resize", "close"):
            assert "size: height and width must be 1 pixel or more" in refusal(
                calls, signature, image=image, size=size
            )
    assert "size: height and width must be 1 pixel" in refusal(calls, "resize", image=image, size=[0, 0])
    assert "longest_side must be 1" in refusal(calls, "describe", longest_side=0)
    assert "size must be 0 or more" in refusal(calls, "describe", size=[-1, 5])


@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE, 1.5, -1.0])
def test_an_image_with_a_number_out_of_range_is_refused(
    calls: TransferCalls, job: dict[str, Any], value: float
) -> None:
    image = job["image"].copy()
    image[3, 4, 1] = value
    words = "image must be numbers in 0..1, as the signature open gives it; numbers that are not:] [1]"
    assert words in refusal(calls, "optimize", **{**_optimize_inputs(job), "image": image})
    assert words in refusal(calls, "optimize", **{**_optimize_inputs(job), "image": image, "steps": 0})
    assert words in refusal(calls, "resize", image=image, size=[20, 20])
    assert words in refusal(calls, "close", image=image)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("m", NAN, "m must be finite numbers (zeros at the start)"),
        ("m", INFINITE, "m must be finite numbers (zeros at the start)"),
        ("v", NAN, "v must be finite numbers of 0 or more (zeros at the start)"),
        ("v", -1.0, "v must be finite numbers of 0 or more (zeros at the start)"),
        ("style_targets", NAN, "style_targets must be finite numbers"),
        ("content_targets", INFINITE, "content_targets must be finite numbers"),
    ],
)
def test_a_number_that_cannot_be_in_a_jobs_state_is_refused(
    calls: TransferCalls, job: dict[str, Any], name: str, value: float, words: str
) -> None:
    broken = job[name].copy()
    broken.flat[7] = value
    assert words in refusal(calls, "optimize", **{**_optimize_inputs(job), name: broken})


def test_moments_of_another_size_are_refused(calls: TransferCalls, job: dict[str, Any]) -> None:
    for name in ("m", "v"):
        for shape in ((52, 40, 3), (1, 1, 3), (0, 0, 3)):
            bad = {**_optimize_inputs(job), name: np.zeros(shape)}
            assert f"{name} must have the shape of image" in refusal(calls, "optimize", **bad)


def test_targets_of_another_size_or_of_other_layers_are_refused(
    calls: TransferCalls, job: dict[str, Any]
) -> None:
    for name in ("style_targets", "content_targets"):
        for bad in (job[name][:-1], np.append(job[name], 0), np.zeros(0)):
            words = refusal(calls, "optimize", **{**_optimize_inputs(job), name: bad})
            assert f"{name} must be what open gave" in words
            assert f"[{job[name].size} {bad.size}]" in words
    fewer = {"style_layer_weights": layer_weights(block1_conv1=1)}
    assert "style_targets must be what open gave" in refusal(
        calls, "optimize", **_optimize_inputs(job), **fewer
    )


def test_an_iteration_or_a_mask_out_of_range_is_refused(calls: TransferCalls, job: dict[str, Any]) -> None:
    inputs = _optimize_inputs(job)
    for iteration in (-1, 2_000_000_000):
        words = refusal(calls, "optimize", **{**inputs, "iteration": iteration})
        assert "iteration must be 0 to 1000000000" in words
    for mask in (np.ones(40 * 52 - 1), np.ones(1)):
        words = refusal(calls, "optimize", **inputs, mask=mask)
        assert "mask must hold one number for each pixel of image" in words
    for value in (-0.1, 1.1, NAN):
        mask = np.ones(40 * 52)
        mask[9] = value
        assert "mask must be numbers in 0..1; numbers that are not:] [1]" in refusal(
            calls, "optimize", **inputs, mask=mask
        )


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("serving_default", {"content": (1, 40, 52, 3), "style": (40, 52, 3)}),
        ("serving_default", {"content": (40, 52, 3), "style": (40, 52)}),
        ("serving_default", {"content": (40, 52, 4), "style": (40, 52, 3)}),
        ("open", {"content": (40, 52, 3), "style": (40, 52, 3), "size": (1,)}),
        ("open_style", {"style": (40, 52, 1)}),
        ("resize", {"image": (40, 52, 3), "size": ()}),
        ("close", {"image": (1, 40, 52, 3)}),
        ("describe", {"size": (3,)}),
    ],
    ids=str,
)
def test_a_tensor_of_the_wrong_shape_is_refused(
    calls: TransferCalls, signature: str, inputs: dict[str, tuple[int, ...]]
) -> None:
    # TensorFlow Serving does not compare shapes with the signature: it feeds what it gets.
    tensors = {name: np.ones(shape) for name, shape in inputs.items()}
    assert "not compatible with expected shape" in refusal(calls, signature, **tensors)


def test_losses_beyond_the_range_of_numbers_are_refused_rather_than_returned(tmp_path_factory: Any) -> None:
    loud = {name: array * 6.0 for name, array in tiny_arrays().items()}
    root = tmp_path_factory.mktemp("loud")
    write_transfer(root, arrays=loud)
    with serve_transfer(root) as calls:
        words = refusal(calls, "serving_default", content=CONTENT, style=STYLE, steps=2, style_weight=1e10)
    assert "the losses left the range of float32: lower style_weight" in words


def test_the_server_goes_on_after_refusals(calls: TransferCalls, job: dict[str, Any]) -> None:
    before = calls.predict("optimize", **_optimize_inputs(job))["image"]
    refusal(calls, "optimize", **{**_optimize_inputs(job), "steps": -1})
    refusal(calls, "open", content=CONTENT[:3], style=STYLE)
    after = calls.predict("optimize", **_optimize_inputs(job))["image"]
    np.testing.assert_array_equal(after, before)


def _optimize_inputs(job: dict[str, Any]) -> dict[str, Any]:
    names = ("image", "m", "v", "iteration", "style_targets", "content_targets", "steps")
    return {name: job[name] for name in names}
