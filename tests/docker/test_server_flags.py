"""The server's command lines: every flag exists in tensorflow_model_server 2.21, and all places agree."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from containers import compose_files, kustomize
from containers.compose_files import DOCKER
from servers.model_server_facts import CHANNEL_ARGUMENTS, FLAGS, channel_arguments_of, flags_of

KUBERNETES = DOCKER / "kubernetes"


def compose_flags() -> dict[str, str]:
    return flags_of(compose_files.load("compose.yaml")["services"]["serving"]["command"])


def image_flags() -> dict[str, str]:
    dockerfile = (DOCKER / "models.Dockerfile").read_text()
    command = re.search(r"^CMD (\[\"--port.*?\])", dockerfile, re.MULTILINE | re.DOTALL)
    assert command is not None
    return flags_of(json.loads(command[1].replace("\\\n", "")))


def kubernetes_container() -> dict[str, Any]:
    deployment = kustomize.find(kustomize.render(KUBERNETES / "base"), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def kubernetes_flags() -> dict[str, str]:
    return flags_of(kubernetes_container()["args"])


def kserve_flags() -> dict[str, str]:
    patch = yaml.safe_load((KUBERNETES / "kserve/runtime.yaml").read_text())
    return flags_of(patch["spec"]["predictor"]["model"]["args"])


PLACES = {
    "compose": compose_flags,
    "image": image_flags,
    "kubernetes": kubernetes_flags,
    "kserve": kserve_flags,
}


@pytest.mark.parametrize("place", PLACES)
def test_every_flag_is_one_of_the_servers(place: str) -> None:
    flags = PLACES[place]()
    assert flags.keys() <= FLAGS.keys()
    assert channel_arguments_of(flags).keys() <= CHANNEL_ARGUMENTS


def test_compose_image_and_kubernetes_start_the_same_server() -> None:
    compose = compose_flags()
    assert compose.pop("ssl_config_file") == ""  # off unless IMPASTO_SSL_CONFIG names a file
    del compose["grpc_socket_path"]  # for the service `export`
    assert compose == image_flags() == kubernetes_flags()


def test_kserve_adds_the_same_values_and_leaves_the_runtimes_own_flags_alone() -> None:
    compose, kserve = compose_flags(), kserve_flags()
    assert kserve.pop("file_system_poll_wait_seconds") == "0"
    assert kserve.items() <= compose.items()
    runtime = {"model_name", "port", "rest_api_port", "model_base_path", "rest_api_timeout_in_ms"}
    assert not kserve.keys() & runtime


@pytest.mark.parametrize("place", PLACES)
def test_no_server_batches_since_pictures_of_different_sizes_would_all_fail(place: str) -> None:
    assert [name for name in PLACES[place]() if "batching" in name] == []


@pytest.mark.parametrize("place", PLACES)
def test_clients_get_health_checks_packed_responses_and_enough_threads(place: str) -> None:
    flags = PLACES[place]()
    assert flags["enable_grpc_healthcheck_service"] == "true"
    assert flags["enable_serialization_as_tensor_content"] == "true"
    assert int(flags["grpc_max_threads"]) >= 128


@pytest.mark.parametrize("place", PLACES)
def test_a_version_that_cannot_load_says_why_within_seconds(place: str) -> None:
    flags = PLACES[place]()
    waited = int(flags["max_num_load_retries"]) * int(flags["load_retry_interval_micros"]) / 1e6
    assert 1 <= waited <= 10


@pytest.mark.parametrize("place", PLACES)
def test_clients_may_ping_as_often_as_ours_does(place: str) -> None:
    from impasto.client import Settings
    from impasto.client._transport.channel import channel_options

    allowed = channel_arguments_of(PLACES[place]())["grpc.http2.min_ping_interval_without_data_ms"]
    assert dict(channel_options(Settings()))["grpc.keepalive_time_ms"] > allowed


def test_a_restarted_server_accepts_labels_of_models_that_it_has_not_loaded_yet() -> None:
    assert compose_flags()["allow_version_labels_for_unavailable_models"] == "true"


def test_configuration_files_lie_where_the_folder_is_mounted() -> None:
    files = {name: value for name, value in compose_flags().items() if name.endswith("_file") and value}
    assert files == {
        "model_config_file": "/config/models.config",
        "tensorflow_session_config_file": "/config/session.config",
        "monitoring_config_file": "/config/monitoring.config",
    }
    targets = {
        mount["target"] for mount in compose_files.load("compose.yaml")["services"]["serving"]["volumes"]
    }
    assert {"/config", "/models"} <= targets


def test_gpu_memory_grows_with_need_everywhere() -> None:
    assert (
        compose_files.load("compose.yaml")["services"]["serving"]["environment"]["TF_FORCE_GPU_ALLOW_GROWTH"]
        == "true"
    )
    assert {"name": "TF_FORCE_GPU_ALLOW_GROWTH", "value": "true"} in kubernetes_container()["env"]
    assert "TF_FORCE_GPU_ALLOW_GROWTH=true" in (DOCKER / "models.Dockerfile").read_text()


def test_a_flag_given_twice_or_without_a_value_is_noticed() -> None:
    with pytest.raises(ValueError, match="twice"):
        flags_of(["--port=1", "--port=2"])
    with pytest.raises(ValueError, match="not --name=value"):
        flags_of(["--port", "8500"])
