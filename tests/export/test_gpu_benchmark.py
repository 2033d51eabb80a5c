"""`make bench-gpu` on a processor: that it says why it is skipped, and what its table says of what needs none."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

SCRIPT = Path(__file__).parents[2] / "export" / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    """The script as a module."""
    sys.path.insert(0, str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(SCRIPT.parent))
    del sys.modules[spec.name]


@pytest.fixture
def without_gpu(benchmark: Any) -> None:
    if benchmark.gpus():
        pytest.skip("this machine has a GPU, where the benchmark is not skipped")


@pytest.mark.usefixtures("without_gpu")
def test_without_a_gpu_it_says_why_it_is_skipped(benchmark: Any, exported: Path) -> None:
    result = CliRunner().invoke(benchmark.main, ["--models", str(exported)])
    assert (result.exit_code, result.output.count("\n")) == (0, 1)
    assert "skipped: TensorFlow sees no GPU here" in result.output


@pytest.mark.usefixtures("without_gpu")
def test_on_a_processor_every_model_is_measured_repeats_and_chunks_equal_one_call(
    benchmark: Any, exported: Path
) -> None:
    words = ["--models", str(exported), "--processor", "--size", "64", "--runs", "1"]
    words += ["--server", "--ready", "--json"]
    result = CliRunner().invoke(benchmark.main, words, catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["device"] == "processor"
    rows = {row["model"]: row for row in told["rows"]}
    assert rows.keys() == {"srcnn", "stylize", "dream", "transfer"}
    for name, row in rows.items():
        assert row["failed"] == ""
        assert row["first"] > 0 and row["wall"] > 0 and row["served"] > 0 and row["ready"] > 0
        assert row["repeats"] is True
        assert row["chunks"] is (True if name in ("dream", "transfer") else None)
        assert row["trace"] is None and row["peak"] is None


def test_what_a_card_did_is_told(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    trace = benchmark.Trace(20.0, 254, 3, card={"Conv2D": 14.3}, host={"Cast": 0.2})
    benchmark.show([benchmark.Row("dream", 512, wall=30.0, trace=trace, repeats=True, peak=658_000_000)])
    told = " ".join(capsys.readouterr().out.split())
    assert "dream 512 0.0 30.0 20.0 1.50 - - yes - 658 254 kernels, 3 copies between host and card" in told
    assert told.endswith("on the card: Conv2D 14.3 ms on the host: Cast 0.2 ms")


def test_a_card_that_may_not_be_traced_is_measured_all_the_same(
    benchmark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.show([benchmark.Row("dream", 512, wall=30.0, trace=benchmark.Trace(0.0, 0, 0, {}, {}))])
    assert "dream 512 0.0 30.0 0.0 - - -" in " ".join(capsys.readouterr().out.split())
