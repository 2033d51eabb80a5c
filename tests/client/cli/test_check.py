"""`impasto check` against servers that are set well, badly, and differently."""

from __future__ import annotations

import json
import queue
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from impasto.client import Client
from impasto.client.cli import exit_codes, run
from impasto.client.repository.golden import GoldenRecord
from impasto.client.repository.manifest import MANIFEST_NAME
from impasto.client.repository.manifest import record as file_record
from processes.command_line import free_port
from scripted.altering_proxy import Refusal, altering_proxy
from scripted.client_servers import BATCH_MISMATCH, scripted
from servers.certificates import Authority
from servers.model_servers import TYPED, ModelServer, serving
from toys import foreign_models, toy_models

Captured = pytest.CaptureFixture[str]
Found = dict[tuple[str | None, str], dict[str, Any]]

DOCS = Path(__file__).parents[3] / "docs" / "check.md"
EXPLAINED = set(re.findall(r"^\| `([a-z -]+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
"""The checks in the documentation's table."""


def checked(capsys: Captured, *words: str, server: str, code: int = exit_codes.DONE) -> Found:
    """The findings of a check that must end with this code, by model and check; of several the worst."""
    capsys.readouterr()
    ended = run(["check", *words, "--server", server, "--json"])
    said = capsys.readouterr()
    assert ended == code, said.out + said.err
    report = json.loads(said.out)
    order = ["skip", "pass", "warn", "fail"]
    assert {finding["check"] for finding in report["findings"]} <= EXPLAINED
    ranked = sorted(report["findings"], key=lambda one: order.index(one["outcome"]))
    return {(one["model"], one["check"]): one for one in ranked}


def outcomes(found: Found) -> dict[str, str]:
    """The outcomes of one model's checks."""
    return {check: finding["outcome"] for (model, check), finding in found.items() if model is not None}


def test_a_server_that_is_set_well_passes(
    committed_server: ModelServer, committed_models: Path, capsys: Captured
) -> None:
    words = ("srcnn", "--models", str(committed_models), "--server-version", "2.21.0")
    found = checked(capsys, *words, server=committed_server.address)
    assert {
        check: found[None, check]["outcome"] for check in ("reachable", "tls", "health")
    } == dict.fromkeys(("reachable", "tls", "health"), "pass")
    passing = "versions labels contract signatures warm flat tiles repeat latency encoding batching release"
    told = outcomes(found)
    assert {check: told[check] for check in passing.split()} == dict.fromkeys(passing.split(), "pass")
    assert told["message size"] == told["at once"] == "pass"
    assert found["srcnn", "flat"]["version"] == 3


@pytest.mark.parametrize(
    ("fixture", "model", "checks"),
    [
        ("dream_server", "dream", "signatures no_steps repeat chunks latency"),
        ("transfer_server", "transfer", "signatures no_steps repeat chunks latency"),
        ("stylize_server", "stylize", "signatures two_ways repeat latency"),
    ],
)
def test_what_must_hold_of_a_model_holds(
    request: pytest.FixtureRequest,
    server_kind: str,
    capsys: Captured,
    fixture: str,
    model: str,
    checks: str,
) -> None:
    server: ModelServer = request.getfixturevalue(fixture)
    told = outcomes(checked(capsys, model, "--concurrency", "3", server=server.address))
    names = [check.replace("_", " ") for check in checks.split()]
    assert {name: told.get(name) for name in names} == dict.fromkeys(names, "pass")
    assert "fail" not in told.values()


def test_a_model_of_another_is_checked_as_far_as_its_metadata_tells(
    toy_server: ModelServer, capsys: Captured
) -> None:
    found = checked(capsys, "half", "echo", "slow", "--concurrency", "2", server=toy_server.address)
    assert "not a model of Impasto's" in found["half", "contract"]["found"]
    for check in ("signatures", "repeat", "at once"):
        assert found["half", check]["outcome"] == "pass"
    assert found["echo", "signatures"]["outcome"] == "pass"  # each dtype that can be sent
    assert found["half", "golden"]["outcome"] == "skip"


def test_an_upscaler_of_any_name_passes_at_every_factor_that_it_has(
    upscaler_server: ModelServer, capsys: Captured
) -> None:
    found = checked(capsys, "enlarger", "--concurrency", "2", server=upscaler_server.address)
    told = {check: one["found"] for (_, check), one in found.items() if one["outcome"] == "pass"}
    assert told["contract"].startswith("as this client calls it")
    assert told["signatures"] == "4 answered as they should: describe, serving_default, x3, x4"
    assert told["flat"].endswith("of 255 levels, serving_default, x3, x4")
    assert told["tiles"] == "tiles with an overlap of 2 px equal the whole"
    assert "s a megapixel sent, 3 times as large" in told["latency"]
    assert told["message size"].startswith("an answer of 0.1 MB")  # 160 px, four times the tile's 40
    assert {"repeat", "at once", "batching"} <= set(told)


@pytest.mark.local_server_only("the proxy stands for upscalers that say or do something wrong")
def test_an_upscaler_that_is_not_what_it_says_is_found_out(
    upscaler_server: ModelServer, capsys: Captured
) -> None:
    def says(said: dict[str, Any]) -> Callable[[PredictRequest, PredictResponse], None]:
        def alter(_: PredictRequest, response: PredictResponse) -> None:
            for name in said.keys() & response.outputs.keys():
                response.outputs[name].tensor_content = np.array(said[name], np.int32).tobytes()

        return alter

    # Each of these is what describe says, the check that doubts it, and its outcome in words.
    for said, check, outcome, words in (
        ({"overlap": 1, "reach": 1}, "tiles", "fail", "a tile with an overlap of 1 px differs by"),
        ({"overlap": 1, "reach": 100_000}, "tiles", "skip", "so tiles are blended"),
        ({"factors": [4, 3]}, "flat", "fail", "serving_default: a picture of 60x48 px became"),
        ({"maximum_pixels": 3000}, "tiles", "skip", "takes no picture of more than a tile"),
        ({"overlap": -1}, "unchanged", "fail", "describe says overlap -1"),
    ):
        code = exit_codes.FAILED if outcome == "fail" else exit_codes.DONE
        with altering_proxy(upscaler_server.address, says(said)) as address:
            found = checked(capsys, "enlarger", "--quick", "--concurrency", "1", server=address, code=code)
        assert (found["enlarger", check]["outcome"], words in found["enlarger", check]["found"]) == (
            outcome,
            True,
        )


@pytest.fixture(scope="module")
def badly_set(
    tmp_path_factory: pytest.TempPathFactory, committed_models: Path, server_kind: str
) -> Iterator[ModelServer]:
    """A server of srcnn and `half` with typed fields, three threads, and without a health service."""
    models = tmp_path_factory.mktemp("badly-set")
    shutil.copytree(committed_models / "srcnn", models / "srcnn")
    toy_models.half_plus_two(models)
    flags = {**TYPED, "grpc_max_threads": 3, "enable_grpc_healthcheck_service": "false"}
    with serving(server_kind, models, **flags) as server:
        yield server


def test_each_bad_setting_is_named_with_the_flag_that_mends_it(
    badly_set: ModelServer, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_MAX_MESSAGE_BYTES", "2000000")
    found = checked(capsys, "srcnn", server=badly_set.address, code=exit_codes.FAILED)
    bad = {
        check: (one["outcome"], one["remedy"])
        for (_, check), one in found.items()
        if one["outcome"] in ("warn", "fail")
    }
    assert bad.keys() == {"health", "encoding", "at once", "message size"}
    assert bad["health"] == ("warn", "--enable_grpc_healthcheck_service=true")
    assert bad["encoding"] == ("warn", "--enable_serialization_as_tensor_content=true")
    assert bad["at once"] == ("warn", "--grpc_max_threads=256")
    assert bad["message size"][0] == "fail"
    assert "IMPASTO_MAX_MESSAGE_BYTES" in bad["message size"][1]
    assert "Server Threadpool Exhausted" in found["srcnn", "at once"]["found"]


def test_people_read_a_table_and_what_mends_each_fault(badly_set: ModelServer, capsys: Captured) -> None:
    command = ["check", "half", "--concurrency", "1", "--server", badly_set.address]
    assert run(command) == exit_codes.DONE
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split() == ["RESULT", "MODEL", "CHECK", "FOUND"]
    assert any(line.split()[:3] == ["warn", "-", "health"] for line in lines)
    assert any(line.split()[:3] == ["pass", "half:1", "contract"] for line in lines)
    remedies = lines[lines.index("To mend:") + 1 :]
    assert "  health: --enable_grpc_healthcheck_service=true" in remedies
    assert f"half at {badly_set.address} ..." in said.err
    assert "1 warn" in said.err.splitlines()[-1]
    assert run([*command, "--quiet"]) == exit_codes.DONE
    said = capsys.readouterr()
    assert said.err == ""
    assert {line.split()[0] for line in said.out.split("\n\n")[0].splitlines()[1:]} == {"warn"}


@pytest.mark.local_server_only("the proxy stands for servers that batch, or whose processors do not repeat")
def test_a_server_that_batches_pictures_is_found_out(upscaler_server: ModelServer, capsys: Captured) -> None:
    lock, sizes = threading.Lock(), dict[int, None]()

    def refuse_other_sizes(request: PredictRequest, _: PredictResponse) -> None:
        if request.model_spec.signature_name == "describe":
            return
        width = request.inputs["image"].tensor_shape.dim[2].size
        with lock:
            sizes[width] = None
        if width == 68:  # only where two sizes meet is this one sent
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, BATCH_MISMATCH)

    with altering_proxy(upscaler_server.address, refuse_other_sizes) as address:
        found = checked(capsys, "enlarger", "--concurrency", "4", server=address, code=exit_codes.FAILED)
    assert found["enlarger", "batching"]["outcome"] == "fail"
    assert "--enable_batching" in found["enlarger", "batching"]["remedy"]
    assert 68 in sizes


@pytest.mark.local_server_only("the proxy stands for servers that batch, or whose processors do not repeat")
@pytest.mark.parametrize("repeats", [False, True])
def test_steps_that_do_not_repeat_and_chunks_that_differ_are_told_apart(
    dream_server: ModelServer, capsys: Captured, repeats: bool
) -> None:
    calls = [0]

    def alter(request: PredictRequest, response: PredictResponse) -> None:
        if request.model_spec.signature_name != "ascend":
            return
        calls[0] += 1
        first_step = np.frombuffer(request.inputs["first_step"].tensor_content, np.int32)
        if first_step.any() if repeats else calls[0] % 2:
            state = response.outputs["state"]
            state.tensor_content = bytes(len(state.tensor_content))

    with altering_proxy(dream_server.address, alter) as address:
        code = exit_codes.FAILED if repeats else exit_codes.DONE
        found = checked(capsys, "dream", "--concurrency", "1", server=address, code=code)
    told = [found["dream", check]["outcome"] for check in ("repeat", "chunks")]
    assert told == (["pass", "fail"] if repeats else ["warn", "skip"])
    assert "TF_DETERMINISTIC_OPS=1" in found["dream", "chunks" if repeats else "repeat"]["remedy"]


def with_golden(models: Path, root: Path, server: ModelServer, **manifest: Any) -> tuple[Path, Path]:
    """A copy of the toy upscaler with a golden record of what a server answers, and the record's file."""
    version = root / "enlarger" / "1"
    shutil.copytree(models / "enlarger" / "1", version)
    image = np.random.default_rng(5).integers(0, 256, (1, 9, 7, 3), np.uint8)
    with Client(server.address) as client:
        record = GoldenRecord(
            "serving_default", {"image": image}, client.predict("enlarger", {"image": image})
        )
    file = version / "assets.extra" / "golden" / "0.npz"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(record.to_bytes())
    told = json.loads((version / MANIFEST_NAME).read_text())
    name = file.relative_to(version).as_posix()
    told["files"][name] = asdict(file_record(file))
    (version / MANIFEST_NAME).write_text(json.dumps({**told, "golden": [name], **manifest}))
    return root, file


def test_golden_records_are_compared_and_manifests_read(
    upscaler_server: ModelServer, upscaler_repository: Path, tmp_path: Path, capsys: Captured
) -> None:
    host_ops = {"pictures": ["ResizeBicubic float32"], "others": [], "harmless": []}
    manifest = {"host_ops": host_ops, "tensorflow": "9.1.0"}
    root, file = with_golden(upscaler_repository, tmp_path, upscaler_server, **manifest)
    told = json.loads((root / "enlarger/1" / MANIFEST_NAME).read_text())
    del told["files"]["assets.extra/tf_serving_warmup_requests"]
    (root / "enlarger/1" / MANIFEST_NAME).write_text(json.dumps(told))
    words = ("--models", str(root), "--exact", "--server-version", "2.21.0", "--concurrency", "1")
    found = checked(capsys, *words, server=upscaler_server.address)
    assert found["enlarger", "golden"]["found"] == "1 record, equal bits"
    warned = {check for (_, check), one in found.items() if one["outcome"] == "warn"}
    assert warned == {"host ops", "warm-up", "release"}
    assert "ResizeBicubic" in found["enlarger", "host ops"]["found"]

    record = GoldenRecord.from_bytes(file.read_bytes(), where="file")
    near = np.where(record.outputs["image"] > 0, record.outputs["image"] - 1, 0).astype(np.uint8)
    for image, options, outcome in (
        (near, (), "pass"),
        (near, ("--exact",), "fail"),
        (255 - record.outputs["image"], (), "fail"),
    ):
        file.write_bytes(GoldenRecord(record.signature, record.inputs, {"image": image}).to_bytes())
        code = exit_codes.FAILED if outcome == "fail" else exit_codes.DONE
        words = ("enlarger", "--golden", str(file), "--quick", "--concurrency", "1", *options)
        found = checked(capsys, *words, server=upscaler_server.address, code=code)
        assert found["enlarger", "golden"]["outcome"] == outcome
        assert "levels" in found["enlarger", "golden"]["found"]


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory, server_kind: str) -> Iterator[tuple[str, str]]:
    """Two replicas: `constant` is version 1 at the one, and version 2 at the other, which also counts calls."""
    old, new = tmp_path_factory.mktemp("old"), tmp_path_factory.mktemp("new")
    toy_models.constant(old, 1)
    toy_models.constant(new, 2)
    foreign_models.counting(new / "counting" / "1")
    with serving(server_kind, old) as one, serving(server_kind, new) as other:
        yield one.address, other.address


def test_replicas_of_which_one_serves_another_version_do_not_agree(
    two_versions: tuple[str, str], capsys: Captured
) -> None:
    words = ("constant", "counting", "--concurrency", "1")
    found = checked(capsys, *words, server=",".join(two_versions), code=exit_codes.FAILED)
    agreement = found["constant", "replicas agree"]
    assert agreement["outcome"] == "fail"
    assert f"1 at {two_versions[0]}, 2 at {two_versions[1]}" in agreement["found"]
    assert f"not served at {two_versions[0]}" in found["counting", "replicas agree"]["found"]
    assert found["counting", "repeat"]["outcome"] == "warn"  # it counts its calls, and throws dice
    alias = two_versions[0].replace("127.0.0.1", "localhost")
    found = checked(capsys, *words, server=f"{two_versions[0]},{alias}", code=exit_codes.REFUSED)
    assert found["constant", "replicas agree"]["outcome"] == "pass"


def test_a_replica_that_is_away_fails_and_none_at_all_cannot_be_reached(
    two_versions: tuple[str, str], capsys: Captured
) -> None:
    away = f"127.0.0.1:{free_port()}"
    found = checked(capsys, "constant", server=f"{two_versions[0]},{away}", code=exit_codes.FAILED)
    assert found[None, "reachable"]["server"] == away
    assert run(["check", "--server", away]) == exit_codes.UNREACHABLE
    assert run(["check", "--server", two_versions[0]]) == exit_codes.REFUSED
    assert "serves none of srcnn, upscaler-small, " in capsys.readouterr().err


def test_tls_is_as_asked_or_the_check_ends_there(
    server_kind: str, toy_repository: Path, tmp_path: Path, capsys: Captured
) -> None:
    authority, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    config = authority.ssl_config("models.example")
    with serving(server_kind, toy_repository, only=("half",), ssl_config_file=config) as server:
        words = ("half", "--quick", "--tls-server-name", "models.example", "--tls-ca")
        found = checked(capsys, *words, str(authority.certificate), server=server.address)
        assert "encrypted" in found[None, "tls"]["found"]
        refused = ["check", *words, str(stranger.certificate), "--server", server.address]
        assert run(refused) == exit_codes.UNREACHABLE
        assert run(["check", "half", "--server", server.address]) == exit_codes.UNREACHABLE


def test_what_does_not_fit_into_the_time_of_a_quick_check_is_skipped(
    toy_server: ModelServer, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.client.checking.report._QUICK_SECONDS", 1e-6)
    found = checked(capsys, "half", "--quick", server=toy_server.address)
    assert found[None, "reachable"]["outcome"] == "skip"
    assert "leave out --quick" in found[None, "reachable"]["found"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--golden", __file__), "--golden is of one model"),
        (("srcnn", "--golden", __file__), "is no golden record"),
        (("",), "MODEL is empty"),
        (("--models", "nowhere"), "'nowhere' does not exist"),
        (("--concurrency", "0"), "0 is not in the range"),
    ],
)
def test_a_wrong_option_is_refused(capsys: Captured, words: tuple[str, ...], message: str) -> None:
    assert run(["check", *words]) == exit_codes.USAGE
    assert message in capsys.readouterr().err


def test_ctrl_c_stops_the_calls_and_no_further_ones_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    main = threading.main_thread().ident
    assert main is not None
    stopped: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def hang(request: bytes, context: grpc.ServicerContext) -> bytes:
        gone = threading.Event()
        context.add_callback(gone.set)
        signal.pthread_kill(main, signal.SIGINT)
        stopped.put(gone.wait(20))  # far less than the call may take
        return b""

    monkeypatch.setenv("IMPASTO_TIMEOUT", "240")
    with scripted(hang) as server:
        assert run(["check", "--server", server.address]) == exit_codes.INTERRUPTED
        assert stopped.get(timeout=60)
    assert stopped.empty()
