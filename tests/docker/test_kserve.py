"""The KServe variant: valid by KServe's types, one service for each model, with the release's own image."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # the package has no type information
import pytest

from containers import kustomize
from containers.compose_files import DOCKER

PACKAGE = "kubernetes_validate"
KUBERNETES_SCHEMAS = "kubernetes-json-schema/v1.32.0-local-strict"


def core(name: str) -> dict[str, Any]:
    """The published schema of a type of Kubernetes' core group, with all that it refers to."""
    folder = importlib.resources.files(PACKAGE).joinpath(KUBERNETES_SCHEMAS)
    definitions = json.loads(folder.joinpath("_definitions.json").read_text())["$defs"]
    schema: dict[str, Any] = definitions[f"io.k8s.api.core.v1.{name}"]
    return {**schema, "$defs": definitions}


def schema() -> dict[str, Any]:
    """InferenceService of serving.kserve.io/v1beta1, as far as a predictor by model goes.

    KServe's types (pkg/apis/serving/v1beta1: predictor.go, component.go, inference_service.go; Apache License 2.0)
    embed Kubernetes' PodSpec and Container, whose published schemas are taken as they are; the fields added here are
    KServe's own. The pod's containers and the container's name are optional: the runtime has them.
    """
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 0}
    strings = {"type": "object", "additionalProperties": text}
    container, spec = core("Container"), core("PodSpec")
    model = {
        "type": "object",
        "additionalProperties": False,
        "required": ["modelFormat"],
        "properties": {
            **container["properties"],
            "modelFormat": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {"name": text, "version": text},
            },
            "runtime": text,
            "runtimeVersion": text,
            "protocolVersion": {"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]},
            "storageUri": {"type": "string", "pattern": "^(gs|s3|pvc|hdfs|https?)://"},
        },
    }
    predictor = {
        "type": "object",
        "additionalProperties": False,
        "required": ["model"],
        "properties": {
            **spec["properties"],
            "model": model,
            "minReplicas": whole,
            "maxReplicas": whole,
            "scaleTarget": whole,
            "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]},
            "containerConcurrency": whole,
            "timeout": whole,
            "canaryTrafficPercent": {"type": "integer", "minimum": 0, "maximum": 100},
            "labels": strings,
            "annotations": strings,
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": "serving.kserve.io/v1beta1"},
            "kind": {"const": "InferenceService"},
            "metadata": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"},
                    "namespace": text,
                    "annotations": strings,
                },
            },
            "spec": {
                "type": "object",
                "additionalProperties": False,
                "required": ["predictor"],
                "properties": {"predictor": predictor},
            },
        },
        "$defs": container["$defs"],
    }


SERVICES = {
    manifest["metadata"]["name"]: manifest
    for manifest in kustomize.render(DOCKER / "kubernetes/kserve")
    if manifest["kind"] == "InferenceService"
}


def predictor(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SERVICES[name]["spec"]["predictor"]
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_valid_by_kserves_types(name: str) -> None:
    jsonschema.Draft202012Validator(schema()).validate(SERVICES[name])


def test_the_types_refuse_a_misspelt_field() -> None:
    wrong = json.loads(json.dumps(SERVICES["srcnn"]))
    wrong["spec"]["predictor"]["model"]["runtimeversion"] = "2.21.0-gpu"
    assert not jsonschema.Draft202012Validator(schema()).is_valid(wrong)


def test_each_model_has_a_service_of_its_name_with_its_folder_of_the_bucket() -> None:
    folders = {name: predictor(name)["model"]["storageUri"] for name in SERVICES}
    assert folders == {
        name: f"gs://example-bucket/models/{name}" for name in ("srcnn", "stylize", "dream", "transfer")
    }


@pytest.mark.parametrize("name", SERVICES)
def test_the_runtimes_old_image_is_overridden(name: str) -> None:
    model = predictor(name)["model"]
    assert (model["runtime"], model["runtimeVersion"]) == ("kserve-tensorflow-serving", "2.21.0-gpu")
    assert "image" not in model


@pytest.mark.parametrize("name", SERVICES)
def test_calls_travel_by_grpc_to_the_runtimes_port(name: str) -> None:
    model = predictor(name)["model"]
    assert model["protocolVersion"] == "grpc-v1"
    assert model["ports"] == [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
    assert model["readinessProbe"]["grpc"]["port"] == 9000


@pytest.mark.parametrize("name", SERVICES)
def test_predictors_are_confined_and_drain(name: str) -> None:
    spec = predictor(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["model"]["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["model"]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["name"] for mount in spec["model"]["volumeMounts"]}
    assert mounts == {volume["name"] for volume in spec["volumes"]}
    _, sleep = spec["model"]["lifecycle"]["preStop"]["exec"]["command"]
    assert spec["terminationGracePeriodSeconds"] > int(sleep)


@pytest.mark.parametrize("name", SERVICES)
def test_predictors_are_plain_deployments_under_kserves_present_name_for_them(name: str) -> None:
    assert SERVICES[name]["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Standard"}


def test_the_network_policy_is_valid_by_the_published_schema() -> None:
    policy = kustomize.find(
        kustomize.render(DOCKER / "kubernetes/kserve"), "NetworkPolicy", "impasto-inference-services"
    )
    kubernetes_validate.validate(policy, "1.32", strict=True)
    assert set(policy["spec"]["podSelector"]["matchExpressions"][0]["values"]) == set(SERVICES)
