"""What `promote`, `reload` and `config` check before a server hears of a version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner
from tensorflow_serving.apis import get_model_status_pb2

from impasto.client.model import State
from impasto.export.warmup import write_warmup
from impasto.serving.cli import main
from impasto.serving.errors import ConfigError, RolloutError
from impasto.serving.rollout.checks import RolloutChecks, VersionChecks
from impasto.serving.rollout.fleet import RELOAD, Fleet
from impasto.serving.rollout.whereabouts import MODELS_VARIABLE, Whereabouts
from scripted.client_servers import ScriptedServer, aborting, scripted
from servers.configurations import configuration, model, write_configuration
from servers.forked_probes import fork_probes
from servers.model_servers import ModelServer, serving
from servers.rollouts import invoke, labels, publish, states_on
from toys import toy_models

LOCAL_SERVER_ONLY = "a version is checked before a server hears of it; test_promote.py promotes on both"

X = np.zeros(1, np.float32)


@pytest.fixture(autouse=True)
def forked_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    fork_probes(monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`m` with versions 1 and 2, published with manifests."""
    root = tmp_path / "models"
    for version in (1, 2):
        publish(root, toy_models.constant(tmp_path / "made", version))
    return root


@pytest.fixture
def file(root: Path, tmp_path: Path) -> Path:
    return write_configuration(
        tmp_path / "models.config", model(root, "m", versions=[1], labels={"stable": 1})
    )


@pytest.fixture
def server(file: Path, server_kind: str) -> Iterator[ModelServer]:
    with serving(server_kind, file) as server:
        yield server


def damage(version: Path) -> None:
    """Change one byte of the graph, as a disk or an interrupted copy does."""
    graph = version / "saved_model.pb"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 0xFF
    graph.write_bytes(content)


def refused(*words: object, file: Path, server: ModelServer) -> str:
    """What is said of a promotion or a reload that no server hears of."""
    before = file.read_bytes()
    result = invoke(*map(str, words), file=file, server=server)
    assert result.exit_code == 1, result.output
    assert file.read_bytes() == before
    assert states_on(server) == {1: "AVAILABLE"}
    return str(result.output)


def test_a_version_that_loads_and_answers_is_promoted_and_said_to_be_checked(
    root: Path, file: Path, server: ModelServer, tmp_path: Path
) -> None:
    content = toy_models.constant(tmp_path / "made", 3)
    write_warmup(content, "m", [("serving_default", {"x": X})] * 2)
    result = invoke("promote", "m", publish(root, content).name, file=file, server=server)
    assert result.exit_code == 0, result.output
    assert (
        f"version 3 of m in {root / 'm' / '3'}: the files are those of its manifest, it loads, 1 signature(s), "
        "2 warm-up record(s) ran" in result.stderr
    )
    assert labels(file) == {"stable": 3, "stable-previous": 1}


@pytest.mark.parametrize("more", [[], ["--no-load"]])
def test_a_version_whose_files_differ_from_its_manifest_is_refused(
    root: Path, file: Path, server: ModelServer, more: list[str]
) -> None:
    damage(root / "m" / "2")
    (root / "m" / "2" / "left.over").touch()
    said = refused("promote", "m", 2, *more, file=file, server=server)
    assert "version 2 of m is not what its manifest says" in said
    assert "extra: left.over; changed: saved_model.pb" in said


def test_a_version_without_a_manifest_is_promoted_and_that_is_said(
    root: Path, file: Path, server: ModelServer
) -> None:
    (root / "m" / "2" / "manifest.json").unlink()
    result = invoke("promote", "m", 2, "--no-load", file=file, server=server)
    assert result.exit_code == 0, result.output
    assert "no manifest to compare the files with; not loaded (--no-load)" in result.stderr


def test_a_graph_that_no_server_can_read_is_refused_though_its_manifest_is_right(
    root: Path, file: Path, server: ModelServer, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"broken")
    publish(root, broken)
    said = refused("promote", "m", 3, file=file, server=server)
    assert "version 3 of m cannot be served" in said
    assert "as binary proto" in said


