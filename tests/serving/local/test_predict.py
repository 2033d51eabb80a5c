"""Predict: outputs, filters, versions, defaults, shapes, and many calls at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from servers.model_servers import serving
from servers.official_stubs import OfficialClient, official_client, outputs

X = np.array([1, 2], np.float32)


def test_the_response_names_the_real_version_and_the_default_signature(official: OfficialClient) -> None:
    response = official.predict("half", {"x": X})
    assert response.model_spec.name == "half"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(outputs(response)["y"], [2.5, 3.0])
    np.testing.assert_array_equal(outputs(response)["z"], [3.5, 4.0])


def test_the_newest_version_by_number_not_by_name_is_served(official: OfficialClient) -> None:
    for spec in ("constant", {"name": "constant", "version": 10}):
        response = official.predict(spec, {"x": X})
        assert response.model_spec.version.value == 10
        np.testing.assert_array_equal(outputs(response)["y"], [10, 10])


def test_the_output_filter_leaves_out_the_other_outputs(official: OfficialClient) -> None:
    response = official.predict("half", {"x": X}, output_filter=("z",))
    assert set(response.outputs) == {"z"}


def test_a_model_with_variables_answers_with_the_checkpoints_values(official: OfficialClient) -> None:
    response = official.predict("variable", {"x": np.ones(3, np.float32)})
    np.testing.assert_array_equal(outputs(response)["y"], [1, 2, 3])


def test_a_shape_other_than_the_signatures_is_left_to_the_kernels(official: OfficialClient) -> None:
    square = np.ones((2, 2), np.float32)
    response = official.predict("add", {"a": square, "b": square})
    np.testing.assert_array_equal(outputs(response)["y"], square * 2)


def test_answers_use_typed_fields_unless_tensor_content_is_asked_for(
    official: OfficialClient, toy_repository: Path, server_kind: str
) -> None:
    typed = official.predict("half", {"x": X}).outputs["y"]
    assert (list(typed.float_val), typed.tensor_content) == ([2.5, 3.0], b"")
    with (
        serving(server_kind, toy_repository, only=["half"]) as server,
        official_client(server.address) as client,
    ):
        content = client.predict("half", {"x": X}).outputs["y"]
    assert (list(content.float_val), content.tensor_content) == (
        [],
        np.array([2.5, 3.0], np.float32).tobytes(),
    )


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, [9, 11]),
        ({"scale": np.float32(10)}, [17, 27]),
        ({"offsets": [0, 1]}, [3, 5]),
        ({"scale": np.float32(0), "offsets": [0, 0]}, [0, 0]),
    ],
    ids=["none sent", "scale sent", "offsets sent", "all sent"],
)
def test_inputs_left_out_are_filled_from_the_signatures_defaults(
    official: OfficialClient, sent: dict[str, Any], expected: list[float]
) -> None:
    response = official.predict("defaults", {"x": X, **sent})
    np.testing.assert_array_equal(outputs(response)["y"], expected)


def test_a_required_input_left_out_beside_defaults_is_named(official: OfficialClient) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        official.predict("defaults", {"scale": np.float32(1)})
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == (
        "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value "
        "provided. Inputs expected to be in the request {scale}, or default input alias set: offsets,scale"
    )


def test_an_unknown_input_in_the_place_of_a_default_is_refused(official: OfficialClient) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        official.predict("defaults", {"x": X, "scal": np.float32(1)})
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == (
        "Inputs contains invalid name. Used request inputs: x, request input: scal,x"
    )


def test_many_calls_at_once_each_get_their_own_answer(official: OfficialClient) -> None:
    def call(number: int) -> bool:
        x = np.full(1 + number % 7, number, np.float32)
        if number % 2:
            answer = outputs(official.predict("half", {"x": x}))["y"]
            return bool(np.array_equal(answer, x / 2 + 2))
        answer = outputs(official.predict("add", {"a": x, "b": x * 2}))["y"]
        return bool(np.array_equal(answer, x * 3))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(call, range(400)))


def test_a_request_and_a_response_beyond_grpcs_default_limit_pass(official: OfficialClient) -> None:
    x = np.arange(3_000_000, dtype=np.float32)  # 12 MB; gRPC's default limit is 4
    response = official.predict("half", {"x": x}, output_filter=("y",))
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), x / 2 + 2)
