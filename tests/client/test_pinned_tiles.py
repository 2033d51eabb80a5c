"""One picture is made by one version, whatever is published, labelled or taken away meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from images.kept_rows import KeptRows
from images.pictures import pixels
from impasto.client import AsyncClient, Client, Model, Progress, Upscale, errors
from impasto.client._models.upscale.job import UpscaleToRows
from scripted.client_servers import ScriptedServer, prediction, scripted
from scripted.enlarging import asks_what_it_is, by_version, describing, description

PICTURE = pixels(32, 120)
TILES = 5


@dataclass
class Versions:
    """A server of an upscaler whose version `n` makes every pixel `n`; without a version the newest answers.

    Attributes:
        served: the versions; a test may change them between calls.
        labels: what each label stands for.
        before_call: called with the number of each call before it is answered, from 0.
        asked: the version that each call asked for; 0 for none.
    """

    served: Sequence[int]
    labels: dict[str, int] = field(default_factory=dict[str, int])
    before_call: Callable[[int], None] = lambda number: None
    asked: list[int] = field(default_factory=list[int])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self.lock:
            self.before_call(len(self.asked))
            call = predict_pb2.PredictRequest.FromString(request)
            wanted = self.labels.get(call.model_spec.version_label, call.model_spec.version.value)
            self.asked.append(call.model_spec.version.value)
            version = wanted or max(self.served)
            if version not in self.served:
                context.abort(
                    grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Specific(srcnn, {version})"
                )
        if asks_what_it_is(request):
            return description(version)
        shape = tuple(int(dim.size) for dim in call.inputs["image"].tensor_shape.dim)
        image = np.full((1, 2 * shape[1], 2 * shape[2], 3), version, np.uint8)
        return by_version(prediction(image=image), version)


@contextlib.contextmanager
def serving(versions: Versions) -> Iterator[tuple[ScriptedServer, Client]]:
    with scripted(versions) as server, Client(server.address) as client:
        yield server, client


def upscaled(client: Client, model: Model | str = "srcnn", **options: Any) -> NDArray[np.uint8]:
    return np.asarray(client.run(Upscale(PICTURE, tile=32, model=model), **options))


def test_a_version_that_is_published_in_the_middle_waits_for_the_next_picture() -> None:
    versions = Versions([1])

    def publish(number: int) -> None:
        if number == 2:
            versions.served = [1, 2]

    versions.before_call = publish
    with serving(versions) as (_, client):
        assert np.unique(upscaled(client)).tolist() == [1]
        assert versions.asked == [0, *[1] * TILES]  # the first asks what the model is
        assert np.unique(upscaled(client)).tolist() == [2]
        assert versions.asked[1 + TILES :] == [0, 2, *[2] * (TILES - 1)]  # and the second what version 2 is
        assert np.unique(upscaled(client)).tolist() == [2]
        assert versions.asked[2 * (1 + TILES) :] == [0, *[2] * (TILES - 1)]


def test_a_label_that_moves_in_the_middle_does_not_move_the_picture() -> None:
    versions = Versions([1, 2], labels={"stable": 1})

    def move(number: int) -> None:
        if number == 2:
            versions.labels["stable"] = 2

    versions.before_call = move
    with serving(versions) as (_, client):
        assert np.unique(upscaled(client, Model("srcnn", label="stable"))).tolist() == [1]
        assert np.unique(upscaled(client, Model("srcnn", label="stable"))).tolist() == [2]


def test_a_picture_whose_version_goes_away_is_begun_again_with_the_next_one() -> None:
    versions = Versions([1])

    def replace(number: int) -> None:
        if number == 3:
            versions.served = [2]

    versions.before_call = replace
    seen: list[Progress] = []
    with serving(versions) as (_, client):
        assert np.unique(upscaled(client, on_progress=seen.append)).tolist() == [2]
    done = [progress.done for progress in seen]
    again = done.index(0, 1)
    assert done[:again] in (
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
    )  # tiles are under way together: some may be stopped
    assert done[again:] == [0, 1, 2, 3, 4, 5]


def test_rows_that_are_passed_on_while_they_come_are_begun_again_with_the_picture() -> None:
    versions, sink, there = Versions([1]), KeptRows(), dict[int, int]()

    def replace(number: int) -> None:
        if number == 12:  # the first eight tiles make the first rows
            versions.served = [2]

    def look(progress: Progress) -> None:
        there[progress.done] = len(sink.rows)

    versions.before_call = replace
    with serving(versions) as (_, client):
        size = client.run(UpscaleToRows(Upscale(PICTURE, tile=24), sink), on_progress=look)
    assert (size, sink.size, sink.mode, sink.begun) == ((240, 64), (240, 64), "RGB", 2)
    assert (there[0], there[14], there[16]) == (0, 1, 2)
    assert [len(rows) for rows in sink.rows] == [26, 38]
    assert np.unique(np.concatenate(sink.rows)).tolist() == [2]


def test_the_asynchronous_client_begins_again_too() -> None:
    versions = Versions([1])

    def replace(number: int) -> None:
        if number == 3:
            versions.served = [2]

    versions.before_call = replace

    async def upscale(address: str) -> NDArray[np.uint8]:
        async with AsyncClient(address) as client:
            return np.asarray(await client.upscale(PICTURE, tile=32))

    with scripted(versions) as server:
        assert np.unique(asyncio.run(upscale(server.address))).tolist() == [2]


def test_versions_that_go_away_again_and_again_end_in_an_error_that_says_so() -> None:
    versions = Versions([1])

    def replace(number: int) -> None:
        if versions.asked and versions.asked[-1] == 0:  # after each first tile
            versions.served = [versions.served[0] + 1]

    versions.before_call = replace
    with serving(versions) as (_, client), pytest.raises(errors.VersionGone) as caught:
        upscaled(client)
    assert str(caught.value).startswith(
        "3 versions of srcnn went away in the middle of one picture; wait until"
    )
    assert isinstance(caught.value, errors.ModelNotFound)
    assert versions.asked.count(0) == 3


def test_a_version_that_was_asked_for_and_goes_away_is_not_replaced_by_another() -> None:
    versions = Versions([1, 2])

    def retire(number: int) -> None:
        if number == 2:
            versions.served = [2]

    versions.before_call = retire
    with serving(versions) as (_, client), pytest.raises(errors.ModelNotFound):
        upscaled(client, Model("srcnn", version=1))


def test_a_version_that_is_not_there_from_the_first_is_said_at_once() -> None:
    versions = Versions([1])
    with serving(versions) as (_, client), pytest.raises(errors.ModelNotFound) as caught:
        upscaled(client, Model("srcnn", version=9))
    assert type(caught.value) is errors.ModelNotFound
    assert versions.asked == [9]


def test_replicas_with_different_versions_make_no_mixed_picture() -> None:
    with (
        scripted(Versions([1])) as one,
        scripted(Versions([2])) as other,
        Client(f"{one.address},{other.address}") as client,
    ):
        client.wait_ready()
        colours = [np.unique(upscaled(client)).tolist() for _ in range(6)]
        assert all(len(found) == 1 for found in colours)


def test_a_server_that_names_no_version_is_asked_as_before() -> None:
    nameless = prediction(image=np.full((1, 64, 64, 3), 5, np.uint8))
    with scripted(describing(lambda *_: nameless)) as server, Client(server.address) as client:
        assert np.unique(upscaled(client)).tolist() == [5]