def test_a_warm_up_record_that_does_not_run_is_found_here(
    root: Path, file: Path, server: ModelServer, tmp_path: Path
) -> None:
    content = toy_models.asserting(tmp_path / "made", message="only positive")
    write_warmup(content, "m", [("serving_default", {"x": X - 1})])
    publish(root, content)
    said = refused("promote", "m", 3, file=file, server=server)
    assert "INVALID_ARGUMENT: assertion failed: [only positive]" in said
    assert "warm-up record 1 of" in said


def test_a_version_that_kills_its_process_kills_no_server(
    root: Path, file: Path, server: ModelServer, tmp_path: Path
) -> None:
    publish(root, toy_models.aborting(tmp_path / "made"))
    said = refused("promote", "m", 3, file=file, server=server)
    assert "the process that loaded it crashed (SIGABRT), as a server would: " in said
    assert "the model wanted it so" in said


def test_a_version_that_does_not_keep_its_models_contract_is_refused(
    tmp_path: Path, server_kind: str
) -> None:
    root = tmp_path / "models"
    toy_models.constant(root, 1, name="m")
    toy_models.constant(root, 1, name="srcnn")
    file = write_configuration(tmp_path / "models.config", model(root, "m", versions=[1]))
    with serving(server_kind, file) as server:
        write_configuration(file, model(root, "m", versions=[1]), model(root, "srcnn"))
        said = refused("reload", file=file, server=server)
        assert "version 1 of srcnn does not keep the contract of srcnn" in said
        assert "serving_default: input 'image' is missing" in said
        assert states_on(server, "srcnn") == {}
        assert invoke("reload", "--no-load", file=file, server=server).exit_code == 0
        assert states_on(server, "srcnn") == {1: "AVAILABLE"}


def test_a_reload_with_a_new_model_that_cannot_load_is_not_sent(
    root: Path, file: Path, server: ModelServer
) -> None:
    (root / "new" / "1").mkdir(parents=True)
    write_configuration(file, model(root, "m", versions=[1]), model(root, "new"))
    assert "version 1 of new cannot be served" in refused("reload", file=file, server=server)
    assert states_on(server, "new") == {}


def test_a_promotion_does_not_send_another_model_unchecked_that_no_server_has(
    root: Path, file: Path, server: ModelServer
) -> None:
    (root / "new").mkdir()
    write_configuration(
        file, model(root, "m", versions=[1], labels={"stable": 1}), model(root, "new", versions=[4])
    )
    said = refused("promote", "m", 2, "--no-load", file=file, server=server)
    assert f"new has no version 4 in {root / 'new'}; it has none" in said
    write_configuration(file, model(root, "m", versions=[1], labels={"stable": 1}), model(root, "new"))
    said = refused("promote", "m", 2, "--no-load", file=file, server=server)
    assert f"new has no version in {root / 'new'}: export the model, or take it out of {file}" in said


def test_what_every_server_has_loaded_is_not_checked_again(
    root: Path, file: Path, server: ModelServer
) -> None:
    assert invoke("promote", "m", 2, "--no-load", file=file, server=server).exit_code == 0
    damage(root / "m" / "1")
    result = invoke("rollback", "m", file=file, server=server)
    assert result.exit_code == 0, result.output
    assert "Checking" not in result.output
    assert labels(file) == {"stable": 1, "stable-previous": 2}


def test_models_that_are_not_here_are_sent_only_if_servers_have_them_or_if_asked(
    server: ModelServer, tmp_path: Path
) -> None:
    def checked(name: str, *, unchecked: bool = False) -> list[str]:
        entry = model(tmp_path, name, versions=[2])
        entry.base_path = f"gs://bucket/models/{name}"
        said: list[str] = []
        with Fleet([server.address], tls=None, timeout=60) as fleet:
            RolloutChecks(
                fleet=fleet,
                whereabouts=Whereabouts(tmp_path / "models.config"),
                versions=VersionChecks(load=False, timeout=60, say=said.append),
                unchecked=unchecked,
            ).reload(configuration(entry))
        return said

    (known,) = checked("m")
    assert "was not checked: gs://bucket/models/m is not on this machine" in known
    assert "--models DIR" in known
    with pytest.raises(ConfigError, match=r"new cannot be checked: .*--unchecked sends it all the same"):
        checked("new")
    assert "was not checked" in checked("new", unchecked=True)[0]


