"""Texts of refusals: methods that the local server lacks, long texts, and a reload's many faults at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from both_servers.differences import only_local
from servers.configurations import model, reload, write_configuration
from servers.model_servers import serving
from servers.official_stubs import TIMEOUT, OfficialClient, official_client
from toys import toy_models


@only_local("Classify")
@pytest.mark.parametrize("name", ["Classify", "Regress", "MultiInference"])
def test_methods_for_examples_say_what_to_use(official: OfficialClient, name: str) -> None:
    request = {
        "Classify": classification_pb2.ClassificationRequest(),
        "Regress": regression_pb2.RegressionRequest(),
        "MultiInference": inference_pb2.MultiInferenceRequest(),
    }[name]
    with pytest.raises(grpc.RpcError) as caught:
        getattr(official.prediction, name)(request, timeout=TIMEOUT)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        f"{name} is not implemented by Impasto's local server. Use Predict, or a real TensorFlow Serving.",
    )


@pytest.mark.parametrize("offset", [0, 1])
def test_a_text_is_cut_at_1024_bytes_even_inside_a_character(official: OfficialClient, offset: int) -> None:
    name = "a" * offset + "é" * 1000
    with pytest.raises(grpc.RpcError) as caught:
        official.predict({"name": "half", "signature_name": name}, {"x": [1.0]})
    whole = f'Serving signature key "{name}" not found.'.encode()[:1024] + b"...TRUNCATED"
    # What is no text gRPC for Python shows as Latin-1.
    try:
        shown = whole.decode()
    except UnicodeDecodeError:
        shown = whole.decode("latin1")
    assert caught.value.details() == shown


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one` and `two` with version 1."""
    root = tmp_path_factory.mktemp("models")
    for name in ("one", "two"):
        toy_models.constant(root, 1, name=name)
    return root


@pytest.fixture
def client(root: Path, tmp_path: Path, server_kind: str) -> Iterator[OfficialClient]:
    """The official stubs at a server of `one` and `two`, where a label needs a loaded version."""
    file = write_configuration(tmp_path / "models.config", model(root, "one"), model(root, "two"))
    with (
        serving(server_kind, file, allow_version_labels_for_unavailable_models="false") as server,
        official_client(server.address) as client,
    ):
        yield client


def entry(root: Path, name: str, **fields: Any) -> Any:
    config = model(root, name)
    for field, value in fields.items():
        setattr(config, field, value)
    return config


NEITHER = (
    "Illegal setting neither ModelServerConfig::model_type (deprecated) "
    "nor ModelServerConfig::model_platform, model name is two"
)
BOTH = (
    "Illegal setting both ModelServerConfig::model_type (deprecated) "
    "and ModelServerConfig::model_platform, model name is two"
)
LABEL = "Request to assign label to version 77 of model one, which is not currently available for inference"
CAFFE: dict[str, Any] = {"model_platform": "caffe"}
NONE: dict[str, Any] = {"model_platform": ""}


def changed(new: str) -> str:
    return (
        "Illegal to change a model's platform. "
        f"For model two platform was tensorflow and new platform requested is {new}"
    )


@pytest.mark.parametrize(
    ("first", "second", "code", "message"),
    [
        (
            ("a", {"base_path": "x"}),
            ("a", {}),
            "INVALID_ARGUMENT",
            "Illegal to list model a multiple times in config list",
        ),
        (
            ("two", CAFFE),
            ("a", {"base_path": "x"}),
            "INVALID_ARGUMENT",
            "Expected model a to have an absolute path or URI; got base_path()=x",
        ),
        (("new", CAFFE), ("two", NONE), "INVALID_ARGUMENT", NEITHER),
        (("new", NONE), ("two", CAFFE), "INVALID_ARGUMENT", changed("caffe")),
        (("two", {"model_platform": "Tensorflow"}), None, "INVALID_ARGUMENT", changed("Tensorflow")),
        (("two", CAFFE), ("one", {"label": 77}), "INVALID_ARGUMENT", changed("caffe")),
        (("new", CAFFE), ("one", {"label": 77}), "FAILED_PRECONDITION", LABEL),
        (("new", NONE), ("one", {"label": 77}), "FAILED_PRECONDITION", LABEL),
        (("two", {"model_type": config_pb2.OTHER}), None, "INVALID_ARGUMENT", BOTH),
        (
            ("two", {"base_path": "a-b://x"}),
            None,
            "INVALID_ARGUMENT",
            "Expected model two to have an absolute path or URI; got base_path()=a-b://x",
        ),
    ],
    ids=[
        "twice before relative",
        "relative before platform",
        "a known model before a new one, none",
        "a known model before a new one, caffe",
        "platforms are spelt in lower case",
        "a known model's platform before a label",
        "a label before a new model's platform",
        "a label before a new model without platform",
        "both, with an unknown type",
        "no scheme",
    ],
)
def test_the_first_fault_of_a_reload_is_that_of_tensorflow_serving(
    root: Path, client: OfficialClient, first: Any, second: Any, code: str, message: str
) -> None:
    models = []
    for name, fields in filter(None, (first, second)):
        labels = {"x": fields["label"]} if "label" in fields else {}
        config = entry(root, name, **{key: value for key, value in fields.items() if key != "label"})
        config.version_labels.update(labels)
        models.append(config)
    with pytest.raises(grpc.RpcError) as caught:
        reload(client, *models)
    assert (caught.value.code().name, caught.value.details()) == (code, message)
