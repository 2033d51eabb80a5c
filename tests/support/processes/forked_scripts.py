"""Processes that are forked from one that has imported TensorFlow: the import takes seconds each time."""

from __future__ import annotations

import functools
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType
from typing import Final
from unittest import mock

QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "3"}

# A process with threads cannot be forked soundly, and NumPy's OpenBLAS starts some as it is imported. TensorFlow and
# gRPC start theirs with the first session and the first server, which only the forked processes have.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}

# Without load_probe: test_load_check.py knows the process that it kills by that word in its command line.
_IMPORTED: Final = ["impasto.serving.cli", "impasto.serving.local.core", "impasto.serving.local.handlers"]


@functools.cache
def forking() -> ForkServerContext:
    """The context whose processes are forked. Their parent is started once for each process of tests."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    with mock.patch.dict(os.environ, {**QUIET, **_ONE_THREAD}):
        forkserver.ensure_running()
    return context


def run_forked_script(module: ModuleType | str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a module as a program to its end, as `run_script` does, in a forked process.

    Args:
        module: what to run, which imports TensorFlow; its name will do.
        arguments: words of its command line.
    """
    name = module if isinstance(module, str) else module.__name__
    words = [name, *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        process = forking().Process(target=_run, args=(words, files, dict(os.environ)))
        process.start()
        try:
            process.join()
        finally:
            process.kill()
        said = [file.read_text() if file.exists() else "" for file in files]
    assert process.exitcode is not None
    return subprocess.CompletedProcess(words, process.exitcode, *said)


def redirect(*files: Path) -> None:
    """Let standard output and standard error go to a file each, at its end."""
    for stream, path in zip((sys.stdout, sys.stderr), files, strict=True):
        with path.open("ab") as file:
            os.dup2(file.fileno(), stream.fileno())


def take_environment(environment: dict[str, str]) -> None:
    """Replace the environment, in which the parent of the forked processes was started."""
    os.environ.clear()
    os.environ.update(environment)


def _run(words: list[str], files: list[Path], environment: dict[str, str]) -> None:
    """Runs in the forked process."""
    take_environment(environment)
    redirect(*files)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
