"""What the client needs, what it may not need, and how the three distributions share one namespace."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import grpc
import numpy as np
import pytest

from scripted.client_servers import metadata as described
from scripted.client_servers import prediction, scripted, status

ROOT = Path(__file__).resolve().parents[2]


def requirements(extra: str | None = None) -> set[str]:
    """The names that impasto-client requires, with or without an extra."""
    found = set()
    for line in metadata.requires("impasto-client") or []:
        requirement, _, marker = line.partition(";")
        if ("extra" in marker) == (extra is not None) and (extra is None or extra in marker):
            found.add(re.split(r"[^\w.-]", requirement.strip())[0].lower())
    return found


def test_the_client_requires_three_packages_and_on_python_3_10_a_reader_of_toml() -> None:
    assert requirements() - {"tomli"} == {"grpcio", "numpy", "pillow"}
    assert all("3.11" in line for line in metadata.requires("impasto-client") or [] if "tomli" in line)


def test_the_command_line_is_an_extra() -> None:
    assert requirements("cli") == {"click", "rich", "isal"}


def test_what_packs_pngs_fast_is_required_only_where_it_need_not_be_built() -> None:
    lines = [line for line in metadata.requires("impasto-client") or [] if line.startswith("isal")]
    assert len(lines) == 3  # with the command line, with Studio, and for programs of their own
    assert all("platform_machine in" in line for line in lines)
    assert requirements("fast") == {"isal"}


def test_studio_is_an_extra_that_brings_the_command_line() -> None:
    assert requirements("studio") == {"click", "rich", "isal", "starlette", "uvicorn"}


def test_videos_are_an_extra() -> None:
    assert requirements("video") == {"av"}


def test_opentelemetrys_api_is_an_extra_and_its_sdk_the_programs_own() -> None:
    assert requirements("otel") == {"opentelemetry-api"}


def test_nothing_that_the_client_requires_leads_to_tensorflow() -> None:
    seen: set[str] = set()
    waiting = {name for name in requirements() | requirements("cli") if is_installed(name)}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for line in metadata.requires(name) or []:
            if "extra" not in line.partition(";")[2]:
                needed = re.split(r"[^\w.-]", line.strip())[0].lower()
                if needed not in seen and is_installed(needed):
                    waiting.add(needed)
    assert not {name for name in seen if "tensorflow" in name or name in ("tf-keras", "keras")}


def is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_imports_neither_tensorflow_nor_protobuf_nor_the_command_lines_packages() -> None:
    loaded = set(run("import sys, impasto.client; print(*sys.modules)").split())
    assert "grpc" in loaded
    assert not loaded & {"tensorflow", "tensorflow_serving", "google.protobuf", "click", "rich", "ml_dtypes"}
    assert "opentelemetry" not in loaded


@pytest.mark.parametrize(
    "module",
    [
        "PIL.ImageCms",
        "isal",
        "zipfile",
        "impasto.client._models.dream.ascent",
        "impasto.client._models.transfer.painting",
        "impasto.client._models.upscale.passes",
    ],
)
def test_what_few_programs_or_only_begun_jobs_need_is_not_imported_with_the_client(module: str) -> None:
    told = run(f"import sys, impasto.client; print({module!r} in sys.modules); import {module}")
    assert told == "False\n"


def test_the_command_line_imports_neither_tensorflow_nor_protobuf() -> None:
    loaded = set(run("import sys, impasto.client.cli; print(*sys.modules)").split())
    assert "click" in loaded
    assert not loaded & {"tensorflow", "tensorflow_serving", "google.protobuf"}


ALONE = """
import importlib.util, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path and "src" not in path] + [sys.argv[1]]
assert not [name for name in ("tensorflow", "google", "impasto.serving") if importlib.util.find_spec(name)]
from impasto.client import Client
with Client(sys.argv[2]) as client:
    assert client.predict("m", {})["y"].tolist() == [7]
    assert list(client.metadata("m").signatures) == ["serving_default"]
    assert client.status("m")[0].error == "corrupt graph"
assert not [name for name in sys.modules if name.startswith(("google", "tensorflow"))]
"""


def test_beside_nothing_but_what_it_requires_the_client_calls_a_server(tmp_path: Path) -> None:
    (tmp_path / "impasto").symlink_to(ROOT / "client" / "src" / "impasto")
    for name in {*requirements(), "typing-extensions"} - {"tomli"}:  # grpcio requires typing-extensions
        for entry in {file.parts[0] for file in metadata.files(name) or []} - {"..", "__pycache__"}:
            (tmp_path / entry).symlink_to(Path(str(metadata.distribution(name).locate_file(entry))))

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        method = server.methods[-1].rpartition("/")[2]
        return {
            "Predict": prediction(y=np.array([7], np.uint8)),
            "GetModelMetadata": described("serving_default"),
            "GetModelStatus": status(1, 50, "corrupt graph"),
        }[method]

    with scripted(answer) as server:
        alone = [sys.executable, "-I", "-S", "-c", ALONE, str(tmp_path), server.address]
        subprocess.run(alone, check=True)


def test_importing_the_client_quiets_grpcs_own_log_unless_someone_wants_it() -> None:
    show = "import os, impasto.client; print(os.environ['GRPC_VERBOSITY'])"
    assert run(show) == "ERROR\n"
    assert run("import os; os.environ['GRPC_VERBOSITY'] = 'DEBUG'; " + show) == "DEBUG\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_the_command_says_what_to_install(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None\nfrom impasto.client.__main__ import main\nmain()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"impasto: the command line needs {missing}: pip install 'impasto-client[cli]'\n"


@pytest.mark.parametrize("folder", ["client", "export", "serving"])
def test_the_namespace_package_has_no_init_file_that_would_hide_its_siblings(folder: str) -> None:
    package = ROOT / folder / "src" / "impasto"
    assert (package / folder / "__init__.py").is_file()
    assert not (package / "__init__.py").exists()


def test_the_client_ships_its_types_and_no_generated_code() -> None:
    package = ROOT / "client" / "src" / "impasto" / "client"
    assert (package / "py.typed").is_file()
    assert not [path for path in package.rglob("*") if path.name.endswith((".proto", "_pb2.py", "_pb2.pyi"))]
