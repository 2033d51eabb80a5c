"""Files that servers read are replaced whole, where a link leads, with the rights that they had."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.serving.errors import ConfigError, FileChangedError
from impasto.serving.rollout.files import replace_file, sweep
from processes import killed_replacing
from processes.scripts import run_script

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_new_file_is_readable_by_all_and_a_private_one_by_its_user(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        replace_file(tmp_path / "models.config", b"text")
        replace_file(tmp_path / "ssl.config", b"key", private=True)
    finally:
        os.umask(old)
    assert rights(tmp_path / "models.config")[2] == 0o644
    assert rights(tmp_path / "ssl.config")[2] == 0o600


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.touch()
    path.chmod(0o640)
    replace_file(path, b"new")
    assert rights(path)[2] == 0o640


@as_root
def test_a_replaced_file_keeps_its_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "ssl.config"
    path.touch()
    os.chown(path, 65532, 12)
    path.chmod(0o640)
    replace_file(path, b"new", private=True)
    assert (path.read_bytes(), rights(path)) == (b"new", (65532, 12, 0o640))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may write to; pytest's own lie where only this user may go."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_a_file_of_another_user_is_not_taken_over(open_folder: Path) -> None:
    path = open_folder / "models.config"
    path.write_bytes(b"old")
    os.seteuid(NOBODY)
    try:
        with pytest.raises(
            ConfigError, match=r"belongs to user 0 and group \d+.*run the command as that user or as root"
        ):
            replace_file(path, b"new")
    finally:
        os.seteuid(0)
    assert path.read_bytes() == b"old"
    assert names(open_folder) == {"models.config"}


@pytest.mark.parametrize("target", ["real.config", "elsewhere/models.config"])
def test_a_symbolic_link_stays_one_and_the_file_that_it_leads_to_is_replaced(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / target).write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "models.config").symlink_to("link")
    replace_file(tmp_path / "models.config", b"new", expected={b"old"})
    assert (tmp_path / "models.config").readlink() == Path("link")
    assert (tmp_path / "link").readlink() == Path(target)
    assert not (tmp_path / target).is_symlink()
    assert (tmp_path / target).read_bytes() == b"new"


def test_a_link_that_leads_nowhere_yet_is_followed_and_a_loop_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.symlink_to("new.config")
    replace_file(path, b"new")
    assert path.is_symlink()
    assert (tmp_path / "new.config").read_bytes() == b"new"
    path.unlink()
    path.symlink_to("models.config")
    with pytest.raises(ConfigError, match=r"models\.config cannot be written"):
        replace_file(path, b"new")


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")
    (tmp_path / "models.config").symlink_to(tmp_path / "folder" / "pipe")
    with pytest.raises(ConfigError, match="it is a device, a pipe or a socket, which a file would replace"):
        replace_file(tmp_path / "models.config", b"new")
    assert names(tmp_path / "folder") == {"pipe"}
    assert stat.S_ISFIFO((tmp_path / "models.config").stat().st_mode)


def test_what_is_not_expected_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    replace_file(path, b"one", expected={None})
    with pytest.raises(FileChangedError, match="has been changed by somebody else"):
        replace_file(path, b"two", expected={None, b"zero"})
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == {"models.config"}
    replace_file(path, b"two", expected={b"one"})
    assert path.read_bytes() == b"two"


def test_a_writer_killed_at_any_step_leaves_a_whole_file_and_the_next_one_sweeps(tmp_path: Path) -> None:
    path = tmp_path / "ssl.config"
    path.write_text("old")
    done = run_script(killed_replacing, path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 8
    contents = {line.partition(",")[0] for line in lines}
    assert "old" in contents
    assert all(content == "old" or content.startswith("new ") for content in contents)
    assert any("1 beside, killed" in line for line in lines)  # what has to be swept
    assert not any("2 beside" in line for line in lines)
    assert lines[-1] == f"new {len(lines)}, 0 beside, through"


def test_what_a_living_writer_has_aside_and_other_files_are_not_swept(tmp_path: Path) -> None:
    living = tmp_path / ".ssl.config.abcdefgh.part"
    dead = tmp_path / ".ssl.config.12345678.part"
    others = [
        tmp_path / ".models.config.lock",
        tmp_path / "notes.part",
        tmp_path / ".impasto-0011223344.part",
    ]
    for path in (living, dead, *others):
        path.touch()
    with living.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sweep(tmp_path)
        assert names(tmp_path) == {path.name for path in (living, *others)}
    sweep(tmp_path)
    assert names(tmp_path) == {path.name for path in others}
