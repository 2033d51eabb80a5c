"""The answers of an honest server to each method of a client, in the order of its calls: what mutations start from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from images.pictures import pixels
from impasto.client import AsyncClient, Dream, Model, Transfer, Upscale
from impasto.client._wire.tensor_proto import BY_NAME
from impasto.client.signatures import UPSCALE, ModelContract
from scripted.client_servers import prediction

PHOTO: Final = pixels(16, 20)
PAINTING: Final = pixels(18, 16)[..., ::-1]
_STATE: Final = np.zeros((16, 20, 3), np.float32)
_VECTOR: Final = np.linspace(-1, 1, 8, dtype=np.float32)
_LAYERS: Final = np.array([b"mixed3", b"mixed4"], object)
_STRING: Final = 7
_WEIGHTS: Final = np.array([1, 0.5], np.float32)


@dataclass(frozen=True)
class Method:
    """A method of the clients.

    Attributes:
        call: calls it, of either client: the async one gives what is to be awaited.
        answers: what a server answers to its calls, one after the other; to all further ones, the last.
        right: judges the result of the honest answers.
    """

    call: Callable[[Any], Any]
    answers: tuple[Any, ...]
    right: Callable[[Any], bool]


def _predicted(**outputs: Any) -> Any:
    answer = predict_pb2.PredictResponse()
    answer.ParseFromString(prediction(**{name: np.asarray(value) for name, value in outputs.items()}))
    answer.model_spec.name = "model"
    answer.model_spec.version.value = 3
    for tensor in answer.outputs.values():
        if tensor.dtype == 3 and len(tensor.tensor_content) == 4:  # as real servers send scalars
            tensor.int_val.append(int.from_bytes(tensor.tensor_content, "little", signed=True))
            tensor.tensor_content = b""
    return answer


def _metadata() -> Any:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for infos, name in ((signature.inputs, "x"), (signature.outputs, "y")):
        infos[name].name, infos[name].dtype = f"{name}:0", 1
        infos[name].tensor_shape.dim.add(size=-1)
        infos[name].tensor_shape.dim.add(size=3)
    signature.defaults["x"].CopyFrom(_predicted(x=np.ones((1, 3), np.float32)).outputs["x"])
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    answer.model_spec.name = "half"
    answer.model_spec.version.value = 3
    answer.metadata["signature_def"].Pack(signatures)
    return answer


def _metadata_of(model: ModelContract, *, without: Collection[str] = ()) -> Any:
    """The metadata of a model of the contract that lacks some of its signatures."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for signature in model.signatures.values():
        if signature.name in without:
            continue
        definition = signatures.signature_def[signature.name]
        for infos, specs in ((definition.inputs, signature.inputs), (definition.outputs, signature.outputs)):
            for spec in specs:
                infos[spec.name].name = spec.name
                infos[spec.name].dtype = _STRING if spec.dtype == "string" else BY_NAME[spec.dtype].number
                for size in spec.shape:
                    infos[spec.name].tensor_shape.dim.add(size=-1 if size is None else size)
                if spec.default is not None:
                    default = _predicted(x=np.asarray(spec.default, spec.dtype)).outputs["x"]
                    definition.defaults[spec.name].CopyFrom(default)
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    answer.model_spec.name = model.usual_model
    answer.model_spec.version.value = 3
    answer.metadata["signature_def"].Pack(signatures)
    return answer


def _description() -> Any:
    """The metadata of a model that describes itself."""
    answer = _metadata()
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    signatures.signature_def["describe"].method_name = "tensorflow/serving/predict"
    answer.metadata["signature_def"].Pack(signatures)
    return answer


def _status() -> Any:
    answer = get_model_status_pb2.GetModelStatusResponse()
    answer.model_version_status.add(version=3, state=30)
    answer.model_version_status.add(version=2, state=50).status.error_message = "it was unloaded"
    return answer


DESCRIPTION: Final = _description()

