"""Models that others have made: outputs that no response holds, no signatures, folders of another shape."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from impasto.export.cli.repository import repository as repository_command
from impasto.serving import LocalServer, ServerOptions
from impasto.serving.rollout import load_probe
from impasto.serving.rollout.checks import _calls
from impasto.serving.rollout.load_check import Loaded
from servers.official_stubs import official_client, outputs, predict_request
from toys import toy_models
from toys.toy_repository import publish_toy

X = np.array([1, 2], np.float32)


def test_a_variant_output_is_an_error_of_that_output_only(tmp_path: Path) -> None:
    version = toy_models.variant(tmp_path)
    log = prediction_log_pb2.PredictLog(request=predict_request("variant", {"x": X}))
    records = version / "assets.extra" / "tf_serving_warmup_requests"
    records.parent.mkdir()
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(records)) as writer:
        writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
    with LocalServer(tmp_path) as server, official_client(server.address) as client:
        answer = client.predict("variant", {"x": X}, output_filter=("y",))
        assert outputs(answer)["y"].tolist() == [0.5, 1]
        for names in ((), ("v",), ("y", "v")):
            with pytest.raises(grpc.RpcError) as caught:
                client.predict("variant", {"x": X}, output_filter=names)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            said = "output v is a variant, which no response of this server can hold"
            assert said in str(caught.value.details())
            assert str(caught.value.details()).endswith("with output_filter: {y}")
    assert "error" not in load_probe.probe("variant", 1, version)


def test_an_output_that_is_a_variant_whatever_the_signature_says_is_told_so(tmp_path: Path) -> None:
    version = toy_models.variant(tmp_path)
    path = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    signatures["serving_default"].outputs["v"].dtype = types_pb2.DT_FLOAT
    # A signature that takes one.
    signatures["taker"].inputs["x"].CopyFrom(signatures["serving_default"].outputs["v"])
    signatures["taker"].outputs["y"].CopyFrom(signatures["serving_default"].outputs["y"])
    path.write_bytes(saved.SerializeToString())
    with LocalServer(tmp_path) as server, official_client(server.address) as client:
        assert outputs(client.predict("variant", {"x": X}, output_filter=("y",)))["y"].tolist() == [0.5, 1]
        with pytest.raises(grpc.RpcError, match="output v is a variant") as caught:
            client.predict("variant", {"x": X})
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.RpcError, match="to be variant but float is provided") as caught:
            client.predict({"name": "variant", "signature_name": "taker"}, {"x": X})
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_model_without_signatures_is_told_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    version = toy_models.without_signatures(tmp_path)
    toy_models.half_plus_two(tmp_path)
    with caplog.at_level("WARNING", logger="impasto.serving"), LocalServer(tmp_path) as server:
        assert server.loaded == [("half", 1), ("mute", 1)]
    assert "mute version 1 has no signatures" in caplog.text
    assert "half version 1 has no signatures" not in caplog.text
    assert "no client can call it" in _calls(Loaded(**load_probe.probe("mute", 1, version)))


def test_a_repository_that_is_a_model_or_lies_deeper_gets_a_hint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    toy_models.half_plus_two(tmp_path / "models")
    looks = ServerOptions(file_system_poll_wait_seconds=0)
    models = tmp_path / "models"
    for folder, hint in (
        (
            models / "half",
            f"{models}/half is the model. Give the folder above, {models}",
        ),
        (
            tmp_path,
            f"one level deeper, such as in {tmp_path}/models/half. Give the folder that holds the numbers",
        ),
    ):
        with (
            caplog.at_level("WARNING", logger="impasto.serving"),
            LocalServer(folder, options=looks) as server,
        ):
            assert server.loaded == []
        assert hint in caplog.text


def test_the_repository_command_gives_the_same_hints(tmp_path: Path) -> None:
    from impasto.export.repository import ModelRepository

    publish_toy(ModelRepository(tmp_path / "models"))
    for folder, hint in (
        (
            tmp_path / "models" / "toy",
            f"it is a model itself, name the folder above with --models {tmp_path}/models",
        ),
        (tmp_path, f"they are one level deeper, name --models {tmp_path}/models"),
    ):
        for word in ("list", "verify"):
            said = CliRunner().invoke(repository_command, [word, "--models", str(folder)]).output
            assert hint in said
