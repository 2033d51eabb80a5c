"""A dream that was cut short goes on from its checkpoint, and only if it is the same dream."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from images.pictures import pixels
from impasto.client import Client, Dream, Model
from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client._jobs.steps import Snapshot
from impasto.client.errors import CheckpointError, ModelNotFound, UnwritableOutput
from servers.model_servers import ModelServer, serving
from toys.dream_models import write_dream

PICTURE = pixels(24, 32)
OPTIONS: dict[str, Any] = {"steps": 30, "octaves": [-1, 0], "tile": 17, "seed": 3}


@pytest.fixture(scope="module")
def client(dream_server: ModelServer) -> Iterator[Client]:
    with Client(dream_server.address) as client:
        yield client


def stopped_at(client: Client, path: Path, done: int, **options: Any) -> None:
    """Dream as OPTIONS say until `done` steps are done, and stop."""
    steps = client.iterate(Dream(PICTURE, **OPTIONS | options), checkpoint=path, every=1)
    for progress in steps:
        if progress.done == done:
            break
    steps.close()


@pytest.mark.parametrize("done", [0, 1, 29, 30, 31, 60])
def test_it_goes_on_where_it_was_to_the_very_same_picture(client: Client, tmp_path: Path, done: int) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, done)
    rest = list(client.iterate(Dream(PICTURE, **OPTIONS), checkpoint=path))
    assert rest[0].done == done
    assert np.array_equal(np.asarray(rest[-1].preview()), np.asarray(client.dream(PICTURE, **OPTIONS)))


def test_it_may_be_cut_again_and_again(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    for done in (7, 19, 30, 44, 59):
        stopped_at(client, path, done)
    result = client.run(Dream(PICTURE, **OPTIONS), checkpoint=path)
    assert np.array_equal(np.asarray(result), np.asarray(client.dream(PICTURE, **OPTIONS)))


def test_of_a_dream_that_is_done_it_gives_the_result_without_a_step(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    result = client.run(Dream(PICTURE, **OPTIONS), checkpoint=path)
    (last,) = client.iterate(Dream(PICTURE, **OPTIONS), checkpoint=path)
    assert last.done == 60
    assert np.array_equal(np.asarray(last.preview()), np.asarray(result))


def test_a_guided_dream_goes_on_too(client: Client, tmp_path: Path) -> None:
    path, guide = tmp_path / "checkpoint", pixels(30, 30, seed=9)
    stopped_at(client, path, 33, guide=guide)
    result = client.run(Dream(PICTURE, guide=guide, **OPTIONS), checkpoint=path)
    assert np.array_equal(np.asarray(result), np.asarray(client.dream(PICTURE, guide=guide, **OPTIONS)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 31}, "steps is 30 there and 31 here"),
        ({"seed": 4}, "seed is 3 there and 4 here"),
        ({"octaves": [0]}, r"octaves is \[-1, 0\] there and \[0\] here"),
        ({"layers": ["deep"]}, r"layers is \{'middle': 1.0, 'deep': 2.0\} there and \{'deep': 1.0\} here"),
        ({"step_size": 0.5}, "step_size is .* there and 0.5 here"),
        ({"octave_scale": 1.5}, "octave_scale is .* there and 1.5 here"),
        ({"tile": 0}, "tile is 17 there and 0 here"),
        ({"preserve_color": True}, "preserve_color is False there and True here"),
        ({"guide": PICTURE}, "guide is None there and '24x32x3 .*' here"),
        ({"image": pixels(24, 32, seed=1)}, "picture is '24x32x3 .*' there and '24x32x3 .*' here"),
        ({"model": Model("dream", 2)}, "version is 1 there and 2 here"),
    ],
)
def test_a_checkpoint_of_another_dream_is_refused_and_left_alone(
    client: Client, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 5)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"of another job: .*{words}.*delete it to begin anew"):
        client.run(Dream(**{"image": PICTURE, **OPTIONS} | options), checkpoint=path)
    assert path.read_bytes() == before


def test_an_option_that_is_spelt_out_is_the_same_dream(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 5)
    client.run(Dream(PICTURE, layers=["middle", ("deep", 2)], octave_scale=1.3, **OPTIONS), checkpoint=path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"hello",
        lambda data: data[: len(data) // 2],
        lambda data: data[:2000] + b"\x55" + data[2001:],
        lambda data: b"\x93NUMPY" + data,
    ],
)
def test_a_damaged_checkpoint_is_refused(client: Client, tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 5)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match="checkpoint is no checkpoint, or damaged; delete it"):
        client.run(Dream(PICTURE, **OPTIONS), checkpoint=path)


def rewritten(path: Path, **changes: Any) -> None:
    """The checkpoint at `path` with other parts of the snapshot."""
    found = CheckpointFile(path).read()
    assert found is not None
    parts: dict[str, Any] = {"job": found.job, "position": found.position, "arrays": found.arrays}
    file = CheckpointFile(path)
    file.offer(Snapshot(**parts | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"position": {"stage": 3, "step": 0}},
        {"position": {"stage": 0, "step": 31}},
        {"position": {"stage": 0}},
        {"arrays": {}},
        {"arrays": {"pixels": np.zeros((40, 60, 3), np.float32)}},
        {"arrays": {"pixels": np.zeros((40, 60), np.uint8)}},
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(
    client: Client, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 5)
    rewritten(path, **changes)
    with pytest.raises(CheckpointError, match="the checkpoint is damaged"):
        client.run(Dream(PICTURE, **OPTIONS), checkpoint=path)


@pytest.mark.parametrize("job", [{}, {"kind": "transfer", "version": 1}])
def test_a_checkpoint_of_no_dream_is_refused(client: Client, tmp_path: Path, job: dict[str, Any]) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 5)
    rewritten(path, job=job)
    with pytest.raises(CheckpointError, match="the checkpoint is of no dream"):
        client.run(Dream(PICTURE, **OPTIONS), checkpoint=path)


def test_a_place_that_cannot_be_written_is_said_before_the_first_step(client: Client, tmp_path: Path) -> None:
    steps = client.iterate(Dream(PICTURE, **OPTIONS), checkpoint=tmp_path / "no/such/folder")
    with pytest.raises(UnwritableOutput, match="no/such/folder"):
        next(steps)


def test_the_file_is_not_rewritten_at_every_call(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    written = set()
    for _ in client.iterate(Dream(PICTURE, **OPTIONS), checkpoint=path, every=1):
        written.add(path.stat().st_ino if path.exists() else None)
    assert len(written) < 30


def test_a_new_version_in_the_middle_is_never_mixed_in(
    dream_repository: Path, tmp_path: Path, server_kind: str
) -> None:
    models, path = tmp_path / "models", tmp_path / "checkpoint"
    shutil.copytree(dream_repository, models)
    cold: dict[str, Any] = {"enable_model_warmup": "false"}  # each start would build what is not called here
    with serving(server_kind, models, **cold) as server, Client(server.address) as client:
        undisturbed = client.dream(PICTURE, **OPTIONS)
        steps = client.iterate(Dream(PICTURE, **OPTIONS), checkpoint=path, every=1)
        while next(steps).done < 40:
            pass
        server.stop()
        write_dream(models, 2, seed=1)
        with serving(server_kind, models, port=server.port, **cold):
            with pytest.raises(
                ModelNotFound, match=r"version 1 of dream, with which this job began, is no long"
            ):
                list(steps)
            with pytest.raises(ModelNotFound, match=r"version 1 of dream, .* go on from the checkpoint"):
                client.run(Dream(PICTURE, **OPTIONS), checkpoint=path)
            newer = client.dream(PICTURE, **OPTIONS)
            assert not np.array_equal(np.asarray(newer), np.asarray(undisturbed))
        shutil.rmtree(models / "dream" / "2")
        with serving(server_kind, models, port=server.port, **cold):
            client.wait_ready(
                models="dream"
            )  # its channel waits a while before it tries a server that was away
            (first, *_, last) = client.iterate(Dream(PICTURE, **OPTIONS), checkpoint=path)
    assert first.done == 40
    assert np.array_equal(np.asarray(last.preview()), np.asarray(undisturbed))
