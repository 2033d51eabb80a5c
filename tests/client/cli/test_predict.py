"""`impasto predict`: any signature of any server, from a shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.client.cli import exit_codes, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from servers.model_servers import ModelServer, serving
from toys import foreign_models, toy_models
from toys.shared_folders import shared_folder


@pytest.fixture(scope="session")
def foreign_server(tmp_path_factory: pytest.TempPathFactory, server_kind: str) -> Iterator[ModelServer]:
    """A server over strangers' models."""

    def fill(root: Path) -> None:
        foreign_models.keras_scaler(root / "keras" / "1")
        foreign_models.module(root / "pictures" / "1")
        foreign_models.table_of_words(root / "words" / "1", root.parent / f"{root.name}-vocabulary.txt")
        toy_models.defaults(root)
        toy_models.half_plus_two(root)
        toy_models.echo(root, dtypes=("string", "float64", "bfloat16", "complex64"))
        toy_models.constant(root, 2)

    with serving(server_kind, shared_folder(tmp_path_factory, "strangers-served", fill)) as server:
        yield server


@pytest.fixture(autouse=True)
def at_the_foreign_server(foreign_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, foreign_server.address)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.full((4, 6, 3), (10, 20, 30), np.uint8)).save(path)
    return path


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert run(["predict", *map(str, arguments)]) == exit_codes.DONE
    return capsys.readouterr().out


def test_few_values_are_printed_and_many_are_summed_up(
    capsys: pytest.CaptureFixture[str], picture: Path
) -> None:
    assert predicted(capsys, "half", "-i", "x=[1, 2, 5]") == (
        "y float32 [3] = [2.5, 3. , 4.5]\nz float32 [3] = [3.5, 4. , 5.5]\n"
    )
    shown = predicted(capsys, "half", "-i", f"x={json.dumps(list(range(100)))}", "--outputs", "y")
    assert shown == "y float32 [100] from 2 to 51.5, mean 26.75\n"
    shown = predicted(capsys, "pictures", "-i", f"image=@{picture}")
    assert shown.startswith("image uint8 [1, 8, 12, 3] from 10 to 30, mean 20")


def test_words_go_to_a_tensorflow_1_graph_with_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    shown = predicted(capsys, "words", "-i", 'text=["red", "blue", "?"]', "--outputs", "number")
    assert shown == "number int64 [3] = [ 2,  0, -1]\n"
    assert predicted(capsys, "words", "-i", "text=boat", "--outputs", "number") == "number int64 [1] = [1]\n"


