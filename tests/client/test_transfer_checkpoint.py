"""A transfer that was cut short goes on from its checkpoint, and only if it is the same transfer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from images.pictures import pixels
from impasto.client import Client, Model, Transfer
from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client._jobs.steps import Snapshot
from impasto.client.errors import CheckpointError
from servers.model_servers import ModelServer

CONTENT, STYLE = pixels(32, 48), 255 - pixels(48, 40, seed=1)
OPTIONS: dict[str, Any] = {
    "recipe": "classic",
    "epochs": 2,
    "steps_per_epoch": 5,
    "pyramid": 2,
    "start": "noise",
    "seed": 3,
}


@pytest.fixture(scope="module")
def client(transfer_server: ModelServer) -> Iterator[Client]:
    with Client(transfer_server.address) as client:
        yield client


@pytest.fixture(scope="module")
def undisturbed(client: Client) -> NDArray[np.uint8]:
    return np.asarray(client.transfer(CONTENT, STYLE, **OPTIONS))


def stopped_at(client: Client, path: Path, done: int, **options: Any) -> None:
    """Paint as OPTIONS say until `done` steps are done, and stop."""
    steps = client.iterate(Transfer(CONTENT, STYLE, **OPTIONS | options), checkpoint=path, every=1)
    for progress in steps:
        if progress.done == done:
            break
    steps.close()


@pytest.mark.parametrize("done", [0, 1, 19, 20, 21, 30])
def test_a_fine_one_goes_on_between_and_within_its_sizes(client: Client, tmp_path: Path, done: int) -> None:
    fine = Transfer(CONTENT, STYLE, **OPTIONS | {"recipe": "fine"})
    path = tmp_path / "checkpoint"
    stopped_at(client, path, done, recipe="fine")
    rest = list(client.iterate(fine, checkpoint=path))
    assert (rest[0].done, rest[-1].done) == (done, 30)
    assert np.array_equal(np.asarray(rest[-1].preview()), np.asarray(client.run(fine)))


@pytest.mark.parametrize("done", [0, 1, 9, 10, 11, 20])
def test_it_goes_on_where_it_was_to_the_very_same_picture(
    client: Client, undisturbed: NDArray[np.uint8], tmp_path: Path, done: int
) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, done)
    rest = list(client.iterate(Transfer(CONTENT, STYLE, **OPTIONS), checkpoint=path))
    assert rest[0].done == done
    assert np.array_equal(np.asarray(rest[-1].preview()), undisturbed)


def test_it_may_be_cut_again_and_again(
    client: Client, undisturbed: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    for done in (3, 10, 14, 19):
        stopped_at(client, path, done)
    result = client.run(Transfer(CONTENT, STYLE, **OPTIONS), checkpoint=path)
    assert np.array_equal(np.asarray(result), undisturbed)
    (last,) = client.iterate(Transfer(CONTENT, STYLE, **OPTIONS), checkpoint=path)
    assert np.array_equal(np.asarray(last.preview()), undisturbed)


def test_epochs_may_be_cut_otherwise_for_the_same_steps(
    client: Client, undisturbed: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 5)
    options = OPTIONS | {"epochs": 10, "steps_per_epoch": 1}
    result = client.run(Transfer(CONTENT, STYLE, **options), checkpoint=path)
    assert np.array_equal(np.asarray(result), undisturbed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 3}, r"steps is \[10, 10\] there and \[15, 15\] here"),
        ({"seed": 4}, "seed is 3 there and 4 here"),
        ({"start": "content"}, "start is 'noise' there and 'content' here"),
        ({"pyramid": 1}, r"sizes is \[\[16, 24\], \[32, 48\]\] there and \[\[32, 48\]\] here"),
        (
            {"style_layers": ["block1_conv1"]},
            r"style_layers is \{.*\} there and \{'block1_conv1': 1.0\} here",
        ),
        ({"content_weight": 5}, "content_weight is 10000.0 there and 5.0 here"),
        ({"learning_rate": 0.5}, "learning_rate is .* there and 0.5 here"),
        ({"style_scale": 2}, "style_sizes is .* there and .* here"),
        ({"preserve_color": True}, "preserve_color is False there and True here"),
        ({"mask": CONTENT}, "mask is None there and '32x48 .*' here"),
        ({"style": [STYLE, CONTENT]}, r"styles is \['48x40x3 .*'\] there and"),
        ({"content": STYLE}, "picture is '32x48x3 .*' there and '48x40x3 .*' here"),
        ({"model": Model("transfer", 2)}, "version is 1 there and 2 here"),
    ],
)
def test_a_checkpoint_of_another_transfer_is_refused_and_left_alone(
    client: Client, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 2)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"of another job: .*{words}.*delete it to begin anew"):
        client.run(Transfer(**{"content": CONTENT, "style": STYLE, **OPTIONS} | options), checkpoint=path)
    assert path.read_bytes() == before


def _without(name: str) -> Any:
    return lambda parts: parts["arrays"].pop(name)


def _with(**arrays: NDArray[Any]) -> Any:
    return lambda parts: parts["arrays"].update(arrays)


@pytest.mark.parametrize(
    "damage",
    [
        lambda parts: parts["position"].update(stage=3),
        lambda parts: parts["position"].update(stage=2),
        lambda parts: parts["position"].update(stage=1),
        lambda parts: parts["position"].update(step=11),
        lambda parts: parts["position"].update(step=-1),
        lambda parts: parts["position"].pop("step"),
        lambda parts: parts["arrays"].clear(),
        _without("m"),
        _with(m=np.zeros((16, 23, 3), np.float32)),
        _with(v=np.zeros((16, 24, 3), np.float64)),
        _with(style_targets=np.zeros((2, 2), np.float32)),
        _with(more=np.zeros(3, np.float32)),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(client: Client, tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "checkpoint"
    stopped_at(client, path, 2)
    found = CheckpointFile(path).read()
    assert found is not None
    parts: dict[str, Any] = {"position": dict(found.position), "arrays": dict(found.arrays)}
    damage(parts)
    CheckpointFile(path).offer(Snapshot(found.job, parts["position"], parts["arrays"]))
    with pytest.raises(CheckpointError, match="the checkpoint is damaged; delete it"):
        client.run(Transfer(CONTENT, STYLE, **OPTIONS), checkpoint=path)


def test_a_checkpoint_of_no_transfer_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    CheckpointFile(path).offer(Snapshot({"kind": "dream", "version": 1}, {}, {}))
    with pytest.raises(CheckpointError, match="the checkpoint is of no transfer"):
        client.run(Transfer(CONTENT, STYLE, **OPTIONS), checkpoint=path)
