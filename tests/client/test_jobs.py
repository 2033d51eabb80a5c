"""Jobs are values: checked when they are made, equal by their fields, and the same after a way through JSON."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import math
import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from images.pictures import pixels
from impasto.client import (
    AsyncClient,
    Client,
    DescribeDream,
    DescribeTransfer,
    Dream,
    EncodeStyle,
    Job,
    Model,
    Progress,
    StyleVector,
    Stylize,
    Transfer,
    Upscale,
)
from impasto.client.errors import InvalidInput
from servers.model_servers import ModelServer

anytime = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""However slow the machine is."""

KINDS: list[type[Job[Any, Any]]] = [
    Upscale,
    Stylize,
    EncodeStyle,
    Dream,
    DescribeDream,
    Transfer,
    DescribeTransfer,
]
VERBS: dict[str, Any] = {
    "upscale": Upscale,
    "stylize": Stylize,
    "style_vector": EncodeStyle,
    "dream": Dream,
    "describe_dream": DescribeDream,
    "transfer": Transfer,
    "describe_transfer": DescribeTransfer,
}


def of(kind: Any, *values: Any, **named: Any) -> Any:
    """What makes a job or a model of values that its types do not all allow."""
    return partial(kind, *values, **named)


words = st.text("az09 ./-=,:é漢", min_size=1, max_size=8)
models = st.one_of(words, st.builds(Model, words), st.builds(Model, words, st.integers(-9, 9)))
weights = st.floats(0.1, 10)
layers = st.dictionaries(words, weights, min_size=1, max_size=3)
flags = st.booleans()
styles = st.one_of(words, st.lists(words, min_size=1, max_size=1))
anything = st.recursive(
    st.none() | flags | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
)

jobs: st.SearchStrategy[Job[Any, Any]] = st.one_of(
    st.builds(Upscale, words, tile=st.none() | st.integers(11, 2000), model=models),
    st.builds(
        Stylize,
        words,
        styles,
        weights=st.none() | st.lists(weights, min_size=1, max_size=1),
        strength=st.floats(0, 1),
        preserve_color=flags,
        max_side=st.none() | st.integers(16, 9000),
        model=models,
    ),
    st.builds(
        Dream,
        words,
        layers=st.none() | layers | st.lists(words, min_size=1, unique=True),
        octaves=st.none() | st.lists(st.integers(-5, 5), min_size=1, max_size=9),
        octave_scale=st.none() | st.floats(0.125, 8),
        steps=st.none() | st.integers(0, 1000),
        step_size=st.none() | st.floats(0, 1),
        preserve_color=flags,
        guide=st.none() | words,
        tile=st.none() | st.integers(0, 1000),
        seed=st.integers(-9, 9),
        model=models,
    ),
    st.builds(
        Transfer,
        words,
        styles,
        epochs=st.integers(0, 100),
        steps_per_epoch=st.integers(0, 1000),
        weights=st.none() | st.lists(weights, min_size=1, max_size=1),
        style_scale=st.floats(0.125, 8),
        style_weight=st.none() | st.floats(0, 1e9),
        style_layers=st.none() | layers,
        learning_rate=st.none() | st.floats(0, 1),
        max_side=st.none() | st.integers(1, 9000),
        pyramid=st.integers(1, 10),
        start=st.sampled_from(["content", "noise", "picture.png"]),
        mask=st.none() | words,
        keep_size=flags,
        model=models,
    ),
)


@anytime
@given(jobs)
def test_a_job_is_the_same_after_a_way_through_json(job: Job[Any, Any]) -> None:
    written = json.dumps(job.to_json())
    again = type(job).from_json(json.loads(written))
    assert again == job
    assert hash(again) == hash(job)
    assert json.dumps(again.to_json()) == written


@anytime
@given(jobs, st.data())
def test_whatever_stands_in_a_field_is_taken_or_refused_as_invalid(job: Job[Any, Any], data: Any) -> None:
    value = job.to_json()
    name = data.draw(st.sampled_from(sorted(value)))
    wrong = data.draw(anything)
    try:
        again = type(job).from_json({**value, name: wrong})
    except InvalidInput as error:
        assert str(error)
    else:
        assert type(job).from_json(again.to_json()) == again