def test_json_has_every_value_and_the_version_that_answered(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(predicted(capsys, "half", "-i", "x=[0.2, 1e30]", "--outputs", "y", "--json"))
    assert told == {
        "model": "half",
        "version": 1,
        "signature": "serving_default",
        "outputs": {"y": {"dtype": "float32", "shape": [2], "values": [2.1, 5e29]}},
    }
    told = json.loads(
        predicted(capsys, "echo", "--signature", "string", "-i", 'x=["a", {"b64": "/w=="}]', "--json")
    )
    assert told["outputs"]["y"]["values"] == ["a", {"b64": "/w=="}]
    told = json.loads(
        predicted(capsys, "echo", "--signature", "float64", "-i", "x=0.1234567890123", "--json")
    )
    assert told["outputs"]["y"] == {"dtype": "float64", "shape": [], "values": 0.1234567890123}


def test_inputs_with_a_default_may_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert predicted(capsys, "defaults", "-i", "x=1") == "y float32 [1] = [9.]\n"
    assert predicted(capsys, "defaults", "-i", "x=1", "-i", "scale=4") == "y float32 [1] = [11.]\n"


def test_a_version_is_asked_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert predicted(capsys, "constant", "-i", "x=1", "--model-version", "2") == "y float32 [1] = [2.]\n"
    assert run(["predict", "constant", "-i", "x=1", "--model-version", "9"]) == exit_codes.REFUSED
    assert run(["predict", "constant", "-i", "x=1", "--label", "nope"]) == exit_codes.REFUSED


def test_a_picture_is_saved_as_a_picture(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    result = tmp_path / "large.png"
    assert predicted(capsys, "pictures", "-i", f"image=@{picture}", "-o", result) == f"{result}\n"
    with Image.open(result) as image:
        assert image.size == (12, 8)
        assert image.getpixel((5, 5)) == (10, 20, 30)
    assert run(["predict", "pictures", "-i", f"image=@{picture}", "-o", str(result)]) == exit_codes.FAILED
    assert "exists" in capsys.readouterr().err
    predicted(capsys, "pictures", "-i", f"image=@{picture}", "-o", result, "--overwrite")


def test_an_array_is_saved_as_it_came(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    result = tmp_path / "means.npy"
    arguments = ("keras", "-i", f"pictures=@{picture}", "--pixels", "0..1", "-o", result)
    told = json.loads(predicted(capsys, *arguments, "--json"))
    assert told["outputs"]["output_0"] == {"dtype": "float32", "shape": [1, 3], "file": str(result)}
    assert np.allclose(np.load(result), [[10 / 510, 20 / 510, 30 / 510]])
    words = tmp_path / "words.json"
    predicted(capsys, "words", "-i", "text=red", "--outputs", "number", "-o", words)
    assert json.loads(words.read_text()) == [2]


def test_several_outputs_go_into_a_folder(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    predicted(capsys, "pictures", "--signature", "decode", "-i", f"file=@{picture}", "-o", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["jpeg.json", "pixels.png"]
    jpeg = tmp_path / "as_it_is.jpg"
    predicted(
        capsys, "pictures", "--signature", "decode", "-i", f"file=@{picture}", "--outputs", "jpeg", "-o", jpeg
    )
    with Image.open(jpeg) as image:
        assert (image.format, image.size) == ("JPEG", (6, 4))
    predicted(capsys, "half", "-i", "x=[1, 2]", "-o", f"{tmp_path}/arrays/")
    assert np.load(tmp_path / "arrays" / "y.npy").tolist() == [2.5, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["half"], "signature 'serving_default' needs the input 'x'"),
        (["half", "-i", "x"], "'x' is not NAME=VALUE, such as x=3.5"),
        (["half", "-i", "x=1", "-i", "x=2"], "'x' is given twice"),
        (["half", "-i", "nope=1"], "has no input 'nope'; its inputs are: x"),
        (["half", "-i", "x=abc"], "input 'x' is 'abc'; it must be float32 [?]"),
        (
            ["half", "-i", "x=1", "--signature", "nope"],
            "there is no signature 'nope'; there are: serving_default",
        ),
        (["half", "-i", "x=1", "--outputs", "nope"], "has no output 'nope'; its outputs are: y, z"),
        (["half", "-i", "x=1", "-o", "y.npy"], "there are 2 outputs (y, z); choose one with --outputs"),
        (
            ["half", "-i", "x=1", "--outputs", "y", "-o", "y.xyz"],
            "which y.xyz cannot hold; use .npy, .json or",
        ),
        (["half", "-i", "x=1", "--outputs", "y", "-o", "y.png"], "which is not one picture; save it as .npy"),
        (["keras", "-i", "pictures=1", "--pixels", "loud"], "'loud' is no range of pixels"),
    ],
)
def test_a_wrong_call_names_the_parameter_and_the_remedy(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["predict", *arguments]) == exit_codes.USAGE
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_a_file_or_a_model_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "half", "-i", "x=@nope.npy"]) == exit_codes.FAILED
    assert "nope.npy: No such file or directory" in capsys.readouterr().err
    assert run(["predict", "nope", "-i", "x=1"]) == exit_codes.REFUSED
    assert "nope is not served" in capsys.readouterr().err


def test_the_names_that_a_server_gives_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    from impasto.client.cli.predict import Saving

    outputs: dict[str, Any] = {
        name: np.arange(3.0) for name in ("../y", "/y", "y", "Y", "", "..", "a/b", "n" * 300)
    }
    folder = tmp_path / "results"
    paths = Saving(folder, overwrite=False, pixels=None).write(outputs)
    assert paths.keys() == outputs.keys()
    assert len({str(path).casefold() for path in paths.values()}) == len(outputs)
    assert {path.parent for path in paths.values()} == {folder}
    assert len(list(folder.iterdir())) == len(outputs)


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    shown = predicted(capsys, "--help")
    assert "impasto predict half -i x=[1,2,5]" in shown