_UPSCALER: Final = _predicted(
    factors=np.array([[2]], np.int32),
    **{
        name: np.array([number], np.int32)
        for name, number in (
            ("reach", 5),
            ("overlap", 5),
            ("tile", 512),
            ("minimum_side", 1),
            ("maximum_pixels", 1 << 24),
        )
    },
    network=np.array([b"SRCNN"], object),
    weights=np.array([b"none"], object),
)
_DREAM: Final = _predicted(
    backbone=np.array(b"inception", object),
    weights=np.array("Inception, \u00e9".encode(), object),
    layers=_LAYERS,
    layer_weights=_WEIGHTS,
    suggested_steps=np.int32(2),
    suggested_step_size=np.float32(0.02),
    suggested_octave_scale=np.float32(1.4),
    suggested_octaves=np.array([0], np.int32),
    minimum_side=np.int32(8),
    maximum_steps=np.int32(10),
    maximum_pixels=np.int32(10_000),
    maximum_tile_pixels=np.int32(10_000),
)
_TRANSFER: Final = _predicted(
    backbone=np.array(b"vgg", object),
    weights=np.array(b"VGG", object),
    compute=np.array(b"float32", object),
    layers=_LAYERS,
    style_layer_weights=_WEIGHTS,
    content_layer_weights=_WEIGHTS,
    suggested_steps=np.int32(2),
    suggested_style_weight=np.float32(1),
    suggested_content_weight=np.float32(1),
    suggested_total_variation_weight=np.float32(1),
    suggested_learning_rate=np.float32(0.02),
    minimum_side=np.int32(8),
    maximum_steps=np.int32(10),
    maximum_pixels=np.int32(10_000),
)


def _is_photo(image: Any) -> bool:
    return bool(image.size == (20, 16))


def _iterated(client: Any) -> Any:
    """The number of steps that a dream shows."""
    job = Dream(PHOTO, recipe="classic")
    if isinstance(client, AsyncClient):

        async def count() -> int:
            return len([progress.preview() async for progress in client.iterate(job, every=1)])

        return count()
    return len([progress.preview() for progress in client.iterate(job, every=1)])


def _mapped(client: Any) -> Any:
    """The first of two pictures that are doubled one after the other. Raises its error."""
    jobs = [Upscale(PHOTO), Upscale(PHOTO)]
    if isinstance(client, AsyncClient):

        async def first() -> Any:
            outcomes = [outcome async for outcome in client.map(jobs, concurrency=1)]
            return outcomes[0].result

        return first()
    outcomes = list(client.map(jobs, concurrency=1))
    return outcomes[0].result


def _kept(client: Any) -> Any:
    """A transfer whose state is written to a file after each call, and taken up from it again."""
    job = Transfer(PHOTO, PAINTING, recipe="classic", epochs=1, steps_per_epoch=2)
    folder = tempfile.TemporaryDirectory()
    file = Path(folder.name, "checkpoint")
    if isinstance(client, AsyncClient):

        async def run() -> Any:
            with folder:
                await client.run(job, checkpoint=file)
                return await client.run(job, checkpoint=file)

        return run()
    with folder:
        client.run(job, checkpoint=file)
        return client.run(job, checkpoint=file)


_DREAMT: Final = (
    _DREAM,
    _predicted(sizes=np.array([[16, 20]], np.int32)),
    _predicted(state=_STATE),
    _predicted(state=_STATE, loss=np.float32(1)),
    _predicted(state=_STATE, loss=np.float32(2)),
    _predicted(image=PHOTO),
)


def _healthy() -> Any:
    """A HealthCheckResponse that says SERVING, as a field that a message of another kind does not know."""
    return get_model_status_pb2.GetModelStatusResponse.FromString(b"\x08\x01")


_SEEN: Final = (_status(), _healthy(), _status())
"""The answers to the first questions of `impasto check`."""

CHECKED: Final = (*_SEEN, *3 * [_metadata()], _predicted(y=np.ones((1, 3), np.float32)))
"""The answers to `impasto check half`; those to its labels are the metadata, too."""

_DOUBLED: Final = _predicted(image=np.zeros((1, 96, 120, 3), np.uint8))
_ONE_COLOUR: Final = np.broadcast_to(np.array([200, 40, 90], np.uint8), (1, 96, 120, 3))

CHECKED_SRCNN: Final = (
    *_SEEN,
    *3 * [_metadata_of(UPSCALE, without=("x3", "x4"))],
    *2 * [_UPSCALER, _DOUBLED, _DOUBLED],
    *2 * [_predicted(image=_ONE_COLOUR)],
    _DOUBLED,
)
"""The answers to `impasto check srcnn`."""

