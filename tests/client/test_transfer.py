"""A transfer in many calls is the transfer in one call, and what the client adds to it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import pixels
from impasto.client import Client, Model, Transfer, TransferProgress
from impasto.client._models.transfer.painting import average_decay
from impasto.client._models.transfer.recipes import RECIPES
from impasto.client.errors import InvalidInput, ModelNotFound, ServerUnavailable
from impasto.client.pictures import keep_colours
from servers.model_servers import ModelServer
from toys.transfer_models import LIMITS, WEIGHTS, layer_weights

LOCAL_SERVER_ONLY = "the options of the job; test_async_client.py and test_transfer_served.py run it on both"

CONTENT, STYLE, OTHER = pixels(32, 48), pixels(48, 40, seed=1)[::-1].copy(), 255 - pixels(30, 48, seed=2)
SHORT: dict[str, Any] = {"epochs": 2, "steps_per_epoch": 6}


@pytest.fixture(scope="module")
def client(transfer_server: ModelServer) -> Iterator[Client]:
    with Client(transfer_server.address) as client:
        yield client


def in_one_call(client: Client, **inputs: Any) -> NDArray[np.uint8]:
    """What serving_default makes of it."""
    return client.predict("transfer", {"content": CONTENT, "style": STYLE, "steps": 12, **inputs})["image"]


def painted(client: Client, content: Any = CONTENT, style: Any = STYLE, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(client.transfer(content, style, **{"recipe": "classic"} | SHORT | options))


def called(client: Client, signature: str, **inputs: Any) -> dict[str, NDArray[Any]]:
    return client.predict("transfer", inputs, signature=signature)


def optimized(client: Client, image: NDArray[Any], style: Any, content: Any, **inputs: Any) -> NDArray[Any]:
    """The picture after 12 steps from `image`, in one call."""
    none = np.zeros_like(image)
    targets = {"style_targets": style, "content_targets": content}
    return called(client, "optimize", image=image, m=none, v=none, steps=12, **targets, **inputs)["image"]


def closed(client: Client, image: NDArray[Any]) -> NDArray[np.uint8]:
    return called(client, "close", image=image)["image"]


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        ({}, {}),
        ({"epochs": 1, "steps_per_epoch": 47}, {"steps": 47}),
        ({"epochs": 0}, {"steps": 0}),
        (
            {"style_weight": 0.5, "content_weight": 10, "total_variation_weight": 2, "learning_rate": 0.1},
            {
                "style_weight": 0.5,
                "content_weight": 10.0,
                "total_variation_weight": 2.0,
                "learning_rate": 0.1,
            },
        ),
        (
            {"style_layers": ["block1_conv1", ("block3_conv1", 0.5)], "content_layers": "block2_conv1"},
            {
                "style_layer_weights": layer_weights(block1_conv1=1, block3_conv1=0.5),
                "content_layer_weights": layer_weights(block2_conv1=1),
            },
        ),
    ],
)
def test_many_calls_equal_one_bit_for_bit(
    client: Client, options: dict[str, Any], inputs: dict[str, Any]
) -> None:
    assert np.array_equal(painted(client, **options), in_one_call(client, **inputs))


def test_the_cuts_make_no_difference_and_more_steps_than_a_call_may_take_are_cut(client: Client) -> None:
    options: dict[str, Any] = {"epochs": 1, "steps_per_epoch": LIMITS.maximum_steps + 10}
    whole = painted(client, **options)
    for every in (7, 1000):
        (*_, last) = client.iterate(Transfer(CONTENT, STYLE, recipe="classic", **options), every=every)
        assert last.done == LIMITS.maximum_steps + 10
        assert np.array_equal(np.asarray(last.preview()), whole)
    with pytest.raises(InvalidInput, match="steps must be 0 to 60"):
        in_one_call(client, steps=70)


def test_progress_runs_from_the_start_to_the_result(client: Client) -> None:
    seen: list[TransferProgress] = []
    options: dict[str, Any] = {"pyramid": 2, "epochs": 2, "steps_per_epoch": 10}
    result = client.run(Transfer(CONTENT, STYLE, recipe="classic", **options), on_progress=seen.append)
    assert (seen[0].done, seen[0].fraction, seen[0].style_loss, seen[0].seconds_left) == (0, 0.0, None, None)
    assert (seen[-1].done, seen[-1].total, seen[-1].fraction, seen[-1].seconds_left) == (40, 40, 1.0, 0.0)
    assert np.array_equal(np.asarray(seen[-1].preview()), np.asarray(result))
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert {(p.level, p.size) for p in seen} == {(1, (24, 16)), (2, (48, 32))}
    assert {p.epoch for p in seen} == {1, 2}
    for progress in seen[1:]:
        assert progress.done == (progress.level - 1) * 20 + progress.step
        assert progress.style_loss is not None
        assert progress.content_loss is not None
        assert progress.total_variation_loss == 0
        assert progress.seconds_left is not None
        assert progress.preview().size == (48, 32)
    assert str(seen[0]) == "24 x 16  epoch 1/2  step 0/20"
    last = seen[-1]
    losses = f"style loss {last.style_loss:.4g}  content loss {last.content_loss:.4g}"
    assert str(last) == f"48 x 32  epoch 2/2  step 20/20  {losses}  0:00 left"


def test_optimising_lowers_the_sum_of_the_losses(client: Client) -> None:
    options: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 60, "start": STYLE}
    sums = [
        sum(vars(p.losses).values())
        for p in client.iterate(Transfer(CONTENT, STYLE, recipe="classic", **options))
        if p.losses
    ]
    assert sums[-1] < sums[0] / 2


def test_every_gives_progress_at_each_multiple_with_the_preview_of_fewer_steps(client: Client) -> None:
    previews = {
        p.done: np.asarray(p.preview())
        for p in client.iterate(Transfer(CONTENT, STYLE, recipe="classic", **SHORT), every=5)
    }
    assert {5, 10, 12} <= previews.keys()
    assert np.array_equal(previews[0], CONTENT)
    assert np.array_equal(previews[5], in_one_call(client, steps=5))
    for every, words in ((0, "0; it must be 1 to 1000000000"), (1.5, "1.5; it must be a whole number")):
        with pytest.raises(InvalidInput, match=f"every is {words}"):
            next(client.iterate(Transfer(CONTENT, STYLE, recipe="classic"), every=cast(Any, every)))


def test_several_styles_are_mixed_by_their_gram_matrices(client: Client) -> None:
    opened = called(client, "open", content=CONTENT, style=STYLE)
    other = called(client, "open_style", style=OTHER)["style_targets"]
    mixed = np.float32(0.25) * opened["style_targets"] + np.float32(0.75) * other
    image = optimized(client, opened["image"], mixed, opened["content_targets"])
    assert np.array_equal(painted(client, style=[STYLE, OTHER], weights=[1, 3]), closed(client, image))
    assert np.array_equal(painted(client, style=[STYLE, OTHER], weights=[2, 0]), painted(client))
    assert not np.array_equal(painted(client, style=[STYLE, OTHER]), painted(client))


def test_a_pyramid_paints_from_coarse_to_fine_each_at_its_own_size(client: Client) -> None:
    sizes: list[dict[str, Any]] = [{"size": [16, 24], "style_size": [24, 20]}, {}]
    coarse, fine = (called(client, "open", content=CONTENT, style=STYLE, **size) for size in sizes)
    image = optimized(client, coarse["image"], coarse["style_targets"], coarse["content_targets"])
    image = called(client, "resize", image=image, size=[32, 48])["image"]
    image = optimized(client, image, fine["style_targets"], fine["content_targets"])
    assert np.array_equal(painted(client, pyramid=2), closed(client, image))


def test_the_style_may_be_taken_larger_or_smaller(client: Client) -> None:
    opened = called(client, "open", content=CONTENT, style=STYLE, style_size=[72, 60])
    image = optimized(client, opened["image"], opened["style_targets"], opened["content_targets"])
    assert np.array_equal(painted(client, style_scale=1.5), closed(client, image))


def test_it_starts_where_one_likes(client: Client) -> None:
    opened = called(client, "open", content=CONTENT, style=STYLE)
    targets = opened["style_targets"], opened["content_targets"]
    noise = np.random.default_rng(7).random((32, 48, 3), np.float32)
    expected = closed(client, optimized(client, noise, *targets))
    assert np.array_equal(painted(client, start="noise", seed=7), expected)
    assert not np.array_equal(painted(client, start="noise", seed=8), expected)
    earlier = painted(client)
    start = earlier.astype(np.float32) / np.float32(255)
    expected = closed(client, optimized(client, start, *targets))
    assert np.array_equal(painted(client, start=earlier), expected)
    assert np.array_equal(painted(client, start=earlier, epochs=0), earlier)


def test_a_mask_says_where_it_is_painted(client: Client) -> None:
    mask = np.zeros((32, 48), np.uint8)
    mask[:, 24:] = 255
    opened = called(client, "open", content=CONTENT, style=STYLE)
    flat = (mask / np.float32(255)).ravel()
    image = optimized(client, opened["image"], opened["style_targets"], opened["content_targets"], mask=flat)
    result = painted(client, mask=mask)
    assert np.array_equal(result, closed(client, image))
    assert np.array_equal(result[:, :24], CONTENT[:, :24])
    assert not np.array_equal(result[:, 24:], CONTENT[:, 24:])


def test_colours_may_be_kept(client: Client) -> None:
    assert np.array_equal(painted(client, preserve_color=True), keep_colours(CONTENT, painted(client)))


def test_a_large_picture_is_painted_small_and_enlarged_again_if_one_likes(client: Client) -> None:
    assert client.transfer(CONTENT, STYLE, max_side=24, recipe="classic", **SHORT).size == (48, 32)
    small = client.transfer(CONTENT, STYLE, max_side=24, recipe="classic", keep_size=False, **SHORT)
    assert small.size == (24, 16)
    opened = called(client, "open", content=CONTENT, style=STYLE, size=[16, 24], style_size=[24, 20])
    image = optimized(client, opened["image"], opened["style_targets"], opened["content_targets"])
    assert np.array_equal(np.asarray(small), closed(client, image))


def test_content_and_styles_may_have_any_sizes_and_kinds(client: Client, tmp_path: Path) -> None:
    Image.fromarray(pixels(200, 300)).save(tmp_path / "huge.png")
    gray, alpha = pixels(90, 20, None), np.dstack([STYLE, pixels(48, 40, None)])
    result = client.transfer(tmp_path / "huge.png", [gray, alpha], max_side=100, recipe="classic", **SHORT)
    assert (result.mode, result.size) == ("RGB", (300, 200))
    assert client.transfer(gray, STYLE, recipe="classic", **SHORT).mode == "RGB"
    assert client.transfer(gray, STYLE, recipe="classic", preserve_color=True, **SHORT).mode == "L"


def test_transparency_profile_and_orientation_are_kept(client: Client, tmp_path: Path) -> None:
    alpha = pixels(32, 48, None, seed=3)
    alpha[:] = np.maximum(alpha, 1)  # so that no colour is hidden
    image = Image.fromarray(np.dstack([CONTENT, alpha]))
    image.info["dpi"] = (72, 72)
    result = client.transfer(image, STYLE, recipe="classic", **SHORT)
    assert (result.mode, result.info["dpi"]) == ("RGBA", (72, 72))
    assert np.array_equal(np.asarray(result)[..., 3], alpha)
    assert np.array_equal(np.asarray(result)[..., :3], painted(client))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    Image.fromarray(np.rot90(CONTENT).copy()).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(painted(client, tmp_path / "turned.png"), painted(client))


def test_two_jobs_at_once_are_as_each_alone(client: Client) -> None:
    jobs: list[dict[str, Any]] = [{"style": STYLE}, {"style": OTHER, "start": "noise", "learning_rate": 0.1}]
    alone = [painted(client, epochs=6, **job) for job in jobs]
    together: list[NDArray[np.uint8] | None] = [None, None]

    def work(number: int) -> None:
        together[number] = painted(client, epochs=6, **jobs[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, found in zip(alone, together, strict=True):
        assert found is not None
        assert np.array_equal(found, expected)


def test_one_may_stop_when_one_likes(client: Client) -> None:
    steps = client.iterate(Transfer(CONTENT, STYLE, recipe="classic", epochs=1000, steps_per_epoch=1000))
    (*_, progress) = itertools.takewhile(lambda p: p.done < 10, steps)
    steps.close()
    assert progress.preview().size == (48, 32)


def test_the_model_tells_what_it_is(client: Client) -> None:
    told = client.describe_transfer()
    assert (told.version, told.backbone, told.weights, told.compute) == (1, "vgg19", WEIGHTS, "float32")
    assert (told.layers[0], told.layers[-1], len(told.layers)) == ("block1_conv1", "block5_conv2", 7)
    assert dict(told.style_layers) == {f"block{block}_conv1": 1.0 for block in range(1, 6)}
    assert dict(told.content_layers) == {"block5_conv2": 1.0}
    assert (told.style_weight, told.content_weight, told.learning_rate) == (0.01, 1e4, 0.02)
    assert (told.minimum_side, told.maximum_steps) == (16, LIMITS.maximum_steps)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"content": pixels(15, 40)}, "the painting is 40 x 15 pixels, and vgg19 needs 16"),
        (
            {"content": pixels(300, 300)},
            "the painting is 300 x 300 pixels, and the model takes 20,000 in all",
        ),
        ({"style": pixels(5, 40)}, "with style_scale 1 a style is 48 x 6 pixels"),
        ({"style_scale": 4}, "a style is 160 x 192 pixels, .*; lower style_scale"),
        ({"style": []}, "style is an empty list"),
        ({"pyramid": 3}, "at size 1 of the pyramid's 3 12 x 8 pixels"),
        ({"style_layers": ["mixed3"]}, "there is no 'mixed3'; the model has block1_conv1, block2_conv1"),
        ({"steps_per_epoch": -1}, "steps_per_epoch is -1"),
        ({"weights": [1, 2]}, "2 weights for 1 styles"),
    ],
)
def test_what_the_model_cannot_do_is_said_before_any_step(
    client: Client, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        given: dict[str, Any] = {"content": CONTENT, "style": STYLE, "recipe": "classic"}
        next(client.iterate(Transfer(**given | options)))


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(ServerUnavailable, match="no model server answers"):
        client.transfer(CONTENT, STYLE)


def test_a_version_that_is_not_served_is_said(client: Client) -> None:
    with pytest.raises(ModelNotFound, match="transfer is not served"):
        client.transfer(CONTENT, STYLE, model=Model("transfer", 9))


def test_a_fine_one_carries_average_and_moments_from_size_to_size(client: Client) -> None:
    recipe = RECIPES["fine"]
    assert recipe.style_layers is not None and recipe.content_layers is not None
    layers = {
        "style_layer_weights": layer_weights(**recipe.style_layers),
        "content_layer_weights": layer_weights(**recipe.content_layers),
    }
    settings = {name: np.float32(value) for name, value in recipe.weights.items()}
    more = {name: np.float32(value) for name, value in recipe.inputs.items() if name != "loss_kind"}
    sizes: list[dict[str, Any]] = [{"size": [22, 33], "style_size": [33, 27]}, {}]
    done, image, moments = 0, None, None
    for steps, size in zip((24, 12), sizes, strict=True):
        opened = called(client, "open", content=CONTENT, style=STYLE, **size, **layers)
        start = opened["image"]
        height, width = start.shape[:2]
        if image is not None:
            start = called(client, "resize", image=image, size=[height, width])["image"]
        if moments is None:
            moments = [np.zeros_like(start)] * 2
        else:
            moments = [
                np.stack([enlarged(moment[..., k], (height, width)) for k in range(3)], axis=2)
                for moment in moments
            ]
            assert (moments[1] >= 0).all()
        targets = {name: opened[name] for name in ("style_targets", "content_targets")}
        told = called(
            client, "optimize", image=start, m=moments[0], v=moments[1], iteration=done, steps=steps,
            average_decay=np.float32(1 - 8 / steps), loss_kind=1, **targets, **layers, **settings, **more,
        )  # fmt: skip
        done += steps
        image, moments = told["average"].reshape(start.shape), [told["m"], told["v"]]
    assert image is not None
    assert np.array_equal(painted(client, recipe="fine", pyramid=2), closed(client, image))


def enlarged(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize(("steps", "decay"), [(1, 0), (8, 0), (20, 0.6), (200, 0.96), (4000, 0.99)])
def test_an_average_remembers_the_last_eighth_of_a_run_and_at_most_a_hundred_steps(
    steps: int, decay: float
) -> None:
    assert average_decay(steps) == pytest.approx(decay)


def test_a_fine_one_is_the_same_however_it_is_cut_and_shows_its_average(client: Client) -> None:
    job = Transfer(CONTENT, STYLE, pyramid=2, **SHORT)
    whole = np.asarray(client.run(job))
    seen = list(client.iterate(job, every=5))
    assert np.array_equal(np.asarray(seen[-1].preview()), whole)
    assert [(p.level, p.step, p.steps, p.epochs) for p in seen if p.step == p.steps][:1] == [(1, 24, 24, 4)]
    assert seen[-1].total == 36 and (seen[-1].epoch, seen[-1].epochs) == (2, 2)
    assert all(p.preview().size == (48, 32) for p in seen)
