"""Rollouts at once, edits by hand between their steps, and signals in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.serving.errors import ConfigError
from impasto.serving.rollout.fleet import Fleet
from impasto.serving.rollout.lock import rollout_lock
from impasto.serving.rollout.options import warn
from servers.configurations import model, wait_for, write_configuration
from servers.model_servers import ModelServer, serving
from servers.rollouts import entry, invoke, labels, started, states_on
from servers.serving_processes import COMMAND
from toys import toy_models

LOCAL_SERVER_ONLY = "locks, signals and edits of the file; test_promote.py promotes on both"

MODELS = ("m", "other")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions 1 and 2 of two models: more than the server's repository has."""
    root = tmp_path_factory.mktemp("prepared")
    for name in MODELS:
        for version in (1, 2):
            toy_models.constant(root, version, name=name)
    return root


@pytest.fixture
def root(prepared: Path, tmp_path: Path) -> Path:
    """What the server sees: version 1 of both models, until `arrive`."""
    root = tmp_path / "models"
    for name in MODELS:
        (root / name).mkdir(parents=True)
        (root / name / "1").symlink_to(prepared / name / "1")
    return root


def arrive(prepared: Path, root: Path, name: str = "m") -> None:
    """Let the server see version 2 of a model."""
    (root / name / "2").symlink_to(prepared / name / "2")


@pytest.fixture
def file(root: Path, tmp_path: Path) -> Path:
    """A models.config with a comment that somebody wrote."""
    pinned = [model(root, name, versions=[1], labels={"stable": 1}) for name in MODELS]
    file = write_configuration(tmp_path / "models.config", *pinned)
    file.write_text("# Ask Ada before you change this.\n" + file.read_text())
    return file


@pytest.fixture
def server(file: Path, server_kind: str) -> Iterator[ModelServer]:
    with serving(server_kind, file) as server:
        yield server


class ShortLived:
    """An object that weak references can be made to."""


