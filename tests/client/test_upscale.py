"""Upscaling with the trained model that the project ships, through a real server."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from PIL import Image

from images.pictures import bomb, encoded, pixels
from impasto.client import Client, Model, Progress, Upscale, errors
from impasto.client._models.tiling import OVERLAP, plan
from oracles.rounding import assert_equal_but_for_rounding
from scripted.client_servers import aborting, batching, overloaded, prediction, scripted
from servers.model_servers import ModelServer


@pytest.fixture(scope="module")
def client(committed_server: ModelServer) -> Iterator[Client]:
    with Client(committed_server.address) as client:
        yield client


def test_a_picture_is_doubled_and_stays_itself(client: Client) -> None:
    array = pixels(40, 30)
    result = client.upscale(array)
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size) == ("RGB", (60, 80))
    halved = np.asarray(result.resize((30, 40), Image.Resampling.BOX), int)
    assert np.abs(halved - array).mean() < 6


@pytest.mark.parametrize(
    ("height", "width", "tile"), [(61, 47, 24), (37, 101, 33), (1, 90, 32), (90, 2, 11), (57, 57, 56)]
)
def test_a_tiled_picture_equals_the_whole_one_but_for_rounding(
    client: Client, height: int, width: int, tile: int
) -> None:
    array = pixels(height, width)
    whole = np.asarray(client.upscale(array, tile=None))
    tiled = np.asarray(client.upscale(array, tile=tile))
    assert len(plan(height, width, tile=tile, overlap=OVERLAP)) > 1
    # Equal bits with AVX-512; AVX2 sums the products of a tile in another order than those of the whole picture.
    assert_equal_but_for_rounding(tiled, whole)


def test_a_pixel_less_of_overlap_would_show(client: Client) -> None:
    array = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    whole = np.asarray(client.upscale(array, tile=None))
    joined = np.empty_like(whole)
    for piece in plan(40, 40, tile=20, overlap=OVERLAP - 1):
        doubled = np.asarray(client.upscale(array[piece.source], tile=None))
        joined[piece.target(2)] = doubled[piece.kept(2)]
    with pytest.raises(AssertionError, match="of the bytes differ"):
        assert_equal_but_for_rounding(joined, whole)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (2, 1, 3)])
def test_the_smallest_pictures_are_done(client: Client, shape: tuple[int, int, int]) -> None:
    result = client.upscale(np.full(shape, 90, np.uint8))
    assert result.size == (2 * shape[1], 2 * shape[0])
    assert np.abs(np.asarray(result, int) - 90).max() < 40


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "CMYK"])
def test_every_kind_of_picture_passes_through_the_model(client: Client, mode: str) -> None:
    image = (
        Image.fromarray(pixels(12, 10, 4))
        .convert("RGB" if mode in ("P", "1", "CMYK") else mode)
        .convert(mode)
    )
    result = client.upscale(image)
    wanted = {"P": "RGB", "1": "L", "CMYK": "RGB"}.get(mode, mode)
    assert (result.mode, result.size) == (wanted, (20, 24))


def test_progress_is_told_before_the_first_tile_and_after_each(client: Client) -> None:
    seen: list[Progress] = []
    client.run(Upscale(pixels(30, 20), tile=20), on_progress=seen.append)
    assert seen == [Progress(0, 2), Progress(1, 2), Progress(2, 2)]
    assert [progress.version for progress in seen] == [0, 3, 3]  # the one that answered, once one has


def test_what_a_progress_callback_raises_ends_the_job(client: Client) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.run(Upscale(pixels()), on_progress=stop)


def test_a_tile_that_is_too_small_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="tile is 10; it must be 11 to"):
        client.upscale(pixels(), tile=10)


def test_pictures_that_cannot_be_used_are_refused_before_any_call(client: Client) -> None:
    with pytest.raises(errors.NotAnImage):
        client.upscale(b"no picture")
    with pytest.raises(errors.ImageTooLarge):
        client.upscale(bomb())
    with (
        Client(client.address, max_pixels=5) as careful,
        pytest.raises(errors.ImageTooLarge, match="limit is 5"),
    ):
        careful.upscale(pixels(3, 2))
    with pytest.raises(errors.TruncatedImage):
        client.upscale(encoded(Image.fromarray(pixels()))[:-30])


def test_a_model_that_is_no_upscaler_is_found_out() -> None:
    same_size = prediction(image=np.zeros((1, 12, 17, 3), np.uint8))
    with (
        scripted(lambda *_: same_size) as server,
        Client(server.address) as client,
        pytest.raises(errors.DecodeError, match=r"answered uint8 \[1, 12, 17, 3\] .* uint8 \[1, 24, 34, 3\]"),
    ):
        client.upscale(pixels(12, 17), model="stylize")


def test_a_model_without_the_output_is_found_out() -> None:
    with (
        scripted(lambda *_: prediction(y=np.zeros(1, np.float32))) as server,
        Client(server.address) as client,
        pytest.raises(errors.DecodeError, match="answered nothing for 'image'"),
    ):
        client.upscale(pixels())


def test_a_version_that_is_not_there(client: Client) -> None:
    with pytest.raises(errors.ModelNotFound):
        client.upscale(pixels(), model=Model("srcnn", 999))


def test_the_metadata_of_the_shipped_model_is_the_contract(client: Client) -> None:
    signature = client.metadata("srcnn").signatures["serving_default"]
    assert (signature.inputs["image"].dtype, signature.inputs["image"].shape) == (
        "uint8",
        (None, None, None, 3),
    )
    assert set(signature.outputs) == {"image"}


def test_a_tile_that_met_one_of_another_size_in_a_batch_is_sent_again() -> None:
    doubled = pixels(20, 24)
    with (
        scripted(batching(prediction(image=doubled[np.newaxis]), refusals=2)) as server,
        Client(server.address) as client,
    ):
        np.testing.assert_array_equal(np.asarray(client.upscale(pixels(10, 12))), doubled)
        assert len(server.methods) == 3


def test_a_model_without_the_upscaler_s_signature_is_not_asked_again() -> None:
    without = aborting(
        grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "serving_default" not found.'
    )
    with scripted(without) as server, Client(server.address) as client:
        with pytest.raises(errors.PreconditionFailed):
            client.upscale(pixels(10, 12))
        assert len(server.methods) == 1


def test_an_overloaded_server_slows_the_work_and_does_not_end_it() -> None:
    doubled = pixels(20, 24)
    with (
        scripted(overloaded(prediction(image=doubled[np.newaxis]), refusals=2)) as server,
        Client(server.address) as client,
    ):
        np.testing.assert_array_equal(np.asarray(client.upscale(pixels(10, 12))), doubled)
        assert len(server.methods) == 3


def test_a_tile_that_is_too_large_for_a_message_fails_at_once_with_the_remedy() -> None:
    too_large = aborting(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (5 vs. 4)"
    )
    with scripted(too_large) as server, Client(server.address) as client:
        with pytest.raises(errors.MessageTooLarge, match="send smaller pieces"):
            client.upscale(pixels(10, 12))
        assert len(server.methods) == 1
