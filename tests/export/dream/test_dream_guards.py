"""Bad requests to the dream model: each is refused by the graph itself, whatever client sends it."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from images.pictures import pixels
from impasto.export import checks
from toys import dream_models
from toys.dream_calls import Predict

IMAGE = pixels(40, 52)
STATE = np.zeros((40, 52, 3), np.float32)
MOST_STEPS = dream_models.LIMITS.maximum_steps
RESULT = "height and width must be 1 pixel or more, and their product at most 40000"
NAN = float("nan")
INFINITE = float("inf")


@pytest.fixture(scope="module")
def predict(dream_calls: Predict) -> Predict:
    return dream_calls


def refusal(predict: Predict, signature: str, **inputs: Any) -> str:
    """The server's words, after checking the status."""
    with pytest.raises(grpc.RpcError) as caught:
        predict(signature, **inputs)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return str(caught.value.details())


SETTINGS = [
    ({"steps": -1}, f"steps must be 0 to {MOST_STEPS}, not"),
    ({"steps": MOST_STEPS + 1}, f"steps must be 0 to {MOST_STEPS}, not"),
    ({"step_size": -0.01}, "step_size must be 0 to 1, not"),
    ({"step_size": 1.5}, "step_size must be 0 to 1, not"),
    ({"step_size": NAN}, "step_size must be 0 to 1, not"),
    ({"step_size": INFINITE}, "step_size must be 0 to 1, not"),
    ({"tile": -1}, "tile must be 0 (none) or at least 16 pixels"),
    ({"tile": 15}, "tile must be 0 (none) or at least 16 pixels"),
    ({"layer_weights": [0, 0, 0]}, "layer_weights must not be all zero"),
    ({"layer_weights": [1, 1]}, "layer_weights must hold 3 numbers"),
    ({"layer_weights": [1, 1, 1, 1]}, "layer_weights must hold 3 numbers"),
    ({"layer_weights": [1, NAN, 1]}, "layer_weights must be -1e+06 to 1e+06"),
    ({"layer_weights": [1, INFINITE, 1]}, "layer_weights must be -1e+06 to 1e+06"),
    ({"layer_weights": [1, 2e6, 1]}, "layer_weights must be -1e+06 to 1e+06"),
]


@pytest.mark.parametrize("signature", ["serving_default", "ascend", "ascend_guided"])
@pytest.mark.parametrize(("bad", "words"), SETTINGS, ids=lambda value: str(value)[:40])
def test_a_setting_out_of_range_is_named_with_its_range(
    predict: Predict, signature: str, bad: dict[str, Any], words: str
) -> None:
    pictures: dict[str, dict[str, Any]] = {
        "serving_default": {"image": IMAGE, "octaves": [0]},
        "ascend": {"state": STATE},
        "ascend_guided": {"state": STATE, "guide": IMAGE},
    }
    assert words in refusal(predict, signature, **{**pictures[signature], "steps": 1, **bad})


@pytest.mark.parametrize("signature", ["serving_default", "describe"])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"octaves": []}, "octaves must hold 1 to 32 numbers"),
        ({"octaves": [0] * 33}, "octaves must hold 1 to 32 numbers"),
        ({"octave_scale": 0.0}, "octave_scale must be 0.1 to 10"),
        ({"octave_scale": -1.3}, "octave_scale must be 0.1 to 10"),
        ({"octave_scale": 11.0}, "octave_scale must be 0.1 to 10"),
        ({"octave_scale": NAN}, "octave_scale must be 0.1 to 10"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_octaves_out_of_range_are_named_with_their_range(
    predict: Predict, signature: str, bad: dict[str, Any], words: str
) -> None:
    picture: dict[str, Any] = (
        {"image": IMAGE, "steps": 1} if signature == "serving_default" else {"size": [40, 52]}
    )
    assert words in refusal(predict, signature, **{**picture, **bad})


def test_every_octaves_size_is_checked_before_the_first_is_computed(predict: Predict) -> None:
    for octaves in ([-8], [0, -8], [0, 1, -8], [-100]):
        words = refusal(predict, "serving_default", image=IMAGE, octaves=octaves, steps=MOST_STEPS)
        assert "a height and width of 8 pixels or more" in words
    for octaves in ([30], [0, 30], [0, 2_000_000_000]):
        assert "size: at most" in refusal(
            predict, "serving_default", image=IMAGE, octaves=octaves, steps=1, tile=16
        )


def test_an_octave_too_large_to_be_taken_whole_asks_for_tiles(predict: Predict) -> None:
    state = np.zeros((160, 160, 3), np.float32)
    assert "set tile" in refusal(predict, "ascend", state=state, steps=1)
    assert "set tile" in refusal(predict, "ascend", state=state, steps=1, tile=160)
    assert predict("ascend", state=state, steps=1, tile=80)["state"].shape == (160, 160, 3)


def test_a_state_that_is_too_small_for_the_network_is_refused(predict: Predict) -> None:
    for height, width in ((7, 40), (40, 7), (1, 1), (0, 40), (0, 0)):
        words = refusal(predict, "ascend", state=np.zeros((height, width, 3)), steps=1)
        assert "8 pixels or more" in words


@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE, 1.5, -127.0])
def test_a_state_with_a_number_out_of_range_is_refused(predict: Predict, value: float) -> None:
    state = STATE.copy()
    state[3, 4, 1] = value
    for signature, others in (
        ("ascend", {"steps": 1}),
        ("ascend", {"steps": 0}),
        ("ascend_guided", {"steps": 1, "guide": IMAGE}),
        ("close", {"size": [40, 52]}),
    ):
        assert "state must be numbers in -1..1" in refusal(predict, signature, state=state, **others)


