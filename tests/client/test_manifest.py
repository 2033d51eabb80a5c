from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impasto.client.repository.manifest import FileRecord, Manifest, ManifestError

FULL = Manifest(
    model="srcnn",
    created="2026-01-02T03:04:05Z",
    tensorflow="2.21.0",
    impasto="0.1.0",
    contract="upscale",
    signatures=("serving_default",),
    source={"preset": "residual", "photos": [{"name": "Größe", "licence": "CC0"}]},
    figures={"gain": 1.25},
    files={"variables/variables.index": FileRecord("ab" * 32, 7), "saved_model.pb": FileRecord("cd" * 32, 9)},
    copy_of=3,
    rolled_back_from=5,
)


def test_what_is_written_is_read_back_equal() -> None:
    assert Manifest.from_json(FULL.to_json()) == FULL


def test_fields_of_a_later_release_survive_reading_and_writing() -> None:
    data = json.loads(FULL.to_json()) | {"signed_by": {"key": "k"}}
    manifest = Manifest.from_json(json.dumps(data))
    assert manifest.extra == {"signed_by": {"key": "k"}}
    assert json.loads(manifest.to_json()) == data


def test_the_same_manifest_gives_the_same_bytes_whatever_the_order_of_its_files() -> None:
    reordered = replace(FULL, files=dict(reversed(list(FULL.files.items()))))
    assert reordered.to_json() == FULL.to_json()


def test_created_is_the_time_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", Manifest(model="toy").created)


def test_created_is_source_date_epoch_where_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert Manifest(model="toy").created == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("value", ["", "yesterday", "1.5", "9" * 30])
def test_a_source_date_epoch_that_is_no_date_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(ManifestError, match="SOURCE_DATE_EPOCH"):
        Manifest(model="toy")


def test_the_versions_of_tensorflow_and_impasto_are_filled_in() -> None:
    manifest = Manifest(model="toy")
    assert manifest.tensorflow is not None and manifest.tensorflow.startswith("2.")
    assert manifest.impasto is not None


@pytest.mark.parametrize("value", [np.float32(1.5), float("nan"), Path("x"), {"a": {1, 2}}])
def test_a_value_that_is_not_json_names_its_field(value: object) -> None:
    with pytest.raises(ManifestError, match=r"'figures'.*finite"):
        Manifest(model="toy", figures={"gain": value}).to_json()


@pytest.mark.parametrize("text", ["", "{", "[]", '"srcnn"', "{}"])
def test_text_that_is_no_manifest_is_refused_with_the_name_of_its_file(text: str) -> None:
    with pytest.raises(ManifestError, match="models/toy/1/manifest"):
        Manifest.from_json(text, where="models/toy/1/manifest.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 1),
        ("created", None),
        ("signatures", "serving_default"),
        ("signatures", [1]),
        ("source", []),
        ("files", [1]),
        ("copy_of", "3"),
        ("copy_of", True),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: object) -> None:
    data = json.loads(FULL.to_json()) | {field: value}
    with pytest.raises(ManifestError, match=f"'{field}'"):
        Manifest.from_json(json.dumps(data))


@pytest.mark.parametrize("record", [None, {}, {"sha256": "ab"}, {"sha256": "ab", "size": "7"}])
def test_a_broken_file_record_is_named(record: object) -> None:
    data = json.loads(FULL.to_json()) | {"files": {"saved_model.pb": record}}
    with pytest.raises(ManifestError, match=r"saved_model\.pb"):
        Manifest.from_json(json.dumps(data))


@pytest.mark.parametrize("path", ["/etc/passwd", "../2/saved_model.pb", "a/../../b", "", ".", "a//b", "./a"])
def test_a_file_path_that_leaves_the_version_is_refused(path: str) -> None:
    data = json.loads(FULL.to_json()) | {"files": {path: {"sha256": "ab", "size": 1}}}
    with pytest.raises(ManifestError, match="stay inside the version"):
        Manifest.from_json(json.dumps(data))


def test_a_missing_manifest_says_which(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=re.escape(str(tmp_path / "manifest.json"))):
        Manifest.read(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="cannot be read"):
        Manifest.read(tmp_path)
