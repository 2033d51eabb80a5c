"""Publishing SavedModels that others have made, and showing what is known of a version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from impasto.client import Client
from impasto.client.repository.golden import read_golden
from impasto.client.repository.graph_file import signatures_of, warm_up_of
from impasto.client.repository.manifest import Manifest
from impasto.export.cli import cli
from impasto.export.contract import ContractError, SavedModelError
from impasto.export.errors import ExportError
from impasto.export.foreign import Extras, publish_saved_model
from impasto.export.repository import ModelRepository, PublishError
from impasto.export.warmup import read_warmup
from servers.model_servers import ModelServer, serving
from toys import foreign_models, toy_models
from toys.shared_folders import shared_folder

KINDS = ("keras", "pictures", "words", "counting")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of each kind, by name, and a picture."""

    def fill(root: Path) -> None:
        foreign_models.keras_scaler(root / "keras")
        foreign_models.module(root / "pictures")
        foreign_models.table_of_words(root / "words", root / "vocabulary.txt")
        foreign_models.counting(root / "counting")
        Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)).save(root / "small.png")
        np.save(root / "pixels.npy", np.full((1, 4, 6, 3), 7, np.uint8))

    return shared_folder(tmp_path_factory, "strangers", fill)


def requests(folder: Path, *entries: Any) -> Path:
    path = folder / "requests.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def of(strangers: Path, kind: str) -> list[dict[str, Any]]:
    """Good requests for a model."""
    picture = f"@{strangers / 'small.png'}"
    found: dict[str, list[dict[str, Any]]] = {
        "keras": [{"inputs": {"pictures": picture}, "pixels": "0..255"}],
        "pictures": [
            {"inputs": {"image": picture}},
            {"signature": "serving_default", "inputs": {"image": f"@{strangers / 'pixels.npy'}"}},
            {"signature": "decode", "inputs": {"file": picture}},
        ],
        "words": [{"inputs": {"text": ["boat", "@@red", {"b64": "/w=="}]}}],
        "counting": [{"inputs": {"x": 3}}],
    }
    return found[kind]


@pytest.fixture(scope="session")
def published(strangers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every stranger's model, all but the counting one with golden records."""

    def fill(root: Path) -> None:
        folder = tmp_path_factory.mktemp("requests")
        for kind in KINDS:
            path = requests(folder, *of(strangers, kind))
            extras = Extras(
                warm_up=path, golden=None if kind == "counting" else path, source={"licence": "MIT"}
            )
            publish_saved_model(kind, strangers / kind, root, extras=extras)

    return shared_folder(tmp_path_factory, "published", fill)


@pytest.fixture(scope="session")
def client(published: Path, server_kind: str) -> Iterator[Client]:
    """A client of a server over them."""
    server: ModelServer
    with serving(server_kind, published) as server, Client(server.address) as client:
        yield client


@pytest.mark.parametrize("kind", ["keras", "pictures", "words"])
def test_a_server_answers_the_golden_records(client: Client, published: Path, kind: str) -> None:
    records = list(read_golden(published / kind / "1"))
    assert records
    for record in records:
        answer = client.predict(kind, record.inputs, signature=record.signature)
        assert answer.keys() == record.outputs.keys()
        for name, expected in record.outputs.items():
            assert answer[name].shape == expected.shape
            if expected.dtype.kind in "OU":
                assert answer[name].tolist() == expected.tolist()
            else:
                np.testing.assert_allclose(answer[name].astype(float), expected.astype(float), atol=1)


def test_the_golden_records_are_what_the_models_compute(published: Path) -> None:
    (words,) = read_golden(published / "words" / "1")
    assert words.inputs["text"].tolist() == [b"boat", b"@@red", b"\xff"]
    assert words.outputs["number"].tolist() == [1, -1, -1]
    (means,) = read_golden(published / "keras" / "1")
    assert np.allclose(means.outputs["output_0"], means.inputs["pictures"].mean(axis=(1, 2)) / 2)
    doubled, flat, decoded = read_golden(published / "pictures" / "1")
    assert doubled.outputs["image"].shape == (1, 8, 12, 3)
    assert np.all(flat.outputs["image"] == 7)
    assert np.array_equal(decoded.outputs["pixels"], doubled.inputs["image"][0])
    assert decoded.outputs["jpeg"].item().startswith(b"\xff\xd8")


@pytest.mark.parametrize("kind", KINDS)
def test_the_manifest_says_what_is_known(published: Path, strangers: Path, kind: str) -> None:
    import tensorflow as tf

    version = published / kind / "1"
    manifest = Manifest.read(version)
    assert manifest.tensorflow == tf.__version__
    assert manifest.source == {"licence": "MIT"}
    assert set(manifest.signatures) == set(signatures_of(version))
    assert set(manifest.golden) <= set(manifest.files)
    assert bool(manifest.shared_state) is (kind == "counting")
    assert ModelRepository(published).verify(kind).ok
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_without_tensorflow_is_what_tensorflow_reads(published: Path, kind: str) -> None:
    version = published / kind / "1"
    expected = [
        (signature, {name: (_dtype(array), array.shape) for name, array in inputs.items()})
        for signature, inputs in read_warmup(version)
    ]
    assert [(request.signature, request.inputs) for request in warm_up_of(version)] == expected
    assert expected


def _dtype(array: np.ndarray[Any, Any]) -> str:
    return "string" if array.dtype.kind in "OSU" else array.dtype.name


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["repository", *map(str, arguments)])


