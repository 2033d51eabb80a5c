"""Warm-up records are replayed at load; a bad one fails the load."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2, session_service_pb2

from impasto.export.warmup import read_warmup
from servers.configurations import states
from servers.model_servers import serving, start_failure
from servers.official_stubs import official_client, outputs, predict_request
from toys import toy_models

X = np.array([1, 2], np.float32)


def _write(version: Path, records: Sequence[bytes]) -> Path:
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def _record(inputs: dict[str, Any], signature: str = "") -> bytes:
    request = predict_request({"name": "half", "signature_name": signature}, inputs)
    log = prediction_log_pb2.PredictLog(request=request)
    record: bytes = prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString()
    return record


def test_a_version_with_good_records_is_served(tmp_path: Path, server_kind: str) -> None:
    empty = prediction_log_pb2.PredictionLog().SerializeToString()
    _write(toy_models.half_plus_two(tmp_path), [_record({"x": X}), empty, _record({"x": X})])
    with serving(server_kind, tmp_path) as server, official_client(server.address) as client:
        np.testing.assert_array_equal(outputs(client.predict("half", {"x": X}))["y"], [2.5, 3])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (_record({"wrong": X}), "Signature input alias: x(feed name: x:0) not found"),
        (_record({"x": X}, signature="nope"), 'FAILED_PRECONDITION: Serving signature key "nope" not found.'),
        (b"\xff\xff", "Failed to parse warmup record: "),
        (
            prediction_log_pb2.PredictionLog(
                session_run_log=prediction_log_pb2.SessionRunLog(
                    request=session_service_pb2.SessionRunRequest()
                )
            ).SerializeToString(),
            "UNIMPLEMENTED: Unsupported log_type for warmup: ",
        ),
    ],
    ids=["wrong input", "unknown signature", "no message", "another kind of log"],
)
def test_a_bad_record_fails_the_load_and_names_the_file(
    tmp_path: Path, record: bytes, message: str, server_kind: str
) -> None:
    path = _write(toy_models.half_plus_two(tmp_path), [_record({"x": X}), record])
    error = start_failure(server_kind, tmp_path)
    assert message in error
    assert str(path) in error


def test_records_of_methods_that_are_not_answered_here_are_skipped_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    others = [
        prediction_log_pb2.PredictionLog(**{kind: message()}).SerializeToString()
        for kind, message in (
            ("classify_log", prediction_log_pb2.ClassifyLog),
            ("regress_log", prediction_log_pb2.RegressLog),
            ("multi_inference_log", prediction_log_pb2.MultiInferenceLog),
            ("classify_log", prediction_log_pb2.ClassifyLog),
        )
    ]
    version = toy_models.half_plus_two(tmp_path)
    _write(version, [*others, _record({"x": X})])
    with (
        caplog.at_level("WARNING", logger="impasto.serving"),
        serving("local", tmp_path) as server,
        official_client(server.address) as client,
    ):
        assert states(client, "half") == {1: "AVAILABLE"}
    assert "2 warm-up records of kind classify_log are skipped" in caplog.text
    assert caplog.text.count("are skipped") == 3
    assert [signature for signature, _ in read_warmup(version)] == [""]


def test_a_damaged_file_fails_the_load(tmp_path: Path, server_kind: str) -> None:
    path = _write(toy_models.half_plus_two(tmp_path), [_record({"x": X})])
    content = bytearray(path.read_bytes())
    content[20] ^= 0xFF
    path.write_bytes(content)
    error = start_failure(server_kind, tmp_path)
    assert "DATA_LOSS" in error
    assert "Please verify your warmup data is in TFRecord format." in error


def _length(number: int) -> bytes:
    """A record's length with its checksum, which TensorFlow believes."""
    data = struct.pack("<Q", number)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 if crc & 1 else crc >> 1
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return data + struct.pack("<I", masked)


@pytest.mark.parametrize("number", [2**31, 2**40, 2**63, 2**64 - 1])
def test_a_record_that_claims_more_bytes_than_there_is_memory_fails_the_load(
    tmp_path: Path, number: int
) -> None:
    path = _write(toy_models.half_plus_two(tmp_path), [_record({"x": X})])
    position = path.stat().st_size
    path.write_bytes(path.read_bytes() + _length(number) + b"abc")
    error = start_failure("local", tmp_path)
    assert f"DATA_LOSS: {path}: corrupted record at {position}" in error


def test_a_record_that_is_cut_off_fails_the_load(tmp_path: Path, server_kind: str) -> None:
    path = _write(toy_models.half_plus_two(tmp_path), [_record({"x": X})])
    path.write_bytes(path.read_bytes()[:-3])
    error = start_failure(server_kind, tmp_path)
    assert "DATA_LOSS" in error
    assert "truncated record at 0" in error


def test_a_long_record_that_is_no_message_is_shown_in_part(tmp_path: Path) -> None:
    _write(toy_models.half_plus_two(tmp_path), [b"\xff" * 3_000_000])
    error = start_failure("local", tmp_path)
    assert "Failed to parse warmup record: b'" in error
    assert len(error) < 2000


def test_a_thousand_records_are_the_most(tmp_path: Path, server_kind: str) -> None:
    version = toy_models.half_plus_two(tmp_path)
    path = _write(version, [b""] * 1000)
    with serving(server_kind, tmp_path) as server, official_client(server.address) as client:
        assert states(client, "half") == {1: "AVAILABLE"}
    path.unlink()
    path.parent.rmdir()
    _write(version, [b""] * 1001)
    assert f"Number of warmup records exceeds the maximum (1000) at {path}" in start_failure(
        server_kind, tmp_path
    )


def test_warm_up_can_be_left_out(tmp_path: Path, server_kind: str) -> None:
    _write(toy_models.half_plus_two(tmp_path), [b"\xff\xff"])
    with (
        serving(server_kind, tmp_path, enable_model_warmup="false") as server,
        official_client(server.address) as client,
    ):
        assert states(client, "half") == {1: "AVAILABLE"}