METHODS: Final[Mapping[str, Method]] = {
    "predict": Method(
        lambda client: client.predict("half", {"x": _WEIGHTS}),
        (_predicted(y=_WEIGHTS, words=_LAYERS),),
        lambda found: bool(found["y"].tolist() == [1, 0.5]),
    ),
    "metadata": Method(
        lambda client: client.metadata("half"),
        (_metadata(),),
        lambda found: "serving_default" in found.signatures,
    ),
    "status": Method(lambda client: client.status("half"), (_status(),), lambda found: len(found) == 2),
    "wait_ready": Method(
        lambda client: client.wait_ready(timeout=0.02, models=["half"]),
        (_status(),),
        lambda found: found is None,
    ),
    "upscale": Method(
        lambda client: client.upscale(PHOTO, tile=12),
        (_UPSCALER, *6 * [_predicted(image=np.zeros((1, 24, 24, 3), np.uint8))]),
        lambda found: bool(found.size == (40, 32)),
    ),
    "describe_upscale": Method(
        lambda client: client.describe_upscale(model=Model("upscaler", 3)),
        (_UPSCALER,),
        lambda found: bool(found.factors == (2,) and found.network == "SRCNN"),
    ),
    "stylize": Method(
        lambda client: client.stylize(PHOTO, [PAINTING, PAINTING[::-1]], strength=0.5),
        (*3 * [_predicted(vector=_VECTOR[np.newaxis])], _predicted(image=PHOTO[np.newaxis])),
        _is_photo,
    ),
    "style_vector": Method(
        lambda client: client.style_vector([PAINTING, PAINTING[::-1]]),
        2 * (_predicted(vector=_VECTOR[np.newaxis]),),
        lambda found: bool(np.array_equal(found.values, _VECTOR)),
    ),
    "dream": Method(
        lambda client: client.dream(PHOTO, recipe="classic"),
        _DREAMT,
        _is_photo,
    ),
    "describe_dream": Method(
        lambda client: client.describe_dream(model=Model("dream", 3)),
        (_DREAM,),
        lambda found: bool(found.layers == ("mixed3", "mixed4")),
    ),
    "transfer": Method(
        lambda client: client.transfer(
            PHOTO,
            [PAINTING, PAINTING[::-1]],
            recipe="classic",
            epochs=1,
            steps_per_epoch=2,
            max_side=16,
            style_scale=0.9,
        ),
        (
            _TRANSFER,
            _predicted(size=np.array([12, 16], np.int32)),
            *2 * [_predicted(size=np.array([14, 12], np.int32))],
            _predicted(image=_STATE[:12, :16], style_targets=_VECTOR, content_targets=_VECTOR),
            _predicted(style_targets=_VECTOR),
            *(
                _predicted(
                    **dict.fromkeys(("image", "m", "v"), _STATE[:12, :16]),
                    iteration=np.int32(iteration),
                    **{f"{name}_loss": np.float32(1) for name in ("style", "content", "total_variation")},
                )
                for iteration in (1, 2)
            ),
            _predicted(image=PHOTO[:12, :16]),
        ),
        _is_photo,
    ),
    "describe_transfer": Method(
        lambda client: client.describe_transfer(),
        (_TRANSFER,),
        lambda found: bool(found.backbone == "vgg"),
    ),
    "iterate": Method(_iterated, _DREAMT, lambda found: bool(found > 2)),
    "map": Method(
        _mapped,
        (
            _UPSCALER,
            _predicted(image=np.zeros((1, 32, 40, 3), np.uint8)),
        ),
        lambda found: bool(found.size == (40, 32)),
    ),
    "run with a checkpoint": Method(
        _kept,
        (
            _TRANSFER,
            _predicted(size=np.array([20, 18], np.int32)),
            _predicted(image=_STATE, style_targets=_VECTOR, content_targets=_VECTOR),
            *(
                _predicted(
                    **dict.fromkeys(("image", "m", "v"), _STATE),
                    iteration=np.int32(iteration),
                    **{f"{name}_loss": np.float32(1) for name in ("style", "content", "total_variation")},
                )
                for iteration in (1, 2)
            ),
            _predicted(image=PHOTO),
            _TRANSFER,  # the second run asks for what the model is, for a size, and for the picture
            _predicted(size=np.array([20, 18], np.int32)),
            _predicted(image=PHOTO),
        ),
        _is_photo,
    ),
}
"""By the method's name."""