def test_the_command_publishes_and_says_what_is_unusual(strangers: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    result = command("publish", "tally", strangers / "counting", "--models", models, "--from", "a friend")
    assert result.exit_code == 0
    assert result.stdout == f"{models / 'tally' / '1'}\n"
    assert "a request changes what the next one sees" in result.stderr
    assert "AssignAddVariableOp" in result.stderr
    assert "no warm-up requests" in result.stderr
    assert Manifest.read(models / "tally" / "1").source == {"from": "a friend"}
    assert command("publish", "tally", strangers / "counting", "--models", models).exit_code == 0
    assert [version.number for version in ModelRepository(models).versions("tally")] == [1, 2]


def test_show_tells_all_of_a_version(published: Path) -> None:
    shown = command("show", "pictures", "--models", published).stdout
    for line in (
        "signature decode\n  in  file string []\n  out jpeg string []\n  out pixels uint8 [?, ?, 3]\n",
        "signature serving_default\n  in  image uint8 [?, ?, ?, 3]\n",
        "warm-up: serving_default 2, decode 1\n",
        "golden records: serving_default 2, decode 1\n",
        "source licence: MIT\n",
    ):
        assert line in shown
    manifest = Manifest.read(published / "pictures" / "1")
    for path, record in manifest.files.items():
        assert any(record.sha256 in line and line.endswith(path) for line in shown.splitlines())
    assert "a request changes shared state" in command("show", "counting", "1", "--models", published).stdout


def test_show_tells_the_same_as_json(published: Path, tmp_path: Path) -> None:
    told = json.loads(command("show", "pictures", "--models", published, "--json").stdout)
    manifest = Manifest.read(published / "pictures" / "1")
    assert told["files"].keys() == manifest.files.keys()
    assert told["problems"] == []
    assert [entry["signature"] for entry in told["golden"]] == [
        "serving_default",
        "serving_default",
        "decode",
    ]
    assert told["warm_up"][0] == {
        "signature": "serving_default",
        "inputs": {"image": {"dtype": "uint8", "shape": [1, 4, 6, 3]}},
    }
    publish_saved_model("d", toy_models.defaults(tmp_path / "toys"), tmp_path / "models", extras=Extras())
    told = json.loads(command("show", "d", "--models", tmp_path / "models", "--json").stdout)
    inputs = {info["name"]: info for info in told["signatures"]["serving_default"]["inputs"]}
    assert inputs["offsets"] == {"name": "offsets", "dtype": "int32", "shape": [2], "default": [3, 4]}
    assert "default" not in inputs["x"]


def test_show_names_what_is_damaged_and_shows_the_rest(strangers: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    path = requests(tmp_path, *of(strangers, "words"))
    extras = Extras(warm_up=path, golden=path)
    version = publish_saved_model("words", strangers / "words", models, extras=extras).path
    (version / "assets.extra" / "golden" / "0001.npz").write_bytes(b"PK no zip")
    (version / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"short")
    told = json.loads(command("show", "words", "--models", models, "--json").stdout)
    assert len(told["problems"]) == 2
    assert told["signatures"].keys() == {"serving_default"}
    (version / "saved_model.pb").write_bytes(b"\xff")
    assert "PROBLEM" in command("show", "words", "--models", models).stdout


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"inputs": {"nope": 1}},
            "request 1: signature 'serving_default' has no input 'nope'; its inputs are: x",
        ),
        ({"inputs": {}}, "request 1: signature 'serving_default' needs the input 'x'"),
        ({"signature": "nope"}, "there is no signature 'nope'; there are: serving_default"),
        ({"inputs": {"x": 1.5}}, "input 'x' is 1.5, which int32 does not hold"),
        ({"inputs": {"x": [1]}}, r"input 'x' has the shape \[1\]; it must be \[\]"),
        ({"input": {"x": 1}}, "the key 'input' means nothing"),
        ({"inputs": {"x": "@nope.npy"}}, "No such file"),
        ("x", "it must be an object with `inputs`"),
    ],
)
def test_a_request_that_does_not_fit_is_named_and_nothing_is_published(
    strangers: Path, tmp_path: Path, entry: Any, message: str
) -> None:
    extras = Extras(warm_up=requests(tmp_path, entry))
    with pytest.raises((ValueError, OSError), match=message):
        publish_saved_model("counting", strangers / "counting", tmp_path / "models", extras=extras)
    assert ModelRepository(tmp_path / "models").versions("counting") == ()