def test_the_containers_models_are_found_where_compose_mounts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    entry = model(Path("/models"), "m")
    for folder in ("docker/config", "models/m", "docker/elsewhere/m", "named/m"):
        (tmp_path / folder).mkdir(parents=True)
    place = Whereabouts(tmp_path / "docker" / "config" / "models.config")

    def found() -> str:
        folder = place.folder(entry)
        assert folder is not None
        return folder.resolve().relative_to(tmp_path).as_posix()

    assert found() == "models/m"
    monkeypatch.setenv(MODELS_VARIABLE, "./elsewhere")
    assert found() == "docker/elsewhere/m"
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "absent"))
    assert place.folder(entry) is None
    place = Whereabouts(place.config, models=tmp_path / "named")
    assert found() == "named/m"
    entry.base_path = "gs://bucket/models/m"
    assert found() == "named/m"
    entry.base_path = str(tmp_path / "models" / "m")
    assert Whereabouts(place.config).folder(entry) == tmp_path / "models" / "m"


def test_a_version_is_checked_where_models_says(root: Path, tmp_path: Path, server_kind: str) -> None:
    file = write_configuration(tmp_path / "models.config", model(root, "m", versions=[1]))
    aside = tmp_path / "aside"
    aside.mkdir()
    with serving(server_kind, file) as server:
        said = refused("promote", "m", 2, "--models", aside, file=file, server=server)
    assert f"m has no version 2 in {aside / 'm'}; it has none" in said


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "100000"])
def test_a_timeout_is_a_deadline(file: Path, seconds: str) -> None:
    words = ["reload", "--config", str(file), "--timeout", seconds]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "--timeout" in result.output


def test_config_lists_no_version_that_cannot_be_served(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["config", "--models", str(root), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "version 2 of m" in done.stderr and "it loads" in done.stderr
    before = (out / "models.config").read_bytes()
    publish(root, toy_models.aborting(tmp_path / "made"))
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "version 3 of m cannot be served" in done.output
    damage(root / "m" / "3")
    done = CliRunner().invoke(main, [*words, "--no-load"])
    assert done.exit_code == 1
    assert "version 3 of m is not what its manifest says" in done.output
    assert (out / "models.config").read_bytes() == before


def test_a_server_that_is_away_is_told_before_anything_is_checked(file: Path, server: ModelServer) -> None:
    server.stop()
    result = invoke("promote", "m", 2, file=file, server=server)
    assert result.exit_code == 1
    assert f"no model server answers at {server.address}" in result.output
    assert "Checking" not in result.output


def fleet_of(server: ScriptedServer) -> Fleet:
    return Fleet([server.address], tls=None, timeout=60)


def test_a_reload_that_a_server_does_not_end_in_time_says_what_that_means(root: Path) -> None:
    late = aborting(grpc.StatusCode.DEADLINE_EXCEEDED)

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"" if len(scripted_server.methods) == 1 else late(request, context)

    with (
        scripted(answer) as scripted_server,
        fleet_of(scripted_server) as fleet,
        pytest.raises(
            RolloutError, match=r"did not put the configuration in force within 60 seconds: it waits for a"
        ),
    ):
        fleet.reload(configuration(model(root, "m")))
    assert scripted_server.methods[-1] == RELOAD


def test_a_failure_of_an_earlier_try_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.serving.rollout.fleet._SETTLING_SECONDS", 0.5)
    status = get_model_status_pb2.GetModelStatusResponse()
    entry = status.model_version_status.add(version=4, state=State.END.value)
    entry.status.error_code, entry.status.error_message = 2, "Read less bytes than requested"
    with scripted(lambda *_: status.SerializeToString()) as server, fleet_of(server) as fleet:
        failed = fleet.failed("m")
        with pytest.raises(RolloutError, match=r"did not load: Read less bytes than requested$"):
            fleet.await_available("m", [4])
        with pytest.raises(RolloutError, match=r"did not load earlier \(Read less.*promote again$"):
            fleet.await_available("m", [4], failed_before=failed)