@contextlib.contextmanager
def waiting_promotion(
    prepared: Path, file: Path, server: ModelServer, name: str = "m"
) -> Iterator[subprocess.Popen[str]]:
    """A promotion that has written its first step and waits for a version that the server does not see yet."""
    words = ("promote", name, 2, "--no-load", "--models", prepared)
    with started(*words, file=file, server=server) as process:
        wait_for(
            lambda: (
                list(entry(file, name).model_version_policy.specific.versions) == [1, 2] or process.poll()
            ),
            "the first step should be written",
        )
        assert process.poll() is None, process.communicate()
        yield process


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status of a process, once it has ended, and what it said on standard error."""
    _, said = process.communicate()
    return process.returncode, said


def test_two_promotions_at_once_are_both_in_force(
    prepared: Path, root: Path, file: Path, server: ModelServer
) -> None:
    for name in MODELS:
        arrive(prepared, root, name)
    with (
        started("promote", "m", 2, "--no-load", file=file, server=server) as one,
        started("promote", "other", 2, "--no-load", file=file, server=server) as two,
    ):
        assert [ended(one)[0], ended(two)[0]] == [0, 0]
    for name in MODELS:
        assert labels(file, name) == {"stable": 2, "stable-previous": 1}
        assert states_on(server, name) == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_a_second_rollout_waits_for_the_first_and_says_for_whom(
    prepared: Path, root: Path, file: Path, server: ModelServer
) -> None:
    arrive(prepared, root, "other")
    with (
        waiting_promotion(prepared, file, server) as first,
        started("promote", "other", 2, "--no-load", file=file, server=server) as second,
    ):
        assert second.stderr is not None
        said = second.stderr.readline()
        assert said.startswith(f"{file} is being changed by process {first.pid} on ")
        assert "(impasto-serving promote m 2), since 20" in said
        assert said.endswith(" UTC; waiting for it to end.\n")
        assert second.poll() is None
        arrive(prepared, root)
        assert ended(first)[0] == 0
        assert ended(second)[0] == 0
    for name in MODELS:
        assert labels(file, name) == {"stable": 2, "stable-previous": 1}


@pytest.mark.parametrize("words", [("promote", "other", "1"), ("rollback", "other"), ("reload",)])
def test_a_rollout_that_waits_too_long_does_nothing(
    file: Path, server: ModelServer, words: tuple[str, ...]
) -> None:
    before = file.read_bytes()
    with rollout_lock(file, what="promote m 2", timeout=0, say=warn):
        result = invoke(*words, "--timeout", 0.3, file=file, server=server)
    assert result.exit_code == 1
    assert f"{file} is still being changed by process {os.getpid()} on " in result.output
    assert "nothing was done here after 0.3 seconds of waiting" in result.output
    assert file.read_bytes() == before


def test_config_waits_for_a_rollout_too(prepared: Path, root: Path, file: Path, server: ModelServer) -> None:
    words = ["config", "--models", str(root), "--out", str(file.parent), "--no-load", "--force"]
    with waiting_promotion(prepared, file, server) as promotion:
        config = subprocess.Popen(
            [*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert config.stderr is not None
            assert any("is being changed by process" in line for line in config.stderr)
            arrive(prepared, root)
            assert ended(promotion)[0] == 0
            assert ended(config)[0] == 0
        finally:
            config.kill()
            config.wait()
    assert labels(file) == {}  # the last to write was config, by --force


def test_the_lock_is_one_for_a_file_and_the_links_to_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "models.config").touch()
    link = tmp_path / "models.config"
    link.symlink_to("elsewhere/models.config")
    with (
        rollout_lock(link, what="one", timeout=0, say=warn),
        pytest.raises(ConfigError, match=r"\(impasto-serving one\)"),
        rollout_lock(tmp_path / "elsewhere" / "models.config", what="two", timeout=0, say=warn),
    ):
        pass


def test_a_lock_ends_with_the_process_that_holds_it_however_that_dies(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    script = (
        "import sys, time; from pathlib import Path; from impasto.serving.rollout.lock import rollout_lock\n"
        "with rollout_lock(Path(sys.argv[1]), what='x', timeout=0, say=print): print('held', flush=True); "
        "time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ConfigError, match=f"process {holder.pid} "),
            rollout_lock(file, what="y", timeout=0, say=warn),
        ):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with rollout_lock(file, what="y", timeout=60, say=warn):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_reader_of_the_folder_waits_for_the_lock_that_is_there() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "models.config"
        file.touch()
        os.seteuid(65534)
        try:
            with rollout_lock(file, what="reload", timeout=0, say=warn):
                assert [path.name for path in Path(folder).iterdir()] == ["models.config"]
            os.seteuid(0)
            with rollout_lock(file, what="promote m 2", timeout=0, say=warn):
                os.seteuid(65534)
                with (
                    pytest.raises(
                        ConfigError, match=r"is still being changed by process \d+ on .*promote m 2"
                    ),
                    rollout_lock(file, what="reload", timeout=0, say=warn),
                ):
                    pass
                os.seteuid(0)
            os.seteuid(65534)
            with rollout_lock(file, what="reload", timeout=0, say=warn):
                pass
        finally:
            os.seteuid(0)


def test_what_was_written_by_hand_between_two_steps_is_not_overwritten(
    prepared: Path, root: Path, file: Path, server: ModelServer
) -> None:
    with waiting_promotion(prepared, file, server) as promotion:
        edited = "# Edited by Grace.\n" + file.read_text()
        file.write_text(edited)
        arrive(prepared, root)
        status, said = ended(promotion)
    assert status == 1
    assert f"{file} has been changed by somebody else since it was read; it is left as it is" in said
    assert "'version 2 of m is served beside 1'" in said
    assert "use `reload`" in said
    assert file.read_text() == edited
    assert states_on(server) == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_going_back_does_not_overwrite_what_was_written_by_hand(
    prepared: Path, file: Path, server: ModelServer
) -> None:
    with waiting_promotion(prepared, file, server) as promotion:
        file.write_text("# Edited by Grace.\n" + file.read_text())
        edited = file.read_bytes()
        promotion.send_signal(signal.SIGTERM)
        status, said = ended(promotion)
    assert status == 128 + signal.SIGTERM
    assert "has been changed by somebody else" in said
    assert file.read_bytes() == edited


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, 1), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_signal_in_the_middle_brings_file_and_servers_back_to_where_they_were(
    prepared: Path, root: Path, file: Path, server: ModelServer, number: signal.Signals, expected: int
) -> None:
    before = file.read_bytes()
    ours = signal.signal(number, signal.SIG_DFL)  # under nohup, children would ignore SIGHUP, too
    try:
        with waiting_promotion(prepared, file, server) as promotion:
            signal.signal(number, ours)
            promotion.send_signal(number)
            status, said = ended(promotion)
    finally:
        signal.signal(number, ours)
    assert status == expected
    assert "Going back to the configuration as it was." in said
    assert file.read_bytes() == before  # Ada's comment, too
    arrive(prepared, root)
    arrive(prepared, root, "other")
    assert invoke("promote", "other", 2, "--no-load", file=file, server=server).exit_code == 0
    assert states_on(server, "other") == {1: "AVAILABLE", 2: "AVAILABLE"}  # it has looked at the disk
    assert states_on(server) == {1: "AVAILABLE"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_loses_in_a_callback_ends_a_promotion_all_the_same(
    prepared: Path, file: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()
    ask = Fleet.failed

    def ask_and_lose_a_signal(fleet: Fleet, model: str) -> set[tuple[str, int]]:
        found = ask(fleet, model)
        short_lived = ShortLived()
        reference = weakref.ref(short_lived, lambda _: signal.raise_signal(signal.SIGTERM))
        del short_lived  # calls that, and Python drops what the signal's handler raises
        assert reference() is None
        return found

    monkeypatch.setattr(Fleet, "failed", ask_and_lose_a_signal)
    words = ("promote", "m", 2, "--no-load", "--models", prepared, "--timeout", 3600)
    done = invoke(*words, file=file, server=server)
    assert done.exit_code == 128 + signal.SIGTERM
    assert "Going back to the configuration as it was." in done.output
    assert file.read_bytes() == before


def test_a_promotion_whose_readers_are_gone_ends_all_the_same(
    prepared: Path, root: Path, file: Path, server: ModelServer
) -> None:
    with waiting_promotion(prepared, file, server) as promotion:
        assert promotion.stdout is not None and promotion.stderr is not None
        promotion.stdout.close()
        promotion.stderr.close()
        arrive(prepared, root)
        promotion.wait()
    assert labels(file) == {"stable": 2, "stable-previous": 1}


def test_a_linked_configuration_stays_a_link(
    prepared: Path, root: Path, file: Path, server: ModelServer, tmp_path: Path
) -> None:
    arrive(prepared, root)
    link = tmp_path / "linked" / "models.config"
    link.parent.mkdir()
    link.symlink_to("../models.config")
    result = invoke("promote", "m", 2, "--no-load", file=link, server=server)
    assert result.exit_code == 0, result.output
    assert link.readlink() == Path("../models.config")
    assert labels(file) == {"stable": 2, "stable-previous": 1}
    assert not file.is_symlink()
