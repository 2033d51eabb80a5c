"""GetModelMetadata, GetModelStatus and the health service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from impasto.serving import LocalServer
from servers.official_stubs import OfficialClient

AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


def _signatures(response: get_model_metadata_pb2.GetModelMetadataResponse) -> dict[str, Any]:
    packed = response.metadata["signature_def"]
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(signatures)
    return dict(signatures.signature_def)


def test_metadata_holds_every_signature_and_the_real_version(official: OfficialClient) -> None:
    response = official.metadata("constant", "signature_def")
    assert response.model_spec.name == "constant"
    assert response.model_spec.version.value == 10
    signature = _signatures(response)["serving_default"]
    assert dict(signature.inputs)["x"].name == "x:0"


def test_metadata_holds_the_defaults_of_optional_inputs(official: OfficialClient) -> None:
    signature = _signatures(official.metadata("defaults", "signature_def"))["serving_default"]
    assert set(signature.defaults) == {"scale", "offsets"}
    assert tf.make_ndarray(signature.defaults["offsets"]).tolist() == [3, 4]


def test_metadata_asked_for_twice_in_a_request_is_given_once(official: OfficialClient) -> None:
    response = official.metadata("half", "signature_def", "signature_def")
    assert list(response.metadata) == ["signature_def"]


@pytest.mark.parametrize(
    "spec",
    ["half", {"name": "half", "version": 1}, {"name": "half", "version_label": "zzz"}],
    ids=["no version", "version", "a label is ignored"],
)
def test_a_served_version_is_available(official: OfficialClient, spec: object) -> None:
    (state,) = official.status(spec).model_version_status
    assert (state.version, state.state, state.status.error_code) == (1, AVAILABLE, 0)


def test_versions_on_disk_that_are_not_loaded_have_no_status(official: OfficialClient) -> None:
    assert [state.version for state in official.status("constant").model_version_status] == [10]


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_health_says_that_the_services_serve(official: OfficialClient, service: str) -> None:
    health = health_pb2_grpc.HealthStub(official.channel)
    response = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=240)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    "service", ["nope", "tensorflow.serving.ModelService", "tensorflow.serving.PredictionService"]
)
def test_health_does_not_know_other_services_nor_full_names(official: OfficialClient, service: str) -> None:
    health = health_pb2_grpc.HealthStub(official.channel)
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service=service), timeout=240)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.NOT_FOUND,
        "service name unknown",
    )


def test_a_health_watcher_hears_that_the_server_stops(toy_repository: Path) -> None:
    server = LocalServer(toy_repository, only=["half"])
    server.start()
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=240)
        states = [next(watch).status]
        server.stop(grace=1)
        states.append(next(watch).status)
    assert states == [
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    ]
