"""ModelServerConfigs for tests, servers that follow them quickly, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from servers.official_stubs import TIMEOUT, OfficialClient

STATES = get_model_status_pb2.ModelVersionStatus.State

QUICK = 0.05
"""Seconds between a test server's looks at the disk."""


def model(
    root: Path,
    name: str,
    *,
    versions: Sequence[int] = (),
    latest: int = 0,
    all_versions: bool = False,
    labels: Mapping[str, int] | None = None,
) -> Any:
    """A ModelConfig of `<root>/<name>`: the versions named, the newest few, all, or with none of these one."""
    config = config_pb2.ModelConfig(name=name, base_path=str(root / name), model_platform="tensorflow")
    if versions:
        config.model_version_policy.specific.versions.extend(versions)
    if latest:
        config.model_version_policy.latest.num_versions = latest
    if all_versions:
        config.model_version_policy.all.SetInParent()
    config.version_labels.update(labels or {})
    return config


def configuration(*models: Any) -> Any:
    """A ModelServerConfig of these models."""
    return config_pb2.ModelServerConfig(model_config_list=config_pb2.ModelConfigList(config=models))


def write_configuration(path: Path, *models: Any) -> Path:
    """Writes the text file that --model_config_file reads, in one step."""
    aside = path.with_suffix(".aside")
    aside.write_text(text_format.MessageToString(configuration(*models)))
    aside.replace(path)
    return path


def reload(client: OfficialClient, *models: Any, timeout: float = TIMEOUT) -> Any:
    """HandleReloadConfigRequest with the official stub."""
    request = model_management_pb2.ReloadConfigRequest(config=configuration(*models))
    return client.models.HandleReloadConfigRequest(request, timeout=timeout)


def states(client: OfficialClient, name: str) -> dict[int, str]:
    """The state of each version by GetModelStatus; none for an unknown model."""
    try:
        response = client.status(name)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        return {}
    return {status.version: STATES.Name(status.state) for status in response.model_version_status}


def wait_for(condition: Callable[[], object], what: str, *, seconds: float = 240) -> None:
    """Waits until the condition holds; a test fails with `what` if it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}, and it did not come to that"
        time.sleep(0.02)


def wait_for_states(client: OfficialClient, name: str, wanted: Mapping[int, str]) -> None:
    """Waits until the versions have these states."""
    wait_for(lambda: states(client, name) == wanted, f"{name} should be {wanted}")


def loaded(client: OfficialClient, name: str, *more: int) -> dict[int, str]:
    """The state of each version that has not ended, and of `more`: a server lists what earlier tests have ended."""
    return {
        version: state for version, state in states(client, name).items() if state != "END" or version in more
    }


def wait_for_loaded(client: OfficialClient, name: str, wanted: Mapping[int, str]) -> None:
    """Waits until the versions have these states and all others have ended."""
    wait_for(lambda: loaded(client, name, *wanted) == wanted, f"{name} should be {wanted}, and nothing else")
