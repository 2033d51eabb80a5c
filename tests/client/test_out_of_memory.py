"""A server whose memory is short: jobs ask once more, go on in smaller tiles, or say at once which size fits."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import load, pixels, save
from impasto.client import Client, Dream, Progress, Upscale, errors
from impasto.client._transport import patience
from impasto.client._transport.failures import kind_of
from impasto.client.cli import exit_codes, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from scripted.client_servers import aborting, scripted
from scripted.enlarging import repeated
from scripted.short_of_memory import OUT_OF_MEMORY, small_before, small_upscaler
from servers.model_servers import ModelServer

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
FULL = OUT_OF_MEMORY.format(40, 64)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_MEMORY_PAUSE", 0.01)


def doubled(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return repeated(picture[np.newaxis])[0]


@pytest.mark.parametrize(
    "details",
    [
        FULL,
        "failed to allocate memory\n\t [[{{node mul}}]]",
        "Out of memory while trying to allocate 805306368 bytes.",
        "Failed to allocate request for 3.00GiB: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    ],
)
def test_tensorflows_words_for_a_full_memory_are_told_from_other_overloads(details: str) -> None:
    assert kind_of(EXHAUSTED, details) is errors.OutOfMemory
    assert kind_of(grpc.StatusCode.INTERNAL, details) is errors.ServerFault


@pytest.mark.parametrize(
    "details", ["Server Threadpool Exhausted", "", "grpc: received message larger than max"]
)
def test_other_overloads_are_not_taken_for_a_full_memory(details: str) -> None:
    assert kind_of(EXHAUSTED, details) is not errors.OutOfMemory


def test_a_call_of_no_job_is_not_sent_again() -> None:
    with (
        scripted(aborting(EXHAUSTED, FULL)) as server,
        Client(server.address) as client,
        pytest.raises(errors.OutOfMemory, match="does not have the memory for this call to half") as caught,
    ):
        client.predict("half", {"x": [1.0]})
    assert len(server.methods) == 1
    assert caught.value.details == FULL
    assert "node" not in str(caught.value)


def test_a_picture_goes_on_in_smaller_tiles_and_the_progress_says_so() -> None:
    picture = pixels(300, 420)
    seen: list[Progress] = []
    with small_upscaler(room=150 * 150) as server, Client(server.address) as client:
        result = client.run(Upscale(picture, tile=256), on_progress=seen.append)
    assert np.array_equal(np.asarray(result), doubled(picture))
    # One tile was asked for twice; its parts and all the others are of half the side.
    assert server.refused == [(160, 224)] * 2
    assert set(server.sizes) == {(160, 224), (96, 117)}
    assert [(progress.done, progress.total) for progress in seen] == [(done, 4) for done in range(5)]
    assert [progress.note for progress in seen] == [
        "",
        *["in tiles of 117 pixels, because srcnn's server has no memory for larger ones"] * 4,
    ]


def test_the_side_is_halved_until_it_fits_and_a_picture_that_was_sent_whole_is_cut_too() -> None:
    picture = pixels(200, 310)
    with small_upscaler(room=90 * 90) as server, Client(server.address) as client:
        assert np.array_equal(np.asarray(client.upscale(picture, tile=None)), doubled(picture))
    assert server.refused == [(200, 310)] * 2 + [(112, 160)] * 2
    assert max(server.sizes[4:]) == (64, 85)


def test_other_pictures_of_the_same_job_begin_with_the_tiles_that_fit() -> None:
    pictures = [pixels(150, 100 + number) for number in range(3)]
    with small_upscaler(room=100 * 100) as server, Client(server.address) as client:
        outcomes = list(client.map((Upscale(picture) for picture in pictures), concurrency=1))
        assert all(
            np.array_equal(np.asarray(outcome.result), doubled(picture))
            for outcome, picture in zip(outcomes, pictures, strict=True)
        )
    assert server.refused == [(150, 100)] * 2


def test_memory_that_others_had_for_a_moment_changes_nothing() -> None:
    picture = pixels(150, 100)
    seen: list[Progress] = []
    with small_upscaler(room=10, refusals=1) as server, Client(server.address) as client:
        client.run(Upscale(picture), on_progress=seen.append)
    assert server.sizes == [(150, 100)] * 2
    assert not any(progress.note for progress in seen)


def test_a_server_without_any_memory_is_given_up_after_a_few_calls() -> None:
    with (
        small_upscaler(room=10) as server,
        Client(server.address) as client,
        pytest.raises(errors.OutOfMemory, match="no memory for a tile of 76 x 76 pixels"),
    ):
        client.upscale(pixels(520, 520))
    assert server.sizes == [(side, side) for side in (272, 141, 76) for _ in range(2)]


def test_the_command_line_says_it_in_its_summary_and_its_report(
    committed_server: ModelServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        save(tmp_path / name, pixels(150, 100))
    with small_before(committed_server.address, room=100 * 100) as server:
        monkeypatch.setenv(ADDRESS_VARIABLE, server.address)
        assert run(["upscale", "a.png", "-o", "large.png"]) == exit_codes.DONE
        one = capsys.readouterr()
        assert run(["upscale", "a.png", "b.png", "-o", "large/", "--json"]) == exit_codes.DONE
        several = capsys.readouterr()
    note = "in tiles of 80 pixels, because srcnn's server has no memory for larger ones"
    assert one.err.splitlines()[-1] == f"impasto: done {note}"
    assert several.err.splitlines()[-2:] == [f"impasto: 2 of 2 pictures {note}", "2 of 2 pictures done"]
    assert [each["note"] for each in json.loads(several.out)["done"]] == [note] * 2
    assert load(tmp_path / "large/b.png").size == (200, 300)


def test_a_stylization_says_at_once_which_side_fits() -> None:
    photo = Image.fromarray(pixels(60, 90))
    with (
        scripted(aborting(EXHAUSTED, FULL)) as server,
        Client(server.address) as client,
        pytest.raises(errors.OutOfMemory) as caught,
    ):
        client.stylize(photo, pixels(20, 20), max_side=80)
    assert len(server.methods) == 2
    assert "the memory for stylize at 80 x 53 pixels, and was asked twice (OOM when allocating" in str(
        caught.value
    )
    assert (
        "A longer side of 40 pixels takes a quarter of the memory, by an estimate, and should fit: set max_side "
        "(--max-side) to 40 or less" in str(caught.value)
    )


def climbs(signature: str) -> bool:
    return signature == "ascend"


def test_a_dream_says_which_octave_fitted_and_which_picture_would(dream_server: ModelServer) -> None:
    with (
        small_before(dream_server.address, room=50 * 75, refuses=climbs) as server,
        Client(server.address) as client,
        pytest.raises(errors.OutOfMemory) as caught,
    ):
        client.dream(pixels(60, 90), octaves=[-2, -1, 0], octave_scale=1.3, steps=2)
    assert server.refused == [(60, 90)] * 2
    assert "A longer side of 69 pixels was done before and should fit" in str(caught.value)
    assert "use a picture whose longer side is 69 or less" in str(caught.value)


def test_a_dream_whose_size_was_answered_waits_for_memory_that_others_have(dream_server: ModelServer) -> None:
    dream = Dream(pixels(60, 90), octaves=[0], steps=3)
    with (
        small_before(dream_server.address, room=10**9, refuses=climbs) as server,
        Client(server.address) as client,
    ):
        wanted = np.asarray(client.run(dream))
        for progress in client.iterate(dream, every=1):
            if progress.done == 1:
                server.room, server.refusals = 10, 3
    assert len(server.refused) == 3
    assert np.array_equal(np.asarray(progress.preview()), wanted)
