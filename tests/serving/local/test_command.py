"""`impasto-serving` as a person runs it: a process, its output, its exit code."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import numpy as np

from servers.official_stubs import official_client, outputs, predict_request
from servers.serving_processes import failing, forked, running
from toys import toy_models

X = np.array([1, 2], np.float32)


def test_it_says_what_it_serves_answers_and_stops_on_a_signal(toy_repository: Path) -> None:
    arguments = ["--models", str(toy_repository), "--only", "half", "--only", "constant"]
    with running(*arguments) as (process, address, lines):
        assert "half  version 1" in lines
        assert "constant  version 10" in lines
        with official_client(address) as client:
            np.testing.assert_array_equal(outputs(client.predict("half", {"x": X}))["y"], [2.5, 3])
        process.terminate()
        out, err = process.communicate()
    assert process.returncode == 0
    assert "Stopped." in out
    assert "Predict" not in err


def test_ctrl_c_stops_it_too(toy_repository: Path, tmp_path: Path) -> None:
    with forked("--models", str(toy_repository), "--only", "half", log=tmp_path / "log") as process:
        assert "half  version 1" in process.output.splitlines()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait() == 0
    assert "Stopped." in process.output
    assert "Predict" not in process.output


def test_a_signal_that_arrives_in_another_thread_stops_the_server(
    toy_repository: Path, tmp_path: Path
) -> None:
    with forked("--models", str(toy_repository), "--only", "half", log=tmp_path / "log") as process:
        threads = {int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()}
        os.kill(max(threads - {process.pid}), signal.SIGTERM)  # Linux hands it to that very thread
        assert process.wait() == 0
    assert "Stopped." in process.output


def test_a_running_call_is_answered_after_sigterm(toy_repository: Path, tmp_path: Path) -> None:
    arguments = ["--models", str(toy_repository), "--only", "slow", "--verbose"]
    with (
        forked(*arguments, log=tmp_path / "log") as process,
        official_client(process.address) as client,
    ):
        client.predict("slow", {"steps": np.int32(1)})
        call = client.prediction.Predict.future(predict_request("slow", {"steps": np.int32(4000)}))
        client.predict("slow", {"steps": np.int32(2)})  # on the same connection, so the long one is in
        os.kill(process.pid, signal.SIGTERM)
        assert call.result().model_spec.name == "slow"
        assert process.wait() == 0
    assert process.output.count("Predict slow OK") == 3


def test_a_second_signal_does_not_wait_for_running_calls(toy_repository: Path, tmp_path: Path) -> None:
    arguments = ["--models", str(toy_repository), "--only", "slow", "--grace", "3600"]
    with (
        forked(*arguments, log=tmp_path / "log") as process,
        official_client(process.address) as client,
    ):
        # Kept in a name: gRPC cancels a call whose future is dropped.
        endless = client.prediction.Predict.future(predict_request("slow", {"steps": np.int32(2**31 - 1)}))
        client.predict("slow", {"steps": np.int32(1)})
        os.kill(process.pid, signal.SIGTERM)
        process.said("(Stopping)")
        assert not endless.done()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0


def test_flags_of_tensorflow_model_server_are_taken_with_and_without_a_value(
    toy_repository: Path, tmp_path: Path
) -> None:
    arguments = ["--models", str(toy_repository), "--only=half", "--enable_model_warmup=false"]
    arguments += ["--grpc_max_threads=3", "--enable_serialization_as_tensor_content"]
    with (
        forked(*arguments, log=tmp_path / "log") as process,
        official_client(process.address) as client,
    ):
        assert client.predict("half", {"x": X}).outputs["y"].tensor_content


def test_an_empty_folder_is_served_with_a_word(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    with forked("--models", str(models), log=tmp_path / "log") as process:
        assert f"\nNo model in {models} yet" in process.output


def test_a_missing_folder_exits_2_and_says_what_to_give(tmp_path: Path) -> None:
    code, err = failing("local", "--models", str(tmp_path / "nope"))
    assert code == 2
    assert err.startswith(f"models: {tmp_path / 'nope'} does not exist. Give the folder that holds")
    assert "Traceback" not in err


def test_a_taken_port_exits_2_and_says_so(toy_repository: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, err = failing("local", "--models", str(toy_repository), "--port", str(port))
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use." in err
    assert "Traceback" not in err


def test_a_corrupt_model_exits_255_as_tensorflow_model_server_does(tmp_path: Path) -> None:
    version = toy_models.half_plus_two(tmp_path)
    (version / "saved_model.pb").write_bytes(b"not a saved model at all")
    code, err = failing("local", "--models", str(tmp_path), "--port", "0", "--max_num_load_retries=0")
    assert code == 255
    assert "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: " in err
    assert f"Remedy: export 'half' again, or move {version} away" in err
    assert "Traceback" not in err


def test_an_unknown_subcommand_is_a_usage_error() -> None:
    code, err = failing("nope")
    assert code == 2
    assert "No such command 'nope'" in err
