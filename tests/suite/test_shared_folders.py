"""A folder that every process of a run asks for is made by one of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toys.shared_folders import shared_folder


def test_of_many_who_ask_at_once_one_fills_and_all_get_it_whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    filled = []

    def fill(folder: Path) -> None:
        filled.append(folder)
        for number in range(100):
            (folder / str(number)).touch()

    def ask(_: int) -> int:
        return len(list(shared_folder(tmp_path_factory, "asked-for-at-once", fill).iterdir()))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [100] * 8
    assert len(filled) == 1


def test_what_somebody_left_unfinished_is_made_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    class Killed(BaseException):
        pass

    def half(folder: Path) -> None:
        (folder / "half").touch()
        raise Killed

    with pytest.raises(Killed):
        shared_folder(tmp_path_factory, "left-unfinished", half)
    whole = shared_folder(tmp_path_factory, "left-unfinished", lambda folder: (folder / "whole").touch())
    assert [path.name for path in whole.iterdir()] == ["whole"]
