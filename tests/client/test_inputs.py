"""Plain Python values take the contract's dtype where that keeps their value; arrays are sent as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from impasto.client._inputs import as_array
from impasto.client.errors import InvalidInput


def sent(name: str, value: Any) -> Any:
    return as_array("dream", "serving_default", name, value)


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("steps", 5, "int32"),
        ("octaves", [-2, 0], "int32"),
        ("octaves", (), "int32"),
        ("step_size", 0.01, "float32"),
        ("step_size", 1, "float32"),
        ("layer_weights", [1, 0.1], "float32"),
        ("image", [[[1, 2, 255]]], "uint8"),
    ],
)
def test_python_numbers_take_the_contracts_dtype(name: str, value: Any, dtype: str) -> None:
    array = sent(name, value)
    assert array.dtype == dtype
    assert array == pytest.approx(np.asarray(value))


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("steps", 1.5, "float64"),  # would lose the half
        ("steps", 2.0, "float64"),  # a float is never meant as an integer
        ("steps", 2**40, "int64"),  # would wrap
        ("image", [[[1, 2, 256]]], "int64"),
        ("image", [[[-1, 2, 3]]], "int64"),
        ("step_size", 1e300, "float64"),  # would become infinite
        ("step_size", 2**24 + 1, "int64"),  # float32 cannot hold it
        ("steps", True, "bool"),
    ],
)
def test_a_value_beyond_the_contract_is_sent_for_the_server_to_refuse(
    name: str, value: Any, dtype: str
) -> None:
    array = sent(name, value)
    assert array.dtype == dtype
    assert np.array_equal(array, np.asarray(value))


@pytest.mark.parametrize("value", [np.float64(3), np.array([1.0]), np.array([1], np.int64), np.array(True)])
def test_an_array_keeps_its_dtype(value: Any) -> None:
    assert sent("step_size", value).dtype == value.dtype


@pytest.mark.parametrize(
    ("model", "signature", "name"), [("x", "serving_default", "steps"), ("dream", "x", "steps")]
)
def test_outside_the_contract_numpy_decides(model: str, signature: str, name: str) -> None:
    assert as_array(model, signature, name, 5).dtype == np.int64


def test_a_ragged_list_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="'octaves' is not an array"):
        sent("octaves", [[1], [1, 2]])
