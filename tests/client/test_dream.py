"""A dream in many calls is the dream in one call, and what the client adds to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import pixels
from impasto.client import Client, Dream, DreamProgress, Model
from impasto.client.errors import InvalidInput, ModelNotFound, ServerUnavailable
from impasto.client.pictures import keep_colours
from servers.model_servers import ModelServer, serving
from toys.dream_models import LAYERS, MINIMUM_SIDE, WEIGHTS

PICTURE = pixels(40, 60)
SMALL = pixels(24, 36)
"""For what is dreamt again and again; a tile of 17 is smaller."""


@pytest.fixture(scope="module")
def client(dream_server: ModelServer) -> Iterator[Client]:
    with Client(dream_server.address) as client:
        yield client


def in_one_call(client: Client, image: NDArray[np.uint8], **inputs: Any) -> NDArray[np.uint8]:
    """What serving_default makes of `image`."""
    return client.predict("dream", {"image": image, **inputs})["image"]


def dreamt(client: Client, image: Any = PICTURE, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(client.dream(image, **options))


FINE: dict[str, Any] = {
    "steps": 20,
    "step_size": 0.015,
    "octave_scale": 1.3,
    "octaves": [-2, -1, 0],
    "smoothing": [0.5, 1.0, 2.0],
    "shift": 16,
    "fade_in": 5,
    "details": 1.0,
}


def test_the_defaults_are_the_recipe_fine_on_the_models_layers(client: Client) -> None:
    many = dreamt(client)
    assert np.array_equal(many, in_one_call(client, PICTURE, layer_weights=[0, 1, 2], **FINE))
    assert np.array_equal(many, dreamt(client, recipe="fine"))


def test_the_classic_recipe_is_the_models_suggestions_and_nothing_else(client: Client) -> None:
    one = in_one_call(
        client, PICTURE, steps=4, step_size=0.02, octave_scale=1.3, octaves=[-1, 0], layer_weights=[0, 1, 2]
    )
    many = dreamt(client, recipe="classic")
    assert np.array_equal(many, one)
    assert not np.array_equal(many, PICTURE)


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        (
            {"steps": 47, "layers": ["shallow", ("deep", -0.5)]},
            {"steps": 47, "layer_weights": [1.0, 0, -0.5]},
        ),
        ({"octaves": [2, -3, 0], "octave_scale": 1.31}, {"octaves": [2, -3, 0], "octave_scale": 1.31}),
        ({"step_size": 0.1, "octaves": [1]}, {"step_size": 0.1, "octaves": [1]}),
        ({"steps": 20, "tile": 17, "seed": 5}, {"steps": 20, "tile": 17, "seed": 5}),
        ({"steps": 0}, {"steps": 0}),
        ({"seed": 7}, {"seed": 7}),
    ],
)
def test_many_calls_equal_one_bit_for_bit_and_what_is_given_goes_before_the_recipe(
    client: Client, options: dict[str, Any], inputs: dict[str, Any]
) -> None:
    suggested: dict[str, Any] = {"steps": 4, "step_size": 0.02, "octave_scale": 1.3, "octaves": [-1, 0]}
    for recipe, own in (("classic", suggested), ("fine", FINE)):
        many = dreamt(client, SMALL, recipe=recipe, **options)
        assert np.array_equal(many, in_one_call(client, SMALL, **own | inputs)), recipe


@pytest.mark.parametrize("tile", [0, 17])
def test_the_cuts_make_no_difference(client: Client, tile: int) -> None:
    options: dict[str, Any] = {"steps": 12, "tile": tile}
    whole = dreamt(client, SMALL, **options)
    for every in (1, 5, 1000):
        (*_, last) = client.iterate(Dream(SMALL, **options), every=every)
        assert np.array_equal(np.asarray(last.preview()), whole)


def test_more_steps_than_one_call_may_take_are_cut(client: Client) -> None:
    assert client.describe_dream().maximum_steps == 100
    (*_, last) = client.iterate(Dream(PICTURE, steps=120, octaves=[0], layers=["shallow"]))
    assert last.done == 120
    with pytest.raises(InvalidInput, match="steps must be 0 to 100"):
        in_one_call(client, PICTURE, steps=120)


@pytest.mark.parametrize("options", [{"recipe": "classic", "tile": 17}, {}])
def test_the_shifts_depend_on_the_seed(client: Client, options: dict[str, Any]) -> None:
    first, second = (dreamt(client, seed=seed, **options) for seed in (1, 2))
    assert not np.array_equal(first, second)
    first, second = (dreamt(client, recipe="classic", seed=seed) for seed in (1, 2))
    assert np.array_equal(first, second)


def test_progress_runs_from_the_start_to_the_result(client: Client) -> None:
    seen: list[DreamProgress] = []
    result = client.run(Dream(PICTURE, steps=30, octaves=[-1, 0, 1]), on_progress=seen.append)
    assert (seen[0].done, seen[0].fraction, seen[0].loss, seen[0].seconds_left) == (0, 0.0, None, None)
    assert (seen[-1].done, seen[-1].total, seen[-1].fraction, seen[-1].seconds_left) == (90, 90, 1.0, 0.0)
    assert np.array_equal(np.asarray(seen[-1].preview()), np.asarray(result))
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert {p.octave for p in seen} == {1, 2, 3}
    for progress in seen[1:]:
        assert progress.done == (progress.octave - 1) * 30 + progress.step
        assert (progress.octaves, progress.steps) == (3, 30)
        assert progress.loss is not None
        assert progress.seconds_left is not None


def test_dreaming_raises_the_loss(client: Client) -> None:
    losses = [
        p.loss for p in client.iterate(Dream(PICTURE, steps=40, octaves=[0]), every=1) if p.loss is not None
    ]
    assert losses[-1] > losses[0]


def test_every_gives_progress_at_each_multiple(client: Client) -> None:
    seen = {progress.done for progress in client.iterate(Dream(PICTURE, steps=50), every=15)}
    assert {15, 30, 45, 60, 75, 90} <= seen
    for every, words in ((0, "0; it must be 1 to 1000000000"), (1.5, "1.5; it must be a whole number")):
        with pytest.raises(InvalidInput, match=f"every is {words}"):
            next(client.iterate(Dream(PICTURE), every=cast(Any, every)))


def test_the_words_of_a_progress(client: Client) -> None:
    first, *_, last = client.iterate(Dream(PICTURE, steps=4, octaves=[-1, 0]))
    assert str(first) == "octave 1/2  step 0/4"
    assert str(last) == f"octave 2/2  step 4/4  loss {last.loss:.4g}  0:00 left"


def test_a_preview_is_the_picture_so_far_at_its_own_size(client: Client) -> None:
    steps = client.iterate(Dream(PICTURE, steps=4, octaves=[-1, 0]), every=1)
    previews = [np.asarray(progress.preview()) for progress in steps]
    assert {preview.shape for preview in previews} == {PICTURE.shape}
    assert np.array_equal(previews[0], PICTURE)
    changes = [np.abs(preview.astype(int) - previews[-1]).mean() for preview in previews]
    assert changes[0] > changes[5] > changes[-1] == 0


def test_a_preview_within_the_last_octave_is_what_fewer_steps_would_give(client: Client) -> None:
    for progress in client.iterate(Dream(PICTURE, steps=9, octaves=[0]), every=3):
        if progress.done in (3, 6):
            assert np.array_equal(
                np.asarray(progress.preview()), dreamt(client, steps=progress.done, octaves=[0])
            )


def test_one_may_stop_when_one_likes(client: Client) -> None:
    steps = client.iterate(Dream(PICTURE, steps=10_000_000))
    for progress in steps:
        if progress.done >= 20:
            break
    steps.close()
    assert progress.preview().size == (60, 40)


def test_transparency_gray_and_profile_are_kept(client: Client) -> None:
    alpha = pixels(40, 60, None, seed=3)
    image = Image.fromarray(np.dstack([PICTURE, alpha]))
    image.info["dpi"] = (72, 72)
    dream = client.dream(image)
    assert (dream.mode, dream.info["dpi"]) == ("RGBA", (72, 72))
    assert np.array_equal(np.asarray(dream.getchannel("A")), alpha)
    assert np.array_equal(np.asarray(dream.convert("RGB")), dreamt(client))
    gray = client.dream(PICTURE[:, :, 0])
    assert gray.mode == "L"
    colour = dreamt(client, np.repeat(PICTURE[:, :, :1], 3, axis=2))
    assert np.array_equal(np.asarray(gray), np.asarray(Image.fromarray(colour).convert("L")))


def test_an_upright_picture_is_what_dreams(client: Client, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    Image.fromarray(np.rot90(PICTURE).copy()).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(dreamt(client, tmp_path / "turned.png"), dreamt(client))


def test_colours_may_be_kept(client: Client) -> None:
    vivid = np.zeros((40, 60, 3), np.uint8)
    vivid[:, :30], vivid[:, 30:] = (190, 60, 60), (60, 60, 190)
    free, kept = dreamt(client, vivid), dreamt(client, vivid, preserve_color=True)
    assert np.array_equal(kept, keep_colours(vivid, free))

    def ycbcr(image: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(Image.fromarray(image).convert("YCbCr")).astype(np.int64)

    inside = ((kept > 0) & (kept < 255)).all(axis=2)  # elsewhere a channel was cut off
    assert inside.mean() > 0.5
    assert np.abs(ycbcr(kept) - ycbcr(vivid))[inside][:, 1:].max() <= 2
    assert np.abs(ycbcr(kept) - ycbcr(free))[inside][:, 0].max() <= 2


def test_a_guide_draws_the_dream_elsewhere(client: Client) -> None:
    guides = [pixels(30, 30, seed=7), 255 - pixels(30, 30, seed=7)]
    plain, *guided = [dreamt(client)] + [dreamt(client, guide=guide) for guide in guides]
    assert len({image.tobytes() for image in (plain, *guided)}) == 3


def test_a_guided_dream_is_cut_without_a_difference(client: Client) -> None:
    guide = pixels(30, 30, seed=7)
    opened = client.predict("dream", {"image": PICTURE, "size": [40, 60]}, signature="open")["state"]
    inputs = {"state": opened, "guide": guide, "steps": 13, "step_size": 0.02}
    options: dict[str, Any] = {"recipe": "classic", "guide": guide}
    ascended = client.predict("dream", inputs, signature="ascend_guided")["state"]
    one = client.predict("dream", {"state": ascended, "size": [40, 60]}, signature="close")["image"]
    assert np.array_equal(dreamt(client, **options, steps=13, octaves=[0]), one)


def test_the_model_tells_what_it_is(client: Client) -> None:
    told = client.describe_dream()
    assert (told.version, told.backbone, told.weights, told.layers) == (1, "tiny", WEIGHTS, LAYERS)
    assert (told.steps, told.step_size, told.octave_scale, told.octaves) == (4, 0.02, 1.3, (-1, 0))
    assert dict(told.layer_weights) == {"middle": 1.0, "deep": 2.0}
    assert (told.minimum_side, told.maximum_pixels, told.maximum_tile_pixels) == (8, 40_000, 20_000)


def test_two_dreams_at_once_on_a_server_for_one_wait_for_each_other(
    dream_repository: Path, server_kind: str
) -> None:
    alone: NDArray[np.uint8]
    results: list[NDArray[np.uint8]] = []
    with (
        serving(server_kind, dream_repository, grpc_max_threads=2) as server,
        Client(server.address) as client,
    ):
        alone = dreamt(client, SMALL, steps=30)

        def work() -> None:
            results.append(dreamt(client, SMALL, steps=30))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 3
    assert all(np.array_equal(result, alone) for result in results)


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(ServerUnavailable, match="no model server answers"):
        client.dream(PICTURE)


def test_a_version_that_is_not_served_is_said(client: Client) -> None:
    with pytest.raises(ModelNotFound, match="dream is not served"):
        client.dream(PICTURE, model=Model("dream", 9))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": ["mixed3"]}, "layers: there is no 'mixed3'; the model has shallow, middle, deep"),
        ({"octaves": [-9]}, "octave -9 makes the picture 5 x 3 pixels, and tiny needs 8"),
        (
            {"octaves": [12]},
            r"octave 12 makes the picture \d+ x \d+ pixels, and the model takes 40,000 in all",
        ),
        ({"octaves": [5], "tile": 0}, "takes gradients of 20,000 pixels at once; set tile"),
        ({"tile": 15}, "tile is 15; it must be 0"),
    ],
)
def test_what_the_model_cannot_do_is_said_before_any_step(
    client: Client, options: dict[str, Any], words: str
) -> None:
    steps = client.iterate(Dream(PICTURE, **options))
    with pytest.raises(InvalidInput, match=words):
        next(steps)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"steps": -1}, "steps must be 0 to 100"),
        ({"steps": 101}, "steps must be 0 to 100"),
        ({"step_size": float("nan")}, "step_size must be 0 to 1"),
        ({"step_size": -0.5}, "step_size must be 0 to 1"),
        ({"octaves": np.zeros(0, np.int32)}, "octaves must hold 1 to 32 numbers"),
        ({"octaves": [-9]}, f"a height and width of {MINIMUM_SIDE} pixels or more"),
        ({"octaves": [30]}, "at most 40000 pixels"),
        ({"octave_scale": float("nan")}, "octave_scale must be 0.1 to 10"),
        ({"layer_weights": [0, 0, 0]}, "layer_weights must not be all zero"),
        ({"layer_weights": [1.0]}, "layer_weights must hold 3 numbers"),
        ({"layer_weights": [float("nan"), 0, 0]}, "layer_weights must be -1e"),
        ({"smoothing": [0.0]}, "smoothing must be 0.1 to 32"),
        ({"smoothing": [1.0, float("nan")]}, "smoothing must be 0.1 to 32"),
        ({"smoothing": [1.0] * 9}, "smoothing must hold at most 8 numbers; it holds"),
        ({"shift": -1}, "shift must be 0 to 256"),
        ({"fade_in": -1}, "fade_in must be 0 to 1000000000"),
        ({"details": 1.5}, "details must be 0 to 1"),
        ({"tile": 3}, r"tile must be 0 \(none\) or at least 16"),
        ({"image": np.zeros((7, 60, 3), np.uint8)}, f"a height and width of {MINIMUM_SIDE} pixels or more"),
        ({"image": np.zeros((0, 60, 3), np.uint8)}, "pixel"),
    ],
)
def test_the_server_holds_too_whatever_client_asks(
    client: Client, inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        client.predict("dream", {"image": PICTURE, **inputs})
    assert in_one_call(client, PICTURE, steps=1).shape == PICTURE.shape  # and it lives


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5])
def test_the_server_refuses_a_state_that_no_dream_has(client: Client, value: float) -> None:
    state = np.zeros((40, 60, 3), np.float32)
    state[3, 4, 1] = value
    with pytest.raises(InvalidInput, match=r"state must be numbers in -1\.\.1"):
        client.predict("dream", {"state": state}, signature="ascend")
