"""The pins of a Hub module's files, and the hashes that are compared with them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from impasto.export.stylize.hub_module import MAGENTA, FileHashes, copied, differences

# `printf 'hello\n' | git hash-object --stdin` and `printf '' | git hash-object --stdin`.
HELLO_IN_GIT = "ce013625030ba8dba906f756967f9e9ca394464a"
EMPTY_IN_GIT = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_magentas_pins_are_hashes_of_the_files_that_make_a_saved_model() -> None:
    assert set(MAGENTA) == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00002",
        "variables/variables.data-00001-of-00002",
    }
    for name, pin in MAGENTA.items():
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|git:[0-9a-f]{40}", pin), name
    assert len(set(MAGENTA.values())) == len(MAGENTA)


def test_what_runs_is_pinned_by_sha256() -> None:
    assert MAGENTA["saved_model.pb"].startswith("sha256:")
    assert MAGENTA["variables/variables.index"].startswith("sha256:")


@pytest.mark.parametrize(("content", "git"), [(b"hello\n", HELLO_IN_GIT), (b"", EMPTY_IN_GIT)])
def test_a_files_hashes_are_those_of_sha256sum_and_of_git(tmp_path: Path, content: bytes, git: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "variables").mkdir(parents=True)
    (source / "variables" / "data").write_bytes(content)
    hashes = copied(source, target)
    sha256 = hashlib.sha256(content).hexdigest()
    assert hashes == {"variables/data": FileHashes(sha256=sha256, git=git)}
    assert (target / "variables" / "data").read_bytes() == content
    for pin in (f"sha256:{sha256}", f"git:{git}"):
        assert differences(hashes, {"variables/data": pin}) == ""
    for pin in (sha256, git, f"git:{sha256}", f"sha256:{git}", f"sha256:{'0' * 64}", f"git:{'0' * 40}", ""):
        assert differences(hashes, {"variables/data": pin}) == "altered: variables/data"


def test_a_folder_without_files_makes_no_difference(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "assets" / "empty").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"hello\n")
    assert differences(copied(source, tmp_path / "target"), {"saved_model.pb": f"git:{HELLO_IN_GIT}"}) == ""


def test_a_module_that_is_pinned_nowhere_is_all_added(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert differences(copied(tmp_path, tmp_path.with_name("target")), {}) == "added: file"
