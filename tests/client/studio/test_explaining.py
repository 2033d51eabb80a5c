"""The command line and the Python that the page shows make the very job that the page makes."""

from __future__ import annotations

import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from images.pictures import pixels
from impasto.client import Job, Stylize, Upscale
from impasto.client.cli import impasto
from impasto.client.studio import explaining, forms, words

ADDRESS = "gpu-box:8500"

CASES: list[tuple[str, dict[str, Any]]] = [
    ("upscale", {"image": "cat.png"}),
    ("upscale", {"image": "my cat's.png", "factor": 4, "model": "upscaler-base"}),
    ("upscale", {"image": "cat.png", "factor": [4, 2], "tile": 64}),
    ("upscale", {"image": "cat.png", "size": [300, 200]}),
    ("upscale", {"image": "cat.png", "megapixels": 2.5}),
    ("stylize", {"content": "cat.png", "style": ["a.jpg"], "strength": 0.25, "preserve_color": True}),
    ("stylize", {"content": "cat.png", "style": ["a.jpg", "b.jpg"], "weights": [2, 0.5], "max_side": 512}),
    ("dream", {"image": "cat.png"}),
    (
        "dream",
        {
            "image": "cat.png",
            "layers": {"mixed3": 1, "mixed5": -0.5},
            "octaves": [-2, -1, 0],
            "octave_scale": 1.3,
            "steps": 30,
            "step_size": 0.02,
            "preserve_color": True,
            "guide": "a.jpg",
            "tile": 0,
            "seed": -7,
        },
    ),
    ("transfer", {"content": "cat.png", "style": ["a.jpg"]}),
    (
        "transfer",
        {
            "content": "cat.png",
            "style": ["a.jpg", "b.jpg"],
            "epochs": 3,
            "steps_per_epoch": 20,
            "weights": [1, 3],
            "style_scale": 1.5,
            "style_weight": 1e-2,
            "content_weight": 1e4,
            "total_variation_weight": 30,
            "style_layers": ["one", ["two", 0.5]],
            "content_layers": ["deep"],
            "learning_rate": 0.02,
            "max_side": 300,
            "pyramid": 3,
            "start": "noise",
            "seed": 5,
            "mask": "b.jpg",
            "preserve_color": True,
            "keep_size": False,
        },
    ),
    ("transfer", {"content": "cat.png", "style": ["a.jpg"], "start": "b.jpg"}),
]


class Caught(Exception):  # noqa: N818 - it carries a job
    """Ends a command when its job is made."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.png", "my cat's.png", "a.jpg", "b.jpg"):
        Image.fromarray(pixels(32, 40)).save(name)


def made_by_the_command(line: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The job that a command line makes; nothing is sent."""
    words = shlex.split(line)
    assert words[:2] == ["impasto", kind] and "--server" in words

    def long(jobs: Any, pictures: Any, **_: Any) -> None:
        raise Caught(jobs.job(str(pictures.inputs[0])))

    def many(_: Any, plan: Any, work: Any, *, recipe: Any, **__: Any) -> None:
        found: list[Any] = []

        class Catching:
            async def run(self, job: Any, **_: Any) -> None:
                found.append(job)

        steps = work(Catching(), str(plan.pairs[0].source), recipe.model, lambda _: None)
        with pytest.raises(StopIteration):
            steps.send(None)
        raise Caught(found[0])

    module = import_module(f"impasto.client.cli.{kind}")
    for name, stand_in in (("run_long_jobs", long), ("run_pictures", many), ("look_up", _nothing)):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, stand_in)
    monkeypatch.setattr("impasto.client.cli.upscale.check_asked", lambda *_: None)
    monkeypatch.setattr("impasto.client.Client.run", lambda *_, **__: None)
    with pytest.raises(Caught) as caught:
        impasto.main(words[1:], standalone_mode=False)
    return caught.value.args[0]


def _nothing(*_: Any) -> Any:
    class Metadata:
        signatures = ()

    return Metadata()


def as_values(job: Any) -> dict[str, Any]:
    """The fields of a job, a list of one style as that style, and the same for layers and models."""
    values = job.to_json()
    style = values.get("style")
    if isinstance(style, (list, tuple)):
        values["style"] = [str(each) for each in style]
    elif style is not None:
        values["style"] = [str(style)]
    return {name: values[name] for name in sorted(values)}


def python_makes(program: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    found: list[Any] = []

    class Catching:
        def __init__(self, address: str) -> None:
            assert address == ADDRESS

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def run(self, job: Any) -> Image.Image:
            found.append(job)
            return Image.new("RGB", (1, 1))

    monkeypatch.setattr("impasto.client.Client", Catching)
    exec(compile(program, "shown", "exec"), {})
    return found[0]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("kind", "fields"), CASES)
def test_the_python_that_is_shown_makes_the_job(
    kind: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = forms.job_of(kind, fields)
    assert python_makes(explaining.python(kind, job, address=ADDRESS), monkeypatch) == job


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("kind", "fields"), CASES)
def test_the_command_line_that_is_shown_makes_the_job(
    kind: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job: Job[Any, Any] = forms.job_of(kind, fields)
    made = made_by_the_command(explaining.command(kind, job, address=ADDRESS), kind, monkeypatch)
    assert as_values(made) == as_values(job)


@pytest.mark.parametrize(
    ("kind", "told"), [("dream", words.DREAM_RECIPES), ("transfer", words.TRANSFER_RECIPES)]
)
def test_each_recipe_has_words_of_its_own(kind: str, told: Any) -> None:
    assert sorted(recipe["name"] for recipe in told) == sorted(forms.described()[kind]["recipe"]["choices"])


def test_an_address_that_is_a_file_of_this_machine_is_not_shown() -> None:
    job = Upscale("cat.png")
    for address in ("unix:///run/impasto/grpc.sock", "localhost:8500"):
        assert (
            explaining.command("upscale", job, address=address)
            == "impasto upscale cat.png -o cat-upscale.png"
        )
        assert "Client()" in explaining.python("upscale", job, address=address)
    assert "Model('stylize', version=3, label=None)" in explaining.python(
        "stylize",
        Stylize.from_json({"content": "a", "style": "b", "model": {"name": "stylize", "version": 3}}),
        address="",
    )