def test_a_request_that_the_graph_refuses_is_no_warm_up(tmp_path: Path) -> None:
    directory = toy_models.asserting(tmp_path / "toys")
    extras = Extras(warm_up=requests(tmp_path, {"inputs": {"x": [1]}}, {"inputs": {"x": [-1]}}))
    with pytest.raises(PublishError, match=r"request 2 of 'serving_default' fails .*negative"):
        publish_saved_model("asserting", directory, tmp_path / "models", extras=extras)


def test_an_answer_that_differs_from_run_to_run_is_no_golden_record(strangers: Path, tmp_path: Path) -> None:
    extras = Extras(golden=requests(tmp_path, *of(strangers, "counting")))
    with pytest.raises(PublishError, match=r"calls, dice differs? from run to run"):
        publish_saved_model("counting", strangers / "counting", tmp_path / "models", extras=extras)


def test_what_is_no_saved_model_is_answered_with_the_remedy(strangers: Path, tmp_path: Path) -> None:
    def publish(directory: Path, name: str = "model") -> None:
        publish_saved_model(name, directory, tmp_path / "models", extras=Extras())

    file = tmp_path / "model.keras"
    file.write_bytes(b"weights")
    deep = toy_models.half_plus_two(tmp_path / "toys")
    damaged = toy_models.half_plus_two(tmp_path / "damaged")
    (damaged / "saved_model.pb").write_bytes(b"\xff")
    variables = toy_models.variable(tmp_path / "lacking")
    (variables / "variables" / "variables.index").unlink()
    mute = toy_models.without_signatures(tmp_path / "toys")
    for directory, kind, message in (
        (file, PublishError, r"is a file: name the directory of a SavedModel, as model\.export\(DIR\)"),
        (tmp_path / "nowhere", PublishError, "is not there"),
        (deep.parent, SavedModelError, f"name {deep}"),
        (damaged, ExportError, "damaged"),
        (variables, SavedModelError, "cannot be loaded"),
        (mute, SavedModelError, "has no signatures"),
    ):
        with pytest.raises(kind, match=message):
            publish(directory)
    with pytest.raises(ContractError, match="Publish another model under another name"):
        publish(deep, "srcnn")
    assert ModelRepository(tmp_path / "models").models() == ()


def test_a_version_of_another_repository_keeps_its_provenance_and_records(
    published: Path, tmp_path: Path
) -> None:
    extras = Extras(source={"from": "the staging repository"})
    version = publish_saved_model("copy", published / "words" / "1", tmp_path / "models", extras=extras)
    manifest, earlier = Manifest.read(version.path), Manifest.read(published / "words" / "1")
    assert manifest.source == {"licence": "MIT", "from": "the staging repository"}
    assert manifest.files == earlier.files
    assert manifest.golden == earlier.golden
