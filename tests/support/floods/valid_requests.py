"""A valid request for every signature of every model, and for every other method: what mutations start from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from images.pictures import pixels
from impasto.client.signatures import CONTRACTS, DREAM, STYLIZE, TRANSFER, UPSCALE
from servers.official_stubs import PREDICT, OfficialClient, model_spec, predict_request
from toys import toy_models
from toys.transfer_models import TransferCalls

METADATA: Final = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD: Final = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

REQUEST_TYPES: Final[dict[str, Any]] = {
    PREDICT: predict_pb2.PredictRequest,
    METADATA: get_model_metadata_pb2.GetModelMetadataRequest,
    STATUS: get_model_status_pb2.GetModelStatusRequest,
    RELOAD: model_management_pb2.ReloadConfigRequest,
}
"""The request of each method that the server offers."""

TOYS: Final = ("add", "asserting", "constant", "defaults", "echo", "half", "variable")

_SHAPES: Final = (
    *((24, 32), (1, 24, 32), (24, 32, 32), (1, 24, 32, 24), (1, 24, 32, 3, 3)),
    *((), (0,), (1,), (3,), (5,), (0, 0), (2, 3), (16, 16), (0, 0, 0), (1, 1, 1), (16, 16, 3), (16, 16, 1)),
    *(
        (16, 16, 4),
        (1, 16, 3),
        (0, 16, 3),
        (16, 0, 3),
        (16, 16, 0),
        (1, 1, 1, 1),
        (1, 16, 16, 3),
        (1, 16, 16, 1),
    ),
    *(
        (1, 16, 16, 4),
        (0, 16, 16, 3),
        (1, 0, 16, 3),
        (1, 16, 0, 3),
        (1, 16, 16, 0),
        (2, 16, 16, 3),
        (1, 1, 1, 3),
    ),
    *(
        (1, 16, 16, 3, 1),
        (1, 1, 16, 16, 3),
        (0,) * 5,
        (1,) * 6,
        (1,) * 9,
        (2,) * 12,
        (1,) * 32,
        (1,) * 33,
        (1,) * 64,
    ),
)

_MODELS: Final = {model.usual_model: model for model in CONTRACTS.values()}

_FEW: Final = 4096
"""Elements up to which a tensor is also sent in its typed field."""


@dataclass(frozen=True)
class Request:
    """A request that is answered with OK.

    Attributes:
        method: the gRPC method's path.
        message: the official message.
    """

    method: str
    message: Message

    @property
    def data(self) -> bytes:
        """The message's bytes, the same in every process."""
        return self.message.SerializeToString(deterministic=True)


def write_every_model(root: Path, *repositories: Path) -> Path:
    """A repository with the toys, and as version 1 the newest of every model of the other repositories."""
    for write in (
        toy_models.add,
        toy_models.asserting,
        toy_models.constant,
        toy_models.defaults,
        toy_models.echo,
        toy_models.half_plus_two,
        toy_models.variable,
    ):
        write(root)
    for repository in repositories:
        for name in _MODELS:
            if (repository / name).exists():
                newest = max((repository / name).glob("[0-9]*"), key=lambda version: int(version.name))
                (root / name).mkdir()
                (root / name / "1").symlink_to(newest)
    return root


def valid_requests(client: OfficialClient) -> list[Request]:
    """One Predict for every signature with its tensors as content, one with typed fields, and the other methods."""
    return _requests([*_toy_predictions(), *_model_predictions(client)], (*TOYS, *_MODELS))


def toy_requests() -> list[Request]:
    """The same for the toy models alone."""
    return _requests(_toy_predictions(), TOYS)


def _requests(predictions: list[Any], names: Iterable[str]) -> list[Request]:
    typed = [typed_fields(request) for request in predictions]
    requests = [Request(PREDICT, message) for message in (*predictions, *typed)]
    for name in names:
        for spec in ({"name": name}, {"name": name, "version": 1}):
            metadata = get_model_metadata_pb2.GetModelMetadataRequest(
                model_spec=model_spec(dict(spec)), metadata_field=["signature_def"]
            )
            status = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec(dict(spec)))
            requests += [Request(METADATA, metadata), Request(STATUS, status)]
    return requests


def of_every_rank(request: Any) -> list[Any]:
    """The request with each of its inputs in turn replaced by sevens in shapes that it is not made for."""
    changed = []
    for alias, proto in request.inputs.items():
        for shape in _SHAPES:
            other = predict_pb2.PredictRequest()
            other.CopyFrom(request)
            tensor = other.inputs[alias]
            tensor.Clear()
            tensor.dtype = proto.dtype
            for size in shape:
                tensor.tensor_shape.dim.add().size = size
            fields = {tf.float32.as_datatype_enum: tensor.float_val}
            fields.get(proto.dtype, tensor.int_val).append(7)
            changed.append(other)
    return changed


def reload_request(root: Path, *names: str, version_labels: dict[str, int] | None = None) -> Any:
    """A ReloadConfigRequest that serves these models of the repository."""
    request = model_management_pb2.ReloadConfigRequest()
    for name in names:
        model = request.config.model_config_list.config.add(
            name=name, base_path=str(root / name), model_platform="tensorflow"
        )
        model.model_version_policy.specific.versions.append(1)
        model.version_labels.update(version_labels or {})
    return request


