"""The server's configuration files in the Kubernetes manifests: the server's own protos read them."""

from __future__ import annotations

import pytest
import yaml
from google.protobuf import text_format

from containers import compose_files, kustomize
from impasto.serving.schema.server_files_pb2 import MonitoringConfig

KUBERNETES = compose_files.DOCKER / "kubernetes"
MODELS = ["srcnn", "stylize", "dream", "transfer"]
OVERLAYS = {"gcs": "gs://example-bucket/models", "s3": "/models", "baked": "/models"}


def config(overlay: str, name: str) -> str:
    data = kustomize.find(
        kustomize.render(KUBERNETES / "overlays" / overlay), "ConfigMap", "impasto-serving-config"
    )["data"]
    assert sorted(data) == ["models.config", "monitoring.config", "session.config"]
    text: str = data[name]
    return text


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_models_config_names_the_four_models_where_the_overlay_keeps_them(overlay: str) -> None:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    models = text_format.Parse(config(overlay, "models.config"), ModelServerConfig()).model_config_list.config
    assert [(model.name, model.base_path) for model in models] == [
        (name, f"{OVERLAYS[overlay]}/{name}") for name in MODELS
    ]
    assert {model.model_platform for model in models} == {"tensorflow"}
    assert all(model.model_version_policy.latest.num_versions == 1 for model in models)


def test_every_model_of_the_contract_is_served() -> None:
    from impasto.client.signatures import CONTRACTS

    assert {contract.usual_model for contract in CONTRACTS.values()} <= set(MODELS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_session_config_lets_gpu_memory_grow(overlay: str) -> None:
    from tensorflow.core.protobuf.config_pb2 import ConfigProto

    session = text_format.Parse(config(overlay, "session.config"), ConfigProto())
    assert session.gpu_options.allow_growth


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_metrics_are_exported_where_pods_say_and_prometheus_looks(overlay: str) -> None:
    monitoring = text_format.Parse(config(overlay, "monitoring.config"), MonitoringConfig()).prometheus_config
    assert monitoring.enable
    pods = kustomize.find(kustomize.render(KUBERNETES / "overlays" / overlay), "Deployment")["spec"][
        "template"
    ]
    assert pods["metadata"]["annotations"]["prometheus.io/path"] == monitoring.path
    prometheus = yaml.safe_load((compose_files.DOCKER / "monitoring/prometheus.yaml").read_text())
    assert prometheus["scrape_configs"][0]["metrics_path"] == monitoring.path
