"""Checks judge what they saw, without a server."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.client import State, VersionStatus
from impasto.client.checking import Outcome
from impasto.client.checking.disk_checks import judged_release, read_version
from impasto.client.checking.invariants import differences
from impasto.client.checking.model_checks import judged_warm, versions
from impasto.client.checking.samples import CannotInvent, invented
from impasto.client.model import SignatureInfo, TensorInfo

PIXELS = np.arange(250, dtype=np.uint8)
FLOATS = np.linspace(-1, 1, 200, dtype=np.float32)


def changed(array: NDArray[np.generic], by: float, *, values: int = 1) -> NDArray[np.generic]:
    """The array with its first values changed."""
    other = array.copy()
    other[:values] = (array[:values].astype(np.float64) + by).astype(array.dtype)
    return other


@pytest.mark.parametrize(
    ("expected", "found", "allowed"),
    [
        (PIXELS, PIXELS.copy(), None),
        (PIXELS, changed(PIXELS, 3, values=80), True),  # stylize with TF32
        (PIXELS, changed(PIXELS, 5, values=80), False),  # the mean
        (PIXELS, changed(PIXELS, 90, values=2), True),
        (PIXELS, changed(PIXELS, 60, values=4), False),
        (FLOATS, changed(FLOATS, 0.0075, values=200), True),  # dream's first step with TF32
        (FLOATS, changed(FLOATS, 0.03, values=200), False),
        (FLOATS, changed(FLOATS, np.nan), False),
        (np.float32(1e9), np.float32(1.01e9), True),
        (np.float32(1e9), np.float32(1.03e9), False),
        (FLOATS.astype(np.float64), changed(FLOATS.astype(np.float64), 1e-5, values=9), False),
        (np.array([np.inf, 1.0], np.float32), np.array([np.inf, 1.001], np.float32), True),
        (np.int32(3), np.int32(4), False),
        (np.array([b"cat"], object), np.array([b"dog"], object), False),
        (PIXELS, PIXELS.astype(np.int32), False),
        (PIXELS, PIXELS[:-1], False),
        (np.zeros(0, np.uint8), np.zeros(0, np.uint8), None),
        (np.zeros(3, np.float32), -np.zeros(3, np.float32), None),
    ],
)
def test_outputs_are_equal_or_as_near_as_another_processor_makes_them_or_wrong(
    expected: NDArray[np.generic], found: NDArray[np.generic], allowed: bool | None
) -> None:
    told = list(differences({"y": np.asarray(expected)}, {"y": np.asarray(found)}))
    assert [difference.is_allowed for difference in told] == ([] if allowed is None else [allowed])


def test_an_output_that_is_missing_or_new_is_a_difference() -> None:
    told = list(differences({"a": PIXELS}, {"b": PIXELS}))
    assert [(one.words, one.is_allowed) for one in told] == [
        ("a is missing", False),
        ("b is not expected", False),
    ]


@pytest.mark.parametrize(
    ("first", "later", "outcome"),
    [(9.0, 0.1, Outcome.WARN), (0.3, 0.01, Outcome.PASS), (60.0, 50.0, Outcome.PASS)],
)
def test_a_first_call_that_takes_seconds_more_than_the_next_one_was_not_warmed_up(
    first: float, later: float, outcome: Outcome
) -> None:
    finding = judged_warm(first, later, "ascend")
    assert finding.outcome is outcome
    assert ("--enable_model_warmup" in finding.remedy) == (outcome is Outcome.WARN)


@pytest.mark.parametrize(
    ("exporter", "server", "outcome"),
    [
        ("2.21.0", "2.21.0-gpu", Outcome.PASS),
        ("2.9.1", "2.21.0", Outcome.PASS),
        ("2.21.1", "2.21.0", Outcome.PASS),
        ("2.21.0", "2.20.0", Outcome.WARN),
        ("3.0", "2.21.0", Outcome.WARN),
        ("2.21.0", "", Outcome.SKIP),
        (None, "2.21.0", Outcome.SKIP),
    ],
)
def test_an_exporter_must_not_be_newer_than_the_server(
    exporter: str | None, server: str, outcome: Outcome
) -> None:
    assert judged_release(exporter, server).outcome is outcome


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([(2, State.AVAILABLE, ""), (1, State.END, "")], Outcome.PASS),
        ([(3, State.LOADING, ""), (2, State.AVAILABLE, "")], Outcome.WARN),
        ([(3, State.END, "DATA_LOSS: torn"), (2, State.AVAILABLE, "")], Outcome.WARN),
        ([(3, State.LOADING, "")], Outcome.FAIL),
        ([], Outcome.FAIL),
    ],
)
def test_a_version_that_does_not_load_is_named_beside_the_one_that_serves_on(
    states: list[tuple[int, State, str]], outcome: Outcome
) -> None:
    finding = versions([VersionStatus(*state) for state in states])
    assert finding.outcome is outcome
    assert all(state[2] in finding.words for state in states)


def test_inputs_are_made_up_of_what_the_metadata_says() -> None:
    infos = (
        TensorInfo("picture", "float32", (None, None, None, 3)),
        TensorInfo("batch", "int64", (None, 7)),
        TensorInfo("text", "string", ()),
        TensorInfo("free", "bool", None),
        TensorInfo("left_out", "DT_RESOURCE", (), np.zeros(1)),
    )
    values = invented(SignatureInfo("any", {info.name: info for info in infos}, {}))
    assert {name: (array.dtype.name, array.shape) for name, array in values.items()} == {
        "picture": (
            "float32",
            (1, 224, 224, 3),
        ),  # smaller ones can end a server whose network needs them so large
        "batch": ("int64", (1, 7)),
        "text": ("object", ()),
        "free": ("bool", (1,)),
    }
    assert 0 <= values["picture"].min() < 0.2 and 0.8 < values["picture"].max() <= 1


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("DT_RESOURCE", ()), ("qint8", (1,)), ("float32", (1 << 40,)), ("float32", (1,) * 100)],
)
def test_what_cannot_be_sent_is_not_made_up(dtype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CannotInvent, match="'x'"):
        invented(SignatureInfo("any", {"x": TensorInfo("x", dtype, shape)}, {}))


@pytest.mark.parametrize("name", ["..", "a/b", "nul\0"])
def test_a_model_whose_name_leaves_the_repository_has_no_files_there(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = read_version(tmp_path_factory.getbasetemp(), [], name, 1)
    assert found.manifest is None and "is no folder's name" in found.problem
