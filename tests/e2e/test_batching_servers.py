"""Many pictures at once, on servers as shipped and on those that batch and refuse different sizes: none is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import pixels, save
from impasto.client import AsyncClient, Client
from impasto.client.cli import exit_codes, run
from scripted.batching_proxy import BatchingProxy, batching_proxy
from scripted.client_servers import aborting, metadata, scripted
from servers.model_servers import ModelServer, serving

COMMAND = [sys.executable, "-m", "impasto.client"]
SIZES = [(20, 24), (31, 18), (26, 26), (40, 22)]
FOLDERS = ("a", "b", "c")
EACH = 15


@pytest.fixture
def upscaler(committed_server: ModelServer) -> Iterator[BatchingProxy]:
    with batching_proxy(committed_server.address) as proxy:
        yield proxy


def picture(number: int) -> NDArray[np.uint8]:
    return pixels(*SIZES[number % len(SIZES)], seed=number)


def array(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def batching_server(
    committed_models: Path, tmp_path_factory: pytest.TempPathFactory, server_kind: str
) -> Iterator[ModelServer]:
    """A server with the flags for batching, which the local one ignores."""
    parameters = tmp_path_factory.mktemp("config") / "batching.config"
    parameters.write_text("max_batch_size { value: 8 } batch_timeout_micros { value: 5000 }")
    flags: dict[str, Any] = {"enable_batching": "true", "batching_parameters_file": parameters}
    with serving(server_kind, committed_models, only=["srcnn"], **flags) as server:
        yield server


@pytest.mark.parametrize("how", ["committed_server", "batching_server", "upscaler"])
def test_three_folders_at_once_lose_no_picture(
    tmp_path: Path, committed_server: ModelServer, how: str, request: pytest.FixtureRequest
) -> None:
    server: ModelServer | BatchingProxy = request.getfixturevalue(how)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        for number in range(EACH):
            save(tmp_path / folder / f"{number:02}.png", picture(number))
    commands = [
        subprocess.Popen(
            [*COMMAND, "upscale", folder, "-o", f"{folder}-large", "--server", server.address],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in FOLDERS
    ]
    said = [command.communicate()[1] for command in commands]
    assert [command.returncode for command in commands] == [exit_codes.DONE] * 3, said
    assert not isinstance(server, BatchingProxy) or server.refused > 1
    with Client(committed_server.address) as client:
        for number in range(EACH):
            expected = np.asarray(client.upscale(picture(number)))
            for folder in FOLDERS:
                done = array(tmp_path / f"{folder}-large" / f"{number:02}.png")
                np.testing.assert_array_equal(done, expected)


def test_tiles_of_two_pictures_at_once_are_all_answered(
    committed_server: ModelServer, upscaler: BatchingProxy
) -> None:
    photos, tiles = [pixels(50, 41, seed=1), pixels(37, 64, seed=2)], [24, 30]
    with Client(upscaler.address) as client, ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda photo, tile: client.upscale(photo, tile=tile), photos, tiles))
    assert upscaler.refused > 1
    with Client(committed_server.address) as client:
        for photo, tile, image in zip(photos, tiles, done, strict=True):
            np.testing.assert_array_equal(np.asarray(image), np.asarray(client.upscale(photo, tile=tile)))


@pytest.mark.parametrize("given", ["painting", "vector"])
def test_photos_that_are_painted_at_once_are_all_answered(stylize_server: ModelServer, given: str) -> None:
    photos, painting = [picture(number) for number in range(8)], pixels(40, 36, seed=1)
    with Client(stylize_server.address) as client:
        style = painting if given == "painting" else client.style_vector(painting)
        alone = [np.asarray(client.stylize(photo, style)) for photo in photos]

    async def paint(client: AsyncClient, photo: NDArray[np.uint8]) -> Image.Image:
        return await client.stylize(photo, style)

    with batching_proxy(stylize_server.address) as proxy, Client(proxy.address) as client:
        outcomes = list(client.map([partial(paint, photo=photo) for photo in photos], concurrency=8))
        assert proxy.refused > 1
    for outcome, expected in zip(outcomes, alone, strict=True):
        np.testing.assert_array_equal(np.asarray(outcome.result), expected)


def test_a_folder_ends_at_once_where_the_server_batches_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scalar = aborting(
        grpc.StatusCode.INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension"
    )
    (tmp_path / "photos").mkdir()
    for number in range(3):
        save(tmp_path / "photos" / f"{number}.png", picture(number))
    with scripted(
        lambda request, context: (
            metadata("serving_default")
            if server.methods[-1].endswith("GetModelMetadata")
            else scalar(request, context)
        )
    ) as server:
        command = ["upscale", str(tmp_path / "photos"), "-o", str(tmp_path / "large")]
        code = run([*command, "--concurrency", "1", "--server", server.address])
        predictions = [method for method in server.methods if method.endswith("Predict")]
    assert code == exit_codes.REFUSED
    assert len(predictions) == 1
    assert "To switch batching off, start the server without --enable_batching" in capsys.readouterr().err
