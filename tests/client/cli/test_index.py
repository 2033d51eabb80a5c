"""The index of a folder of results, written by several at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from impasto.client.cli.index import NAME, Entry, Fingerprint, Index, read_index


def entry(number: int) -> Entry:
    digest = f"{number:064x}"
    return Entry(Fingerprint(number, digest), digest, "srcnn", 1, Fingerprint(number, digest))


def test_runs_that_write_at_the_same_time_keep_each_others_entries(tmp_path: Path) -> None:
    def run(first: int) -> None:
        index = Index(tmp_path)
        for number in range(first, first + 25):
            index.add(f"{number}.png", entry(number))
        index.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(0, 200, 25)))

    assert read_index(tmp_path / NAME) == {f"{number}.png": entry(number) for number in range(200)}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_threads_of_one_run_share_its_index(tmp_path: Path) -> None:
    index = Index(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: index.add(f"{number}.png", entry(number)), range(100)))
    index.close()
    assert len(read_index(tmp_path / NAME)) == 100


def test_the_first_entry_is_written_at_once_and_the_last_is_never_forgotten(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.add("a.png", entry(1))
    assert read_index(tmp_path / NAME) == {"a.png": entry(1)}
    index.add("b.png", entry(2))
    index.close()
    assert read_index(tmp_path / NAME) == {"a.png": entry(1), "b.png": entry(2)}


def test_names_that_are_no_unicode_are_kept(tmp_path: Path) -> None:
    name = b"caf\xe9 \x1b[31m.png".decode(errors="surrogateescape")
    index = Index(tmp_path)
    index.add(name, entry(1))
    assert read_index(tmp_path / NAME) == {name: entry(1)}