def test_json_tells_the_kind_of_job_and_every_field() -> None:
    job = Upscale(Path("photos") / "one.jpg", tile=64, model=Model("srcnn", label="stable"))
    assert job.to_json() == {
        "job": "Upscale",
        "image": "photos/one.jpg",
        "factor": None,
        "size": None,
        "megapixels": None,
        "tile": 64,
        "model": {"name": "srcnn", "version": None, "label": "stable"},
    }
    assert (
        Upscale.from_json(
            {"image": "photos/one.jpg", "tile": 64, "model": {"name": "srcnn", "label": "stable"}}
        )
        == job
    )
    assert Dream.from_json({"image": "a.png"}) == Dream("a.png")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            {"image": "a.png", "step": 3},
            r"'step' is not a field of Dream; its fields are image, layers, octaves",
        ),
        ({"steps": 3}, "image is missing; a Dream must have it"),
        ({"image": "a.png", "job": "Upscale"}, "job is 'Upscale'; it must be 'Dream', or left out"),
        ({"image": "a.png", "steps": "3"}, "steps is '3'; it must be a whole number"),
        ({"image": "a.png", "step_size": "0.5"}, "step_size is '0.5'; it must be a number"),
        ({"image": "a.png", "preserve_color": 1}, "preserve_color is 1; it must be True or False"),
        ({"image": 5}, "image is a int; it must be a path"),
        ({"image": None}, "image is a NoneType; it must be a path"),
        ({"image": ["a.png"]}, "image is a list; it must be a path"),
        ({"image": "a.png", "model": 7}, "model is read from an object with its fields, not from 7"),
        ({"image": "a.png", "model": {"label": "x"}}, "model is empty"),
        ({"image": "a.png", "model": {"name": "m", "tag": "x"}}, "'tag' is not a field of model"),
        ({"image": "a.png", "model": {"name": "m", "version": "1"}}, "version is '1'; it must be a whole"),
        ("a.png", "Dream is read from an object with its fields, not from 'a.png'"),
    ],
)
def test_a_key_of_json_that_is_wrong_is_named(value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Dream.from_json(value)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Upscale(pixels()), "image is a ndarray, which JSON cannot hold; give the path"),
        (Upscale(b"file"), "image is a bytes"),
        (Dream("a.png", guide=Image.new("RGB", (3, 3))), "guide is a Image"),
        (Stylize("a.png", StyleVector(np.zeros(3, np.float32), "stylize", 1)), "style is a StyleVector"),
        (Transfer("a.png", ["b.png", pixels()]), "style is a ndarray"),
    ],
)
def test_a_picture_that_is_no_path_has_no_json(job: Job[Any, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        job.to_json()


@pytest.mark.parametrize("word", ["noise", "content"])
def test_a_file_to_start_with_stays_a_file_also_with_a_words_name(word: str) -> None:
    assert Transfer("a.png", "b.png", start=word).start == word
    job = Transfer("a.png", "b.png", start=Path(word))
    assert job.start == f"./{word}"
    assert Transfer.from_json(job.to_json()) == job


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (of(Upscale, "a.png", tile=0), "tile is 0; it must be 1 to"),
        (of(Upscale, "a.png", tile=20.5), "tile is 20.5; it must be a whole number"),
        (of(Upscale, 3), "image is a int; it must be a path, a file's bytes, a PIL image or a uint8"),
        (of(Stylize, "a.png", "b.png", strength=math.nan), "strength is nan; it must be 0 to 1"),
        (
            of(Stylize, "a.png", "b.png", weights=3),
            "weights is 3; it must be numbers, one for each style",
        ),
        (of(Stylize, "a.png", "b.png", weights="1"), "weights is '1'; it must be numbers"),
        (of(Stylize, "a.png", [3]), "style is a int; it must be a path"),
        (of(EncodeStyle, []), "style is an empty list: give at least one painting"),
        (of(Dream, "a.png", steps=-1), "steps is -1; it must be 0 to 1000000000"),
        (of(Dream, "a.png", layers=["a", "a"]), "layers: 'a' is named twice"),
        (of(Dream, "a.png", octaves=[]), "octaves holds 0 numbers"),
        (of(Dream, "a.png", preserve_color="no"), "preserve_color is 'no'; it must be True or False"),
        (of(Dream, "a.png", guide=3), "guide is a int; it must be a path"),
        (of(Transfer, "a.png", "b.png", pyramid=0), "pyramid is 0; it must be 1 to 10"),
        (of(Transfer, "a.png", "b.png", max_side=-1), "max_side is -1; it must be 0 to"),
        (of(Transfer, "a.png", []), "style is an empty list: give at least one picture"),
        (of(Transfer, "a.png", "b.png", style_layers=[]), "style_layers: none has a weight other than 0"),
        (of(DescribeDream, model=""), "model is empty: name the model to call"),
        (of(DescribeTransfer, model=3), "model is 3; it must be a text"),
    ],
)
def test_a_job_is_checked_when_it_is_made(make: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make()


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"name": ""}, "model is empty: name the model to call, as `impasto models` lists them"),
        ({"name": None}, "model is None; it must be a text"),
        ({"name": "m", "version": 1, "label": "stable"}, "version 1 and label 'stable': give one of them"),
        ({"name": "m", "version": "1"}, "version is '1'; it must be a whole number"),
        ({"name": "m", "version": 2**63}, "version is 9223372036854775808; it must be"),
        ({"name": "m", "label": 3}, "label is 3; it must be a text"),
        ({"name": "m\ud800"}, "which has no UTF-8"),
    ],
)
def test_a_model_that_cannot_be_asked_for_is_refused(named: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Model(**named)


def test_a_version_that_no_server_has_is_for_the_server_to_refuse() -> None:
    assert of(Model, "m", np.int64(-3))() == Model("m", -3)
    assert type(of(Model, "m", np.int64(0))().version) is int


def test_a_job_keeps_its_own_values() -> None:
    chosen = {"a": 1.0, "b": 2}
    octaves = [-1, 0]
    job = Dream(Path("a.png"), layers=chosen, octaves=octaves, model="dreams")
    chosen.clear()
    octaves.append(7)
    assert job == Dream("a.png", layers=["a", ("b", 2.0)], octaves=(-1, 0), model=Model("dreams"))
    assert job != Dream("a.png", layers=["a"])
    assert job != Upscale("a.png")
    with pytest.raises(FrozenInstanceError):
        job.steps = 3  # type: ignore[misc]


def test_jobs_of_equal_arrays_are_equal_and_may_be_copied_and_pickled() -> None:
    job = Stylize(pixels(), [pixels(seed=1), "b.png"])
    assert job == Stylize(pixels(), [pixels(seed=1), "b.png"])
    assert job != Stylize(pixels(), [pixels(seed=2), "b.png"])
    assert len({job, Stylize(pixels(), [pixels(seed=1), "b.png"])}) == 1
    assert copy.deepcopy(job) == job
    assert pickle.loads(pickle.dumps(job)) == job


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("verb", VERBS)
def test_a_short_form_shows_its_jobs_fields_and_documentation(client: type, verb: str) -> None:
    method, job = getattr(client, verb), VERBS[verb]
    first, *parameters = inspect.signature(method).parameters.values()
    assert first.name == "self"
    assert [parameter.name for parameter in parameters] == [field.name for field in fields(job)]
    assert parameters == list(inspect.signature(job).parameters.values())
    assert inspect.getdoc(method) == inspect.getdoc(job)
    assert (method.__name__, method.__qualname__) == (verb, f"{client.__name__}.{verb}")
    assert inspect.iscoroutinefunction(method) == (client is AsyncClient)


@pytest.mark.parametrize("job", KINDS)
def test_every_field_of_a_job_is_documented(job: type[Job[Any, Any]]) -> None:
    text = inspect.getdoc(job) or ""
    for name in inspect.signature(job).parameters:
        assert f"\n    {name}: " in text, name


def test_a_short_form_tells_what_it_returns() -> None:
    assert inspect.signature(Client.dream).return_annotation is Image.Image
    assert inspect.signature(Client.style_vector).return_annotation is StyleVector


@pytest.fixture(scope="module")
def client(dream_server: ModelServer) -> Iterator[Client]:
    with Client(dream_server.address) as client:
        yield client


def test_run_iterate_and_map_of_both_clients_give_the_same_result(client: Client) -> None:
    job = Dream(pixels(40, 60), steps=6, octaves=[-1, 0])

    async def all_of_it() -> list[Image.Image]:
        async with AsyncClient(client.address) as other:
            progress = [progress async for progress in other.iterate(job)]
            outcomes = [outcome async for outcome in other.map([job])]
            short = await other.dream(job.image, steps=6, octaves=[-1, 0])
            return [await other.run(job), progress[-1].preview(), outcomes[0].result, short]

    returned: list[Image.Image] = []

    def watched() -> Iterator[Progress]:
        returned.append((yield from client.iterate(job, every=2)))

    *_, last = watched()
    results = [
        client.run(job),
        client.dream(job.image, steps=6, octaves=[-1, 0]),
        last.preview(),  # type: ignore[attr-defined]
        *returned,
        next(client.map([job])).result,
        *asyncio.run(all_of_it()),
    ]
    assert len(results) == 9
    for result in results[1:]:
        assert np.array_equal(np.asarray(result), np.asarray(results[0]))


def test_a_map_takes_jobs_and_coroutine_functions_together(client: Client) -> None:
    job = Dream(pixels(40, 60), steps=2, octaves=[0])

    async def size(asynchronous: AsyncClient, times: int) -> int:
        return times * (await asynchronous.run(job)).width

    items: list[Any] = [job, partial(size, times=3), DescribeDream()]
    image, number, description = client.map(items)
    assert [image.item, number.item, description.item] == items
    assert image.result.size == (60, 40)
    assert number.result == 180
    assert description.result == client.describe_dream()


@pytest.mark.parametrize("option", [{"checkpoint": "file"}, {"every": 3}])
def test_what_is_for_long_jobs_is_refused_of_others(option: dict[str, Any]) -> None:
    with (
        Client("127.0.0.1:1") as client,
        pytest.raises(InvalidInput, match=r"a job of Upscale is done in a few calls"),
    ):
        client.iterate(Upscale(pixels()), **option)


def test_a_long_job_with_a_checkpoint_of_json_values_goes_on(client: Client, tmp_path: Path) -> None:
    Image.fromarray(pixels(40, 60)).save(tmp_path / "photo.png")
    job = Dream(tmp_path / "photo.png", steps=6, octaves=[-1, 0])
    steps = client.iterate(job, every=1, checkpoint=tmp_path / "checkpoint")
    while next(steps).done < 7:
        pass
    steps.close()
    again = Dream.from_json(json.loads(json.dumps(job.to_json())))
    first, *_, last = client.iterate(again, checkpoint=tmp_path / "checkpoint")
    assert first.done == 7
    assert np.array_equal(np.asarray(last.preview()), np.asarray(client.run(job)))
