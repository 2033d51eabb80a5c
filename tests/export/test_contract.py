from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from impasto.client.signatures import ModelContract, TensorSpec
from impasto.export.contract import check, differences, signature_defs
from impasto.export.saved_model import save
from toys.toy_module import TOY_CONTRACT, ToyModule

SERVED = TOY_CONTRACT.signatures["serving_default"]
X, GAIN, STEPS = SERVED.inputs


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("contract") / "toy"
    module = ToyModule()
    save(module, directory, {"serving_default": module.serve}, contract=TOY_CONTRACT)
    return directory


@pytest.fixture(scope="module")
def exported(saved: Path) -> dict[str, Any]:
    return signature_defs(saved)


def _contract(*inputs: TensorSpec, outputs: tuple[TensorSpec, ...] = SERVED.outputs) -> ModelContract:
    return ModelContract("toy", "", {"serving_default": replace(SERVED, inputs=inputs, outputs=outputs)})


def test_an_export_that_keeps_its_contract_has_no_differences(saved: Path, exported: dict[str, Any]) -> None:
    assert differences(TOY_CONTRACT, exported) == []
    check(TOY_CONTRACT, saved)


def test_tensorflows_own_signatures_are_left_out(exported: dict[str, Any]) -> None:
    assert list(exported) == ["serving_default"]


@pytest.mark.parametrize(
    ("contract", "difference"),
    [
        (ModelContract("toy", "", {}), "signature 'serving_default' is not in the contract"),
        (_contract(X, GAIN), "input 'steps' is not in the contract"),
        (_contract(X, GAIN, STEPS, replace(X, name="z")), "input 'z' is missing"),
        (_contract(X, GAIN, STEPS, outputs=()), "output 'y' is not in the contract"),
        (_contract(replace(X, dtype="uint8"), GAIN, STEPS), "input 'x' has dtype float32, not uint8"),
        (_contract(replace(X, shape=(2, None)), GAIN, STEPS), "input 'x' has shape [?, 2], not [2, ?]"),
        (_contract(replace(X, shape=(None,)), GAIN, STEPS), "input 'x' has shape [?, 2], not [?]"),
        (
            _contract(X, replace(GAIN, default=None), STEPS),
            "has the default 3.0, but the contract requires a value",
        ),
        (_contract(X, replace(GAIN, default=3.1), STEPS), "input 'gain' has the default 3.0, not 3.1"),
        (_contract(X, GAIN, replace(STEPS, default=(1,))), "input 'steps' has the default [1, 2], not (1,)"),
        (_contract(replace(X, default=1.0), GAIN, STEPS), "input 'x' has no default, not 1.0"),
    ],
)
def test_each_kind_of_difference_is_found_and_named(
    exported: dict[str, Any], contract: ModelContract, difference: str
) -> None:
    found = differences(contract, exported)
    assert len(found) == 1
    assert difference in found[0]


def test_a_default_is_compared_in_the_inputs_own_precision() -> None:
    spec = TensorSpec("rate", "float32", (), "", default=0.1)
    definition = meta_graph_pb2.SignatureDef()
    definition.inputs["rate"].dtype = tf.float32.as_datatype_enum
    definition.defaults["rate"].CopyFrom(tf.make_tensor_proto(0.1, tf.float32))
    assert differences(_contract(spec, outputs=()), {"serving_default": definition}) == []


def test_an_unknown_rank_differs_from_every_shape(exported: dict[str, Any]) -> None:
    definition = meta_graph_pb2.SignatureDef()
    definition.CopyFrom(exported["serving_default"])
    definition.outputs["y"].tensor_shape.unknown_rank = True
    assert differences(TOY_CONTRACT, {"serving_default": definition}) == [
        "serving_default: output 'y' has shape of unknown rank, not [?, 2]"
    ]
