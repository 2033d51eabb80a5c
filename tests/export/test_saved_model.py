from __future__ import annotations

import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from impasto.client.signatures import ModelContract, Signature
from impasto.export.contract import ContractError, SavedModelError
from impasto.export.saved_model import load_as_server, save
from processes.scripts import SUPPORT
from toys.toy_module import TOY_CONTRACT, ToyModule

X = np.array([[1, 2], [3, 4]], np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "toy"
    module = ToyModule()
    save(module, directory, {"serving_default": module.serve}, contract=TOY_CONTRACT)
    return directory


def test_a_saved_module_answers_like_the_module_itself_when_loaded_as_a_server_does(saved: Path) -> None:
    with load_as_server(saved) as served:
        given = served.run(
            "serving_default", {"x": X, "gain": np.float32(0.5), "steps": np.array([4], np.int32)}
        )
        defaulted = served.run("serving_default", {"x": X})
    module = ToyModule()
    np.testing.assert_array_equal(given["y"], module.serve(X, tf.constant(0.5), tf.constant([4]))["y"])
    np.testing.assert_array_equal(defaulted["y"], module.serve(X)["y"])
    np.testing.assert_array_equal(defaulted["y"], [[9, 15], [21, 27]])


def test_tensorflow_stays_eager_for_whoever_holds_a_served_model(saved: Path) -> None:
    with load_as_server(saved):
        assert tf.executing_eagerly()
        assert tf.constant(1).numpy() == 1


def test_the_defaults_are_in_the_signature_def(saved: Path) -> None:
    with load_as_server(saved) as served:
        defaults = served.signatures["serving_default"].defaults
    values = {name: tf.make_ndarray(tensor).tolist() for name, tensor in defaults.items()}
    assert values == {"gain": 3.0, "steps": [1, 2]}


def test_a_saved_model_holds_the_graph_and_the_weights_only(saved: Path) -> None:
    files = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    }


SAVE = """
import sys
from toys.toy_module import TOY_CONTRACT, ToyModule
from impasto.export.saved_model import save

module = ToyModule()
save(module, sys.argv[1], {"serving_default": module.serve}, contract=TOY_CONTRACT)
"""


def test_fresh_processes_save_the_same_bytes_without_a_path_of_the_machine(
    tmp_path: Path,
) -> None:
    trees = []
    for name in ("one", "two"):
        place = tmp_path / name
        place.mkdir()
        support = {"PYTHONPATH": str(SUPPORT), "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-c", SAVE, str(place / "toy")]
        subprocess.run(command, check=True, cwd=place, env=support, stderr=subprocess.DEVNULL)
        trees.append(
            {
                path.relative_to(place): path.read_bytes()
                for path in (place / "toy").rglob("*")
                if path.is_file()
            }
        )
    assert trees[0] == trees[1]
    for path in (tmp_path, SUPPORT, Path(sysconfig.get_path("purelib"))):
        assert not [name for name, data in trees[0].items() if str(path).encode() in data]


def test_a_directory_that_holds_something_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    module = ToyModule()
    with pytest.raises(SavedModelError, match="not empty"):
        save(module, tmp_path, {"serving_default": module.serve}, contract=TOY_CONTRACT)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", ["concrete function", "plain function"])
def test_only_a_tf_function_may_be_a_signature_because_others_lose_the_defaults(
    tmp_path: Path, kind: str
) -> None:
    module = ToyModule()
    function = module.serve.get_concrete_function() if kind == "concrete function" else lambda x: {"y": x}
    with pytest.raises(SavedModelError, match=r"'serving_default'.*give a tf\.function"):
        save(module, tmp_path / "toy", {"serving_default": function}, contract=TOY_CONTRACT)
    assert not (tmp_path / "toy").exists()


def test_an_export_that_differs_from_the_contract_is_refused(tmp_path: Path) -> None:
    served = TOY_CONTRACT.signatures["serving_default"]
    wider = replace(served, inputs=tuple(replace(spec, dtype="float64") for spec in served.inputs))
    contract = ModelContract("toy", "", {"serving_default": wider, "open": Signature("open", (), ())})
    module = ToyModule()
    with pytest.raises(
        ContractError, match=r"signature 'open' is missing; .*'x' has dtype float32, not float64"
    ):
        save(module, tmp_path / "toy", {"serving_default": module.serve}, contract=contract)


def test_a_directory_without_a_saved_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SavedModelError, match=r"saved_model\.pb is missing"), load_as_server(tmp_path):
        pass


@pytest.mark.parametrize("damage", ["garbage", "other tag", "no weights", "cut weights"])
def test_a_damaged_saved_model_is_a_clear_error(saved: Path, tmp_path: Path, damage: str) -> None:
    directory = tmp_path / "toy"
    (directory / "variables").mkdir(parents=True)
    for path in (saved / "saved_model.pb", *(saved / "variables").iterdir()):
        (directory / path.relative_to(saved)).write_bytes(path.read_bytes())
    graph, weights = directory / "saved_model.pb", directory / "variables/variables.data-00000-of-00001"
    if damage == "garbage":
        graph.write_bytes(b"not a protocol buffer")
    elif damage == "other tag":
        graph.write_bytes(
            graph.read_bytes().replace(b"serve\x1a", b"train\x1a", 1).replace(b"\x05serve", b"\x05train")
        )
    elif damage == "no weights":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:3])
    with pytest.raises(SavedModelError, match=str(directory)), load_as_server(directory):
        pass


def test_a_request_that_does_not_fit_its_signature_says_why(saved: Path) -> None:
    with load_as_server(saved) as served:
        with pytest.raises(ValueError, match="no signature 'close'; there are: serving_default"):
            served.run("close", {})
        with pytest.raises(ValueError, match="has no input z"):
            served.run("serving_default", {"x": X, "z": X})
        with pytest.raises(ValueError, match="needs input x"):
            served.run("serving_default", {"gain": np.float32(1)})
