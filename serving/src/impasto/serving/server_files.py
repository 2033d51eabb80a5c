"""The files that a server needs beside its models, from typed messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client.errors import CertificateError
from impasto.client.settings.tls import TlsOptions
from impasto.serving.errors import ConfigError
from impasto.serving.model_config import PLATFORM
from impasto.serving.schema.server_files_pb2 import (
    MonitoringConfig,
    PrometheusConfig,
    SSLConfig,
)

METRICS_PATH: Final = "/monitoring/prometheus/metrics"
STABLE: Final = "stable"
CANARY: Final = "canary"


@dataclass(frozen=True)
class Choice:
    """Which versions of a model are served.

    Attributes:
        latest: the newest few, as they appear; then there are no labels.
        labels: otherwise exactly the versions that these labels name.
    """

    latest: int = 1
    labels: Mapping[str, int] | None = None


def model_entry(name: str, base_path: str, choice: Choice) -> config_pb2.ModelConfig:
    """The ModelConfig of one model."""
    model = config_pb2.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)
    if choice.labels is None:
        model.model_version_policy.latest.num_versions = choice.latest
    else:
        serve_exactly(model, choice.labels.values())
        model.version_labels.update(choice.labels)
    return model


def serve_exactly(model: config_pb2.ModelConfig, versions: Iterable[int]) -> None:
    """Sets the policy to these versions."""
    model.model_version_policy.Clear()
    model.model_version_policy.specific.versions.extend(sorted(set(versions)))


def session_config() -> Message:
    """--tensorflow_session_config_file: take a GPU's memory as it is needed, so that all models find room."""
    from tensorflow.core.protobuf import config_pb2 as session_pb2  # imports TensorFlow, which takes seconds

    config: Message = session_pb2.ConfigProto(gpu_options=session_pb2.GPUOptions(allow_growth=True))
    return config


def monitoring_config() -> MonitoringConfig:
    """--monitoring_config_file: metrics for Prometheus on the REST port."""
    return MonitoringConfig(prometheus_config=PrometheusConfig(enable=True, path=METRICS_PATH))


def ssl_config(*, certificate: Path, key: Path, client_ca: Path | None = None) -> SSLConfig:
    """--ssl_config_file, from PEM files.

    Args:
        certificate: the server's certificate and those between it and its CA.
        key: its key, not encrypted.
        client_ca: the CA of the clients' certificates; clients then need one (mTLS).

    Raises:
        ConfigError: a file cannot be read or is no PEM, or key and certificate do not belong together.
    """
    try:
        TlsOptions(ca=client_ca, certificate=certificate, key=key).context()
    except CertificateError as error:
        raise ConfigError(str(error)) from error
    config = SSLConfig(server_key=key.read_text(), server_cert=certificate.read_text())
    if client_ca is not None:
        config.custom_ca = client_ca.read_text()
        config.client_verify = True
    return config
