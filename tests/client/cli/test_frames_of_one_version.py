"""All frames of an animation are made by one version of the model, also where another one is served meanwhile."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from images.moving import animation, found
from impasto.client.cli import exit_codes, index, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from scripted.client_servers import scripted
from scripted.enlarging import description

LOCAL_SERVER_ONLY = "no real server can be made to load a version between two chosen frames"


@dataclass
class Doubling:
    """Doubles pictures by repeating pixels. Whoever names no version gets a newer one each time.

    Attributes:
        gone_after: the first version is gone after so many calls.
        asked: the version that each call named; 0 for none.
    """

    gone_after: int = 1000
    asked: list[int] = field(default_factory=list)
    newest: int = 2
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            request = predict_pb2.PredictRequest.FromString(payload)
        except DecodeError:
            return described()
        version = request.model_spec.version.value
        with self.lock:
            self.asked.append(version)
            if version == 3 and len(self.asked) > self.gone_after:
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(srcnn, 3)")
            if not version:
                self.newest += 1
                version = self.newest
        if request.model_spec.signature_name == "describe":
            return description(version)
        picture = tf.make_ndarray(request.inputs["image"])
        response = predict_pb2.PredictResponse()
        response.model_spec.name = "srcnn"
        response.model_spec.version.value = version
        response.outputs["image"].CopyFrom(tf.make_tensor_proto(picture.repeat(2, 1).repeat(2, 2)))
        return response.SerializeToString()


def described() -> bytes:
    """The answer to a request for metadata, with a signature."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signatures.signature_def["serving_default"].inputs["image"].dtype = tf.uint8.as_datatype_enum
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = "srcnn"
    response.model_spec.version.value = 2
    response.metadata["signature_def"].Pack(signatures)
    return response.SerializeToString()


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("moving.gif").write_bytes(animation("GIF"))


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("large.webp", [0, 3, 3, 3, 3]),  # the first asks what the model is
        (
            "out/",
            [0, 0, 4, 4, 4, 4],
        ),  # before a folder is begun with; then the first frame's is another version
    ],
)
def test_the_version_of_the_first_frame_makes_them_all(
    place: str, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    double = Doubling()
    with scripted(double) as server:
        monkeypatch.setenv(ADDRESS_VARIABLE, server.address)
        assert run(["upscale", "moving.gif", "-o", place]) == exit_codes.DONE
    assert double.asked == asked


def test_a_version_that_goes_meanwhile_leaves_all_frames_to_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    double = Doubling(gone_after=3)
    with scripted(double) as server:
        monkeypatch.setenv(ADDRESS_VARIABLE, server.address)
        assert run(["upscale", "moving.gif", "-o", "large.gif", "--resume"]) == exit_codes.DONE
    assert double.asked[:3] == [0, 3, 3]
    assert double.asked[-5:] == [0, 4, 4, 4, 4]
    assert len(found(Path("large.gif")).frames) == 4
    (entry,) = index.read_index(Path(index.NAME)).values()
    assert entry.version == 4


def test_a_version_that_was_asked_for_and_is_not_there_is_the_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    double = Doubling(gone_after=0)
    with scripted(double) as server:
        monkeypatch.setenv(ADDRESS_VARIABLE, server.address)
        assert run(["upscale", "moving.gif", "-o", "large.gif", "--model-version", "3"]) != exit_codes.DONE
    assert double.asked == [3]
    assert not Path("large.gif").exists()
