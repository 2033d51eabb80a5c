"""Odd names, links and files on the disk keep no other model from its service, and the log says so once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from impasto.serving import LocalServer, ServerOptions
from impasto.serving.local import reconcile, version_files
from impasto.serving.versions import aspired_versions
from servers.configurations import QUICK, states, wait_for
from servers.official_stubs import OfficialClient, official_client, outputs
from toys import toy_models

X = np.array([1, 2], np.float32)
OPTIONS = ServerOptions(file_system_poll_wait_seconds=QUICK)


def answer(client: OfficialClient, name: str = "constant") -> float | None:
    """The newest version's number, by its own word."""
    try:
        return float(outputs(client.predict(name, {"x": X}))["y"][0])
    except grpc.RpcError:
        return None


def _bytes_that_are_no_text(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).mkdir()


def _a_line_break(root: Path) -> None:
    (root / "a\nb\x1b[2J").mkdir()


def _a_link_to_the_root(root: Path) -> None:
    (root / "everything").symlink_to("/")


def _a_loop(root: Path) -> None:
    (root / "loop").symlink_to(root / "loop")
    (root / "inside").mkdir()
    (root / "inside" / "1").symlink_to(root / "inside")


def _a_version_that_is_the_root(root: Path) -> None:
    (root / "linked").mkdir()
    (root / "linked" / "1").symlink_to("/")


def _assets_that_are_the_root(root: Path) -> None:
    (root / "assets" / "1").mkdir(parents=True)
    for name in ("assets", "variables"):
        (root / "assets" / "1" / name).symlink_to("/")


def _a_pipe(root: Path) -> None:
    # Made aside: a server that looked in between would load what is whole still, and meet the pipe in the middle of it.
    aside = root.parent / "aside-for-pipes"
    version = toy_models.variable(aside, name="piped")
    index = version / "variables" / "variables.index"
    index.unlink()
    os.mkfifo(index)
    (aside / "piped").rename(root / "piped")


def _a_folder_for_a_graph(root: Path) -> None:
    (root / "folder" / "1" / "saved_model.pb").mkdir(parents=True)


def _a_file_for_a_version(root: Path) -> None:
    (root / "file").mkdir()
    (root / "file" / "1").write_text("no folder")


def _a_huge_number(root: Path) -> None:
    (root / "huge" / ("9" * 200)).mkdir(parents=True)


ODD = (
    _bytes_that_are_no_text,
    _a_line_break,
    _a_link_to_the_root,
    _a_loop,
    _a_version_that_is_the_root,
    _assets_that_are_the_root,
    _a_pipe,
    _a_folder_for_a_graph,
    _a_file_for_a_version,
    _a_huge_number,
)


def test_nothing_odd_in_a_repository_keeps_new_versions_of_the_others_back(tmp_path: Path) -> None:
    root = tmp_path / "models"
    toy_models.constant(root, 1)
    with LocalServer(root, options=OPTIONS) as server, official_client(server.address) as client:
        for number, make in enumerate(ODD, start=2):
            make(root)
            toy_models.constant(tmp_path / "aside", number).rename(root / "constant" / str(number))
            wait_for(lambda number=number: answer(client) == number, f"{make.__name__} is in the way")  # type: ignore[misc]
        assert set(states(client, "piped").values()) == {"END"}


def test_an_unforeseen_error_is_logged_once_and_the_watcher_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    toy_models.constant(tmp_path, 1)
    toy_models.constant(tmp_path, 1, name="maze")
    with LocalServer(tmp_path, options=OPTIONS) as server, official_client(server.address) as client:
        looks = 0

        def broken(model: Any) -> Any:
            nonlocal looks
            if model.name != "maze":
                return aspired_versions(model)
            looks += 1
            raise RecursionError("the disk is a labyrinth\nforged line")

        with monkeypatch.context() as patched, caplog.at_level("WARNING", logger="impasto.serving"):
            patched.setattr(reconcile, "aspired_versions", broken)
            wait_for(lambda: looks > 3, "it should look again")
            toy_models.constant(tmp_path, 2)
            wait_for(lambda: answer(client) == 2, "the other model should go on")
            assert answer(client, "maze") == 1
        toy_models.constant(tmp_path, 2, name="maze")
        wait_for(lambda: answer(client, "maze") == 2, "it should go on")
    said = [record for record in caplog.records if "labyrinth" in record.getMessage()]
    assert len(said) == 1
    assert "\n" not in said[0].getMessage()


def test_a_fingerprint_looks_only_at_what_belongs_to_a_saved_model(tmp_path: Path) -> None:
    version = toy_models.variable(tmp_path)
    before = version_files.fingerprint(version)
    (version / "notes").mkdir()
    (version / "notes" / "log.txt").write_text("another")
    (version / "everything").symlink_to("/")
    assert version_files.fingerprint(version) == before
    shutil.copy(version / "saved_model.pb", version / "assets.txt")
    (version / "variables" / "variables.index").touch()
    assert version_files.fingerprint(version) != before
    (tmp_path / "root").symlink_to("/")
    assert len(version_files.fingerprint(tmp_path / "root")) < 10


@pytest.mark.parametrize(
    ("layout", "hint"),
    [
        ("half/saved_model.pb", "it is a SavedModel itself. Move its files into {root}/half/1"),
        ("half/deeper/1/saved_model.pb", "one level deeper, such as in {root}/half/deeper"),
        ("half/readme.txt", "it has no folder with a whole number for its name, such as {root}/half/1"),
    ],
)
def test_a_model_without_version_folders_gets_a_hint(
    tmp_path: Path, layout: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / layout).parent.mkdir(parents=True)
    (tmp_path / layout).write_bytes(b"")
    with caplog.at_level("WARNING", logger="impasto.serving"), LocalServer(tmp_path, options=OPTIONS):
        pass
    assert hint.format(root=tmp_path) in caplog.text


WITHOUT_EAGER = """
import sys
import grpc, numpy as np, tensorflow as tf
tf.compat.v1.disable_eager_execution()
from impasto.serving import LocalServer
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
with LocalServer(sys.argv[1]) as server, grpc.insecure_channel(server.address) as channel:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.ones((1, 2), np.float32)))
    response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=240)
    print(response.outputs["y"].dtype)
"""


def test_a_process_without_eager_execution_serves_a_model_with_warm_up_records(tmp_path: Path) -> None:
    from impasto.export import publishing
    from impasto.export.golden import independent
    from toys.toy_module import TOY_CONTRACT, ToyModule

    module = ToyModule()
    publishing.publish(
        publishing.Servable(module, {"serving_default": module.serve}, TOY_CONTRACT),
        tmp_path,
        warm_up=[("serving_default", {"x": np.ones((1, 2), np.float32)})],
        golden=independent([("serving_default", {"x": [[1, 2]]})]),
        source={},
    )
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_EAGER, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "1"