def typed_fields(request: Any) -> Any:
    """The same request with the elements of small tensors in typed fields rather than in `tensor_content`."""
    copy = predict_pb2.PredictRequest()
    copy.CopyFrom(request)
    for alias, proto in request.inputs.items():
        array = tf.make_ndarray(proto)
        if array.size <= _FEW and array.dtype.kind in "fiu":
            field = {"f": "float_val", "i": "int_val", "u": "int_val"}[array.dtype.kind]
            if array.dtype in (np.float32, np.int32, np.uint8):
                copy.inputs[alias].ClearField("tensor_content")
                copy.inputs[alias].ClearField(field)
                getattr(copy.inputs[alias], field).extend(array.reshape(-1).tolist())
    return copy


def _toy_predictions() -> list[Any]:
    x = np.array([1, 2, 3], np.float32)
    echoed = {
        "float32": x,
        "string": np.array([b"one", b"two"], object),
        "int64": np.arange(6).reshape(2, 3),
        "bool": np.array([True, False]),
        "complex64": x.astype(np.complex64),
        "float16": x.astype(np.float16),
        "uint8": np.arange(4, dtype=np.uint8),
    }
    return [
        predict_request("add", {"a": x, "b": x}),
        predict_request("asserting", {"x": x}),
        predict_request({"name": "constant", "version": 1}, {"x": x}),
        predict_request("defaults", {"x": x, "scale": np.float32(2), "offsets": np.array([3, 4], np.int32)}),
        predict_request("defaults", {"x": x}),
        predict_request("half", {"x": x}, output_filter=("y",)),
        predict_request("variable", {"x": x}),
        *(
            predict_request({"name": "echo", "signature_name": dtype}, {"x": value})
            for dtype, value in echoed.items()
        ),
    ]


def _model_predictions(client: OfficialClient) -> list[Any]:
    """One request for each signature of the contract, with every input given."""
    inputs = {UPSCALE.usual_model: _upscale_inputs()}
    inputs[STYLIZE.name] = _stylize_inputs(client)
    inputs[DREAM.name] = _dream_inputs(client)
    inputs[TRANSFER.name] = _transfer_inputs(client)
    requests = []
    for name, model in _MODELS.items():
        assert set(model.signatures) - set(inputs[name]) <= model.optional
        for signature, given in inputs[name].items():
            spec = model.signatures[signature]
            arrays = {
                tensor.name: np.asarray(given.get(tensor.name, tensor.default), tensor.dtype)
                for tensor in spec.inputs
            }
            requests.append(predict_request({"name": name, "signature_name": signature}, arrays))
    return requests


def _answer(client: OfficialClient, model: str, signature: str, **inputs: Any) -> dict[str, Any]:
    response = client.predict({"name": model, "signature_name": signature}, inputs)
    return {alias: tf.make_ndarray(proto) for alias, proto in response.outputs.items()}


def _upscale_inputs() -> dict[str, dict[str, Any]]:
    image = pixels(16, 24)[np.newaxis]
    return {"serving_default": {"image": image}, "x2": {"image": image}, "describe": {}}


def _stylize_inputs(client: OfficialClient) -> dict[str, dict[str, Any]]:
    content, style = pixels(32, 40)[np.newaxis], pixels(24, 32, seed=1)[np.newaxis]
    answer = _answer(client, STYLIZE.name, "style_vector", style=style)
    (vector,) = answer.values()
    return {
        "serving_default": {"content": content, "style": style},
        "hub": {"placeholder": content / np.float32(255), "placeholder_1": style / np.float32(255)},
        "style_vector": {"style": style},
        "apply": {"content": content, "vector": vector},
        "describe": {},
    }


def _dream_inputs(client: OfficialClient) -> dict[str, dict[str, Any]]:
    image, size = pixels(24, 32), np.array([20, 28], np.int32)
    state = _answer(client, DREAM.name, "open", image=image, size=size)["state"]
    ascent = {"state": state, "steps": 2, "step_size": 0.02, "layer_weights": [0, 1, 2]}
    return {
        "serving_default": {"image": image, "steps": 2, "octaves": [-1, 0], "layer_weights": [0, 1, 2]},
        "open": {"image": image, "size": size},
        "ascend": ascent,
        "ascend_guided": {**ascent, "guide": pixels(20, 16, seed=1)},
        "close": {"state": state, "size": [24, 32]},
        "describe": {"size": [24, 32], "octaves": [-1, 0]},
    }


def _transfer_inputs(client: OfficialClient) -> dict[str, dict[str, Any]]:
    content, style = pixels(32, 40), pixels(36, 32, seed=1)
    calls = TransferCalls(client)
    pictures = {"content": content, "style": style}
    opened = calls.begin(calls.predict("open", **pictures))
    image = opened["image"]
    return {
        "serving_default": {**pictures, "steps": 2},
        "open": pictures,
        "open_style": {"style": style},
        "optimize": {**opened, "steps": 2},
        "resize": {"image": image, "size": [20, 24]},
        "close": {"image": image, "size": [20, 24]},
        "describe": {"size": [32, 40]},
    }
