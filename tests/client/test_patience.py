"""A job that has begun waits for a server that is away, as long as the setting says, and tells for whom it waits."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import load, pixels, save
from impasto.client import AsyncClient, Client, Progress, Retries, Settings, Upscale, Waiting, errors
from impasto.client._transport.patience import Patience
from impasto.client.cli import exit_codes, run
from impasto.client.cli.bars import Waits
from processes.terminals import terminal
from scripted.client_servers import aborting, prediction, scripted
from scripted.enlarging import describing
from scripted.outages import EveryOther, Outages, before
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "outages come from a proxy, whatever is behind it"

DOUBLED = np.full((1, 64, 64, 3), 7, np.uint8)
PICTURE = pixels(32, 54)
"""In tiles of 32 pixels, two."""

# Each outage that a server shows is one that the job sees: gRPC does not try again in between.
ONCE = Retries(attempts=1)
A_WHILE = range(1, 6)
"""Calls enough for the waiting to be told of: the pauses between them are longer than a second in all."""


def answer(*_: object) -> bytes:
    return prediction(image=DOUBLED)


def upscaled(client: Client, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(client.run(Upscale(PICTURE, tile=32), **options))


def test_the_setting_is_five_minutes_unless_something_else_is_said() -> None:
    assert Settings().patience == 300


def test_a_tile_waits_for_the_server_and_the_picture_goes_on_where_it_was() -> None:
    told: list[Waiting | None] = []
    seen: list[Progress] = []
    with (
        scripted(describing(Outages(answer, A_WHILE), version=1)) as server,
        Client(server.address, retries=ONCE, on_wait=told.append) as client,
    ):
        assert (upscaled(client, on_progress=seen.append) == 7).all()
        assert len(server.methods) == 1 + 2 + len(A_WHILE)  # the first asks what the model is
    assert seen == [Progress(0, 2), Progress(1, 2), Progress(2, 2)]  # none twice: people save at each
    *waits, last = told
    assert last is None
    assert waits
    for waiting in waits:
        assert waiting is not None
        assert waiting.server == server.address
        assert isinstance(waiting.reason, errors.ServerUnavailable)
        assert waiting.seconds > 1
        assert f"waiting for {server.address}, which does not answer: " in str(waiting)
        assert str(waiting).endswith(" s of at most 300 s")


def test_the_asynchronous_client_waits_too_and_tells_it_in_the_event_loop() -> None:
    threads: list[int] = []

    async def upscale(address: str) -> Image.Image:
        def tell(waiting: Waiting | None) -> None:
            threads.append(threading.get_ident())

        async with AsyncClient(address, retries=ONCE, on_wait=tell) as client:
            return await client.upscale(PICTURE, tile=32)

    with scripted(describing(Outages(answer, A_WHILE), version=1)) as server:
        assert (np.asarray(asyncio.run(upscale(server.address))) == 7).all()
    assert len(threads) >= 2
    assert set(threads) == {threading.get_ident()}


def test_no_more_than_the_patience_is_waited_and_the_error_names_the_setting() -> None:
    with (
        scripted(describing(Outages(answer, range(1, 1000)), version=1)) as server,
        Client(server.address, retries=ONCE, patience=0.5) as client,
    ):
        started = time.monotonic()
        with pytest.raises(errors.ServerUnavailable, match=r"waited 0\.5 s .* patience \(IMPASTO_PATIENCE\)"):
            upscaled(client)
        assert time.monotonic() - started < 240


def test_without_patience_the_first_failure_ends_the_job() -> None:
    with (
        scripted(describing(Outages(answer, range(1, 1000)), version=1)) as server,
        Client(server.address, retries=ONCE, patience=0) as client,
    ):
        with pytest.raises(errors.ServerUnavailable):
            upscaled(client)
        assert len(server.methods) == 1 + 2


@pytest.mark.parametrize("patience", [300, math.inf])
def test_a_server_that_was_never_there_fails_the_job_at_once(patience: float) -> None:
    with (
        scripted(aborting(grpc.StatusCode.UNAVAILABLE)) as server,
        Client(server.address, retries=ONCE, patience=patience) as client,
    ):
        for job in (client.upscale, client.dream):
            with pytest.raises(errors.ServerUnavailable):
                job(PICTURE)
        with pytest.raises(errors.ServerUnavailable):
            client.stylize(PICTURE, pixels(20, 20))
        with pytest.raises(errors.ServerUnavailable):
            client.transfer(PICTURE, pixels(20, 20))
        assert len(server.methods) == 4


def test_what_one_job_has_met_the_next_one_has_not() -> None:
    with (
        scripted(describing(Outages(answer, range(2, 1000)), version=1)) as server,
        Client(server.address, retries=ONCE) as client,
    ):
        upscaled(client)
        with pytest.raises(errors.ServerUnavailable):
            upscaled(client)
        assert len(server.methods) == 1 + 3


def test_calls_that_are_parts_of_one_job_know_the_server_together() -> None:
    with (
        scripted(describing(Outages(answer, range(2, 5)), version=1)) as server,
        Client(server.address, retries=ONCE) as client,
    ):
        film = client.in_one_job()
        for _ in range(2):
            assert (upscaled(film) == 7).all()


def test_pictures_of_a_map_know_the_server_together() -> None:
    with (
        scripted(describing(Outages(answer, range(1, 3)), version=1)) as server,
        Client(server.address, retries=ONCE) as client,
    ):
        outcomes = client.map([Upscale(pixels(32, 32, seed=seed)) for seed in range(2)], concurrency=1)
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert len(server.methods) == 1 + 4


Job = Callable[[Client], Image.Image]
JOBS: dict[str, tuple[str, Job]] = {
    "stylize": (
        "stylize_server",
        lambda client: client.stylize(pixels(44, 60), pixels(40, 36, seed=1), strength=0.5),
    ),
    "dream": ("dream_server", lambda client: client.dream(pixels(90, 120), steps=4, octaves=[-1, 0])),
    "transfer": (
        "transfer_server",
        lambda client: client.transfer(
            pixels(32, 48), pixels(48, 40, seed=1)[::-1].copy(), epochs=1, steps_per_epoch=4
        ),
    ),
}


@pytest.mark.parametrize("name", JOBS)
def test_every_job_outlasts_a_server_that_is_away_at_every_other_call(
    name: str, request: pytest.FixtureRequest, server_kind: str
) -> None:
    fixture, job = JOBS[name]
    real: ModelServer = request.getfixturevalue(fixture)
    with Client(real.address) as client:
        undisturbed = np.asarray(job(client))
    with before(real.address, EveryOther()) as server, Client(server.address, retries=ONCE) as client:
        assert np.array_equal(np.asarray(job(client)), undisturbed)
        assert len(server.methods) >= 5


def test_one_part_that_goes_on_does_not_end_the_waiting_of_another_which_tells_of_it_then() -> None:
    told: list[Waiting | None] = []
    patience = Patience(300, told.append)
    one, other = (Waiting("here:1", errors.ServerUnavailable("away"), 0.0, 300) for _ in range(2))
    patience.waits("one", one)
    patience.waits("other", other)
    patience.answered("one")
    assert told == [one]
    patience.waits("other", other)
    assert told == [one, other]
    patience.ended("other")
    patience.ended("other")
    assert told == [one, other, None]


def test_an_overloaded_server_is_not_said_to_be_away() -> None:
    waiting = Waiting("here:1", errors.ServerOverloaded("busy"), time.monotonic(), math.inf)
    assert str(waiting) == "waiting for here:1, which refuses work for now: 0 s"


def test_a_command_without_a_terminal_says_in_two_lines_for_whom_it_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_RETRIES_ATTEMPTS", "1")
    source, result = save(tmp_path / "photo.png", PICTURE), tmp_path / "large.png"
    for quiet in ([], ["--quiet"]):
        with scripted(describing(Outages(answer, A_WHILE), version=1)) as server:
            command = ["upscale", str(source), "-o", str(result), "--tile", "32", "--server", server.address]
            assert run([*command, "--overwrite", *quiet]) == exit_codes.DONE
        said = capsys.readouterr().err.splitlines()
        if quiet:
            assert said == []
            continue
        assert said[0] == f"impasto: {server.address} does not answer; waiting for it, for 300 s at most"
        assert said[1].startswith("impasto: waited ")
        assert said[1].endswith(f" s for {server.address}")
        assert len(said) == 2
    assert load(result).size == (108, 64)


@pytest.mark.parametrize("pictures", [1, 2])
def test_a_bar_says_for_whom_it_waits(tmp_path: Path, pictures: int) -> None:

    sources = [save(tmp_path / f"{number}.png", PICTURE) for number in range(pictures)]
    output = tmp_path / ("large.png" if pictures == 1 else "large")

    with (
        scripted(describing(Outages(answer, range(1, 7)), version=1)) as server,
        terminal() as screen,
    ):
        command = [sys.executable, "-m", "impasto.client", "upscale", *map(str, sources), "-o", str(output)]
        options = ["--tile", "32", "--server", server.address, "--concurrency", "1"]
        environment = {**os.environ, "IMPASTO_RETRIES_ATTEMPTS": "1", "TERM": "xterm", "COLUMNS": "120"}
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=screen.end, env=environment
        )
        shown = screen.to_the_end()
        assert process.wait() == exit_codes.DONE, shown
    assert f"waiting for {server.address}, which does not answer: " in shown
    assert "s of at most 300 s" in shown
    assert "impasto: waited" not in shown


def test_the_time_left_does_not_count_the_waiting() -> None:
    waits = Waits(quiet=True)
    began = time.monotonic() - 100
    waits(Waiting("here:1", errors.ServerUnavailable("away"), began, 300))
    assert waits.seconds >= 100
    waits(None)
    over = waits.seconds
    assert over >= 100
    assert waits.seconds == over