def test_a_first_step_out_of_range_is_refused(predict: Predict) -> None:
    for first_step in (-1, 2_000_000_000):
        words = refusal(predict, "ascend", state=STATE, steps=1, first_step=first_step)
        assert "first_step must be 0 to 1000000000" in words


def test_sizes_out_of_range_are_refused(predict: Predict) -> None:
    for size in ([7, 40], [0, 0], [-40, -40], [-1, 40]):
        assert "8 pixels or more" in refusal(predict, "open", image=IMAGE, size=size)
    assert "size: at most 40000 pixels" in refusal(predict, "open", image=IMAGE, size=[2**31 - 1, 2**31 - 1])
    for size in ([0, 40], [-5, 40]):
        assert f"size: {RESULT}" in refusal(predict, "close", state=STATE, size=size)
    assert f"size: {RESULT}" in refusal(predict, "close", state=STATE, size=[201, 200])
    assert f"size: {RESULT}" in refusal(
        predict, "serving_default", image=np.zeros((201, 200, 3)), octaves=[-2], steps=1
    )


def test_a_picture_without_a_pixel_is_refused(predict: Predict) -> None:
    assert "at least one pixel" in refusal(predict, "open", image=np.zeros((0, 5, 3)), size=[40, 40])
    assert f"size: {RESULT}" in refusal(predict, "serving_default", image=np.zeros((0, 5, 3)), steps=1)
    assert "at least one pixel" in refusal(predict, "close", state=np.zeros((5, 0, 3)), size=[40, 40])


def test_a_guide_out_of_range_is_refused(predict: Predict) -> None:
    for height, width in ((7, 40), (40, 513), (0, 0)):
        words = refusal(predict, "ascend_guided", state=STATE, guide=np.zeros((height, width, 3)), steps=1)
        assert "guide must be 8 to 512 pixels" in words


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("serving_default", {"image": (40, 52), "steps": ()}),
        ("serving_default", {"image": (40, 52, 1), "steps": ()}),
        ("serving_default", {"image": (40, 52, 6), "steps": ()}),
        ("serving_default", {"image": (1, 40, 52, 3), "steps": ()}),
        ("serving_default", {"image": (40, 52, 3), "steps": (1,)}),
        ("serving_default", {"image": (40, 52, 3), "steps": (), "octaves": (1, 1)}),
        ("open", {"image": (40, 52, 3), "size": (1,)}),
        ("open", {"image": (40, 52, 3), "size": (3,)}),
        ("ascend", {"state": (1, 40, 52, 3), "steps": ()}),
        ("ascend", {"state": (40, 52, 6), "steps": ()}),
        ("ascend", {"state": (40, 52, 3), "steps": (), "layer_weights": ()}),
        ("ascend_guided", {"state": (40, 52, 3), "steps": (), "guide": (40, 52, 1)}),
        ("close", {"state": (52, 3), "size": (2,)}),
    ],
    ids=str,
)
def test_a_tensor_of_the_wrong_shape_is_refused(
    predict: Predict, signature: str, inputs: dict[str, tuple[int, ...]]
) -> None:
    # TensorFlow Serving does not compare shapes with the signature: it feeds what it gets.
    tensors = {name: np.ones(shape) for name, shape in inputs.items()}
    assert "not compatible with expected shape" in refusal(predict, signature, **tensors)


def test_the_server_goes_on_after_refusals(predict: Predict) -> None:
    before = predict("serving_default", image=IMAGE, octaves=[0], steps=2)["image"]
    refusal(predict, "serving_default", image=IMAGE, octaves=[-8], steps=2)
    refusal(predict, "ascend", state=STATE, steps=-1)
    after = predict("serving_default", image=IMAGE, octaves=[0], steps=2)["image"]
    np.testing.assert_array_equal(after, before)


def test_the_numbers_of_a_state_are_counted_only_where_one_is_bad() -> None:
    """What is counted takes twice the memory of the state, in each call."""

    def checked(state: tf.Tensor) -> tf.Tensor:
        return checks.numbers("state", state, tf.math.is_finite(state), "finite")

    function = tf.function(checked, autograph=False).get_concrete_function(tf.TensorSpec([None]))
    assert {op.type for op in function.graph.get_operations()} >= {"IsFinite", "All"}
    assert "Sum" not in {op.type for op in function.graph.get_operations()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"numbers that are not:.* \[2\]"):
        function(tf.constant([0.0, float("nan"), float("inf")]))
