"""Upscaling as the model says: its factors, one or several, its tiles, its limits, and sizes between its factors."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tensorflow_serving.apis import predict_pb2

from images.kept_rows import KeptRows
from images.pictures import pixels
from impasto.client import AsyncClient, Client, Progress, Upscale, errors
from impasto.client._models.tiling import plan, shares
from impasto.client._models.upscale.job import UpscaleToRows
from scripted.client_servers import aborting, metadata, prediction, scripted
from scripted.enlarging import Enlarging, by_version, describing, picture_of
from scripted.short_of_memory import small_before
from servers.model_servers import ModelServer

HAVING = {"factors": (2, 3, 4), "reach": 3, "overlap": 3, "tile": 24}
BLENDING = {**HAVING, "reach": 40, "overlap": 4}


def looking_around(pictures: NDArray[np.uint8], factor: int, reach: int) -> NDArray[np.uint8]:
    """A stand-in for a network: a pixel depends on `reach` pixels to each side, on the edges and on its place."""
    height, width = pictures.shape[1:3]
    padded = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach), (0, 0)), constant_values=77)
    total = np.zeros(pictures.shape, np.int64)
    for down, right, weight in ((0, reach, 3), (reach, 0, 5), (2 * reach, reach, 7), (reach, 2 * reach, 11)):
        total += weight * padded[:, down : down + height, right : right + width]
    large = (total + pictures).repeat(factor, 1).repeat(factor, 2)
    phase = np.add.outer(np.arange(height * factor) % factor, np.arange(width * factor) % factor)
    return (large + phase[np.newaxis, :, :, np.newaxis]).astype(np.uint8)


def network(request: bytes, context: grpc.ServicerContext) -> bytes:
    call = predict_pb2.PredictRequest.FromString(request)
    factor = int((call.model_spec.signature_name or "x2")[1:])
    return by_version(prediction(image=looking_around(picture_of(call), factor, 3)), 1)


@pytest.fixture(scope="module")
def looking() -> Iterator[Client]:
    """A client of a network that depends on 3 pixels to each side, and says so."""
    with scripted(describing(network, version=1, **HAVING)) as server, Client(server.address) as client:
        yield client


@contextlib.contextmanager
def enlarging(**told: Any) -> Iterator[tuple[Enlarging, Client]]:
    """A server that repeats pixels and tells this of itself, and its client."""
    replica = Enlarging(told={**HAVING, **told})
    with scripted(replica) as server, Client(server.address) as client:
        yield replica, client


@given(st.sampled_from([2, 3, 4]), st.integers(1, 40), st.integers(1, 40), st.integers(7, 30))
@settings(max_examples=40, deadline=None)
def test_tiles_joined_equal_the_picture_sent_whole_for_every_factor(
    looking: Client, factor: int, height: int, width: int, tile: int
) -> None:
    picture = pixels(height, width)
    whole = np.asarray(looking.upscale(picture, factor=factor, tile=None))
    assert np.array_equal(whole, looking_around(picture[np.newaxis], factor, 3)[0])
    assert np.array_equal(np.asarray(looking.upscale(picture, factor=factor, tile=tile)), whole)


@pytest.mark.parametrize("model", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(
    "sizes", [{"factor": 3}, {"factor": (2, 3)}, {"size": (77, 99)}, {"megapixels": 0.004}]
)
def test_rows_that_come_one_after_the_other_are_those_of_the_whole_image(
    looking: Client, model: str, sizes: dict[str, Any]
) -> None:
    picture, sink = Image.fromarray(pixels(31, 47, 4)).convert(model), KeptRows()
    job = Upscale(picture, **sizes)
    whole = looking.run(job)
    assert looking.run(UpscaleToRows(job, sink)) == whole.size
    assert whole.mode == model
    # Pillow resizes a part by coefficients that are rounded otherwise in the last place.
    rows, wanted = np.concatenate(sink.rows).astype(int), np.asarray(whole)
    assert np.abs(rows - wanted).max() <= 1
    assert (rows != wanted).mean() < 1e-2


def test_without_a_factor_it_is_the_models_first_and_by_serving_default() -> None:
    with enlarging(factors=(4, 2)) as (replica, client):
        assert client.upscale(pixels(5, 7)).size == (28, 20)
        assert client.upscale(pixels(5, 7), factor=2).size == (14, 10)
        assert replica.sizes == [(5, 7, 4), (5, 7, 2)]


def test_a_factor_that_the_model_lacks_is_an_error_that_lists_what_it_has_and_says_how_to_reach_it() -> None:
    with enlarging() as (replica, client):
        with pytest.raises(errors.InvalidInput) as caught:
            client.upscale(pixels(), factor=8)
        assert str(caught.value) == (
            "factor is 8; srcnn enlarges by 2, 3, 4: give one that it has, or several that are taken one after the "
            "other: (2, 4) (--factor 2x4)"
        )
        with pytest.raises(
            errors.InvalidInput, match=r"factor is 5; srcnn enlarges by 2, 3, 4: give one that it has$"
        ):
            client.upscale(pixels(), factor=(2, 5))
        assert replica.begun == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"factor": 1}, "factor is 1; it must be 2 to"),
        ({"factor": ()}, "factor is empty"),
        ({"factor": "4"}, "factor is '4'; it must be a whole number"),
        ({"factor": 2.5}, "factor is 2.5; it must be a whole number"),
        ({"size": 3840}, r"size is 3840; it must be a width and a height, such as \(3840, 2160\)"),
        ({"size": (0, 9)}, "size is 0; it must be 1 to"),
        ({"megapixels": 0}, "megapixels is 0.0; it must be 1e-06 to"),
        (
            {"size": (9, 9), "factor": 2},
            "factor and size: each says how large the result is; give one of them",
        ),
        ({"tile": "large"}, "tile is 'large'; it must be a whole number, 'auto' or None"),
    ],
)
def test_fields_that_make_no_sense_are_refused_when_the_job_is_made(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        Upscale("photo.jpg", **fields)


@pytest.mark.parametrize(
    "fields", [{"factor": (4, 2)}, {"size": (3840, 2160), "tile": None}, {"megapixels": 24.0}]
)
def test_a_job_is_kept_as_json(fields: dict[str, Any]) -> None:
    job = Upscale("photo.jpg", **fields)
    assert Upscale.from_json(job.to_json()) == job


def test_several_factors_are_taken_one_after_the_other_and_all_their_tiles_are_counted() -> None:
    picture, seen = pixels(20, 30), list[Progress]()
    with enlarging() as (replica, client):
        result = client.run(Upscale(picture, factor=(4, 2), tile=24), on_progress=seen.append)
    assert np.array_equal(np.asarray(result), picture.repeat(8, 0).repeat(8, 1))
    first, second = len(plan(20, 30, tile=24, overlap=3)), len(plan(80, 120, tile=24, overlap=3))
    assert [factor for *_, factor in replica.sizes] == [4] * first + [2] * second
    assert [(each.done, each.total) for each in seen] == [
        (done, first + second) for done in range(first + second + 1)
    ]


@pytest.mark.parametrize(
    ("sizes", "between", "remedy"),
    [
        ({"factor": (4, 2)}, "9,600", "take the smaller factor first"),
        ({"size": (999, 999)}, "5,400", "ask for a smaller result"),  # 3 times, 3 times and 4 times
    ],
)
def test_the_picture_between_two_passes_is_bounded_as_pictures_are(
    sizes: dict[str, Any], between: str, remedy: str
) -> None:
    with (
        enlarging() as (replica, client),
        Client(client.address, max_pixels=5000) as careful,
        pytest.raises(
            errors.ImageTooLarge,
            match=rf"{between} pixels, and the limit is 5,000: {remedy}, .* \(--max-pixels\)",
        ),
    ):
        careful.upscale(pixels(20, 30), **sizes)
    assert replica.begun == 0


@pytest.mark.parametrize(
    ("sizes", "result", "factors"),
    [
        ({"size": (90, 90)}, (90, 60), {3}),  # as large as fits
        ({"size": (3840, 50)}, (75, 50), {3}),
        ({"size": (120, 3000)}, (120, 80), {4}),
        ({"size": (170, 999)}, (170, 113), {2, 3}),  # six times, which no factor reaches alone
        ({"megapixels": 0.0024}, (60, 40), {2}),
        ({"megapixels": 0.003}, (67, 45), {3}),
        ({"size": (30, 20)}, (30, 20), set[int]()),
        ({"size": (12, 12)}, (12, 8), set[int]()),
    ],
)
def test_a_size_takes_the_next_factor_and_is_reduced_to(
    sizes: dict[str, Any], result: tuple[int, int], factors: set[int]
) -> None:
    picture, seen = pixels(20, 30), list[Progress]()
    with enlarging() as (replica, client):
        image = client.run(Upscale(picture, **sizes), on_progress=seen.append)
    assert image.size == result
    assert {factor for *_, factor in replica.sizes} == factors
    by = int(np.prod(sorted(factors), dtype=int))
    whole = Image.fromarray(picture.repeat(by, 0).repeat(by, 1))
    wanted = np.asarray(whole.resize(result, Image.Resampling.LANCZOS), int)
    assert np.abs(np.asarray(image) - wanted).max() <= 1
    assert (seen[-1].note != "") == (not factors)


def blended(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """What the tiles of 24 pixels of a network that looks 40 pixels around make, blended: in one sum."""
    height, width = picture.shape[:2]
    total = np.zeros((height * factor, width * factor, 3), np.int64)
    weight = np.zeros_like(total)
    for tile in plan(height, width, tile=24, overlap=4):
        part = looking_around(picture[tile.source][np.newaxis], factor, 40)[0].astype(np.int64)
        share = np.multiply.outer(shares(tile.rows, factor, 4), shares(tile.columns, factor, 4))[
            ..., np.newaxis
        ]
        rows, columns = (slice(axis.start * factor, axis.stop * factor) for axis in (tile.rows, tile.columns))
        total[rows, columns] += share * part
        weight[rows, columns] += share
    assert (weight == 256 * 256).all()
    return ((total + 2**15) >> 16).astype(np.uint8)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_tiles_that_overlap_by_less_than_the_reach_are_blended_in_any_order(factor: int) -> None:
    picture, sink = pixels(61, 50), KeptRows()

    def far(request: bytes, context: grpc.ServicerContext) -> bytes:
        call = predict_pb2.PredictRequest.FromString(request)
        enlarged = looking_around(picture_of(call), int(call.model_spec.signature_name[1:]), 40)
        return by_version(prediction(image=enlarged), 1)

    with scripted(describing(far, version=1, **BLENDING)) as server, Client(server.address) as client:
        job = Upscale(picture, factor=factor)
        result = np.asarray(client.run(job))
        client.run(UpscaleToRows(job, sink))
    assert np.array_equal(result, blended(picture, factor))
    assert np.array_equal(np.concatenate(sink.rows), result)


def test_blended_tiles_that_the_server_has_no_memory_for_are_cut_and_blended_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("impasto.client._transport.patience._MEMORY_PAUSE", 0.01)
    picture = pixels(150, 170)
    replica = Enlarging(told={**BLENDING, "tile": 140})
    with (
        scripted(replica) as server,
        small_before(server.address, room=100 * 100) as small,
        Client(small.address) as client,
    ):
        result = np.asarray(client.upscale(picture, factor=3))
    assert np.array_equal(result, picture.repeat(3, 0).repeat(3, 1))  # as parts of equal pixels blend
    assert max(replica.sizes)[0] <= 100


def test_a_model_is_asked_what_it_is_once_by_all_threads_tasks_and_pictures_of_a_client() -> None:
    with enlarging() as (replica, client):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client.upscale, [pixels(8, 9)] * 16))
        assert all(outcome.error is None for outcome in client.map([Upscale(pixels(8, 9))] * 4))
        assert replica.described == 1

        async def ask() -> None:
            async with AsyncClient(client.address) as other:
                await asyncio.gather(*(other.upscale(pixels(8, 9)) for _ in range(8)))
                assert (await other.describe_upscale()).factors == (2, 3, 4)

        asyncio.run(ask())
        assert replica.described == 1 + 2  # whoever asks gets an answer of now


def test_a_version_that_works_otherwise_is_described_anew_and_the_picture_begun_again_with_it() -> None:
    with enlarging(factors=(2,)) as (replica, client):
        client.upscale(pixels(30, 40))
        replica.told.update(version=2, factors=(4, 2), overlap=5, reach=5)
        assert client.upscale(pixels(30, 40)).size == (160, 120)  # by its first factor now
        assert client.upscale(pixels(30, 40), factor=4).size == (160, 120)
        replica.told.update(version=3, factors=(3,))
        assert client.upscale(pixels(30, 40), factor=3).size == (120, 90)  # which the known one lacks
        assert replica.described == 3


def test_a_picture_that_is_too_large_for_a_call_or_tiles_that_are_is_said_before_anything_is_sent() -> None:
    with enlarging(maximum_pixels=600) as (replica, client):
        assert client.upscale(pixels(40, 50)).size == (100, 80)
        replica.begun = 0
        for tile, sends in ((None, "50 x 40 pixels at once"), (32, "tiles of 32 x 32 pixels")):
            with pytest.raises(
                errors.InvalidInput, match=f"tile is {tile}, which sends {sends}, and srcnn takes 600"
            ):
                client.upscale(pixels(40, 50), tile=tile)
        assert replica.begun == 0


def test_a_picture_smaller_than_the_model_takes_is_padded_with_its_edges_and_cropped() -> None:
    with enlarging(minimum_side=16) as (replica, client):
        picture = pixels(5, 30)
        result = np.asarray(client.upscale(picture, factor=3))
        assert np.array_equal(result, picture.repeat(3, 0).repeat(3, 1))
        assert {height for height, *_ in replica.sizes} == {16}
        with pytest.raises(errors.InvalidInput, match="tile is 12; it must be 16 or more for srcnn"):
            client.upscale(picture, tile=12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factors", ()),
        ("factors", (0,)),
        ("factors", (-2,)),
        ("factors", (2**31 - 1,)),
        ("factors", (2, 2)),
        ("factors", None),
        ("reach", -1),
        ("reach", 2**31 - 1),
        ("overlap", 12),
        ("overlap", -1),
        ("tile", 0),
        ("tile", 2**31 - 1),
        ("minimum_side", 2**31 - 1),
        ("minimum_side", 25),
        ("maximum_pixels", 0),
        ("maximum_pixels", 24 * 24 - 1),
        ("network", 5),
        ("weights", None),
    ],
)
def test_a_description_that_no_upscaler_can_have_is_refused_by_the_fields_name(name: str, value: Any) -> None:
    with (
        enlarging(**{name: value}) as (replica, client),
        pytest.raises(errors.DecodeError, match=name),
    ):
        client.upscale(pixels())
    assert replica.begun == 0


def test_a_model_that_describes_nothing_is_said_to_be_no_upscaler() -> None:
    refuse = aborting(grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "describe" not found.')

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if server.methods[-1].endswith("GetModelMetadata"):
            return metadata("serving_default")
        return refuse(request, context)

    with (
        scripted(answer) as server,
        Client(server.address) as client,
        pytest.raises(
            errors.SignatureNotFound, match="srcnn serves no 'describe' as upscalers do: is this model an"
        ),
    ):
        client.upscale(pixels())


def test_a_model_of_another_kind_is_said_to_be_no_upscaler(dream_server: ModelServer) -> None:
    with (
        Client(dream_server.address) as client,
        pytest.raises(errors.SignatureNotFound, match="dream serves no 'describe' as upscalers do"),
    ):
        client.upscale(pixels(), model="dream")


def test_transparent_pictures_of_every_factor_keep_their_transparency() -> None:
    picture = pixels(9, 11, 4)
    with enlarging() as (_, client), warnings.catch_warnings():
        warnings.simplefilter("error")
        for factor in (2, 3, 4):
            alpha = np.asarray(client.upscale(picture, factor=factor))[..., 3]
            whole = Image.fromarray(picture[..., 3]).resize(
                (11 * factor, 9 * factor), Image.Resampling.BICUBIC
            )
            assert np.array_equal(alpha, np.asarray(whole))


@pytest.mark.parametrize("size", [(555, 700), (845, 1065), (200, 252)])
def test_transparency_at_a_size_that_is_no_multiple_is_what_pillow_makes_of_the_whole(
    size: tuple[int, int],
) -> None:
    picture = pixels(420, 333, 4)
    with enlarging() as (_, client):
        enlarged = client.upscale(picture, size=size)
    whole = Image.fromarray(picture[..., 3]).resize(enlarged.size, Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(enlarged)[..., 3], np.asarray(whole))
