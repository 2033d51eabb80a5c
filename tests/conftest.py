"""Fixtures that every test may use: toy models, and real servers over them."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from processes.leftovers import pytest_runtest_call  # noqa: F401 - a hook, which pytest finds here
from servers import model_servers
from servers.model_servers import TYPED, ModelServer, serving
from toys.shared_folders import shared_folder

if TYPE_CHECKING:
    from servers.official_stubs import OfficialClient
    from toys.dream_calls import Predict
    from toys.transfer_models import TransferCalls

# TensorFlow reads this when it is imported. The fixtures import it, so that tests of the client alone do without.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# TensorFlow shares each operation among threads, which costs the toys' small tensors more processor time than the
# operations themselves, and the tests run in several processes as it is. Servers that tests start inherit this; those
# of e2e/test_replica_faults.py share their work among two.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# As the local server has it: TensorFlow keeps the memory of its tensors for the next ones.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

# No test reads the configuration file of the person who runs it.
os.environ["XDG_CONFIG_HOME"] = os.devnull

# A runner that starts tests in the background leaves SIGINT ignored, which the processes that tests start and
# interrupt would inherit; a signal that is caught is back at its default in them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what the real servers said when a test fails."""
    report = yield
    if report.failed:
        report.sections.extend(model_servers.logs())
    return report


def pytest_collection_finish() -> None:
    """Spares the garbage collector what the whole run keeps: the tests, and what TensorFlow imports.

    Building TensorFlow's graphs makes so many objects that it would look through all of those again and again. It waits
    for more new ones, too, which saves some hundredths of all processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the real server for what claims nothing about it.

    A module says why in LOCAL_SERVER_ONLY, a test or a case of one by the mark `local_server_only`.
    """

    def is_left_out(item: pytest.Item) -> bool:
        callspec = getattr(item, "callspec", None)
        is_real = callspec is not None and callspec.params.get("server_kind") == "real"
        says_so = hasattr(getattr(item, "module", None), "LOCAL_SERVER_ONLY")
        return is_real and (says_so or item.get_closest_marker("local_server_only") is not None)

    left_out = [item for item in items if is_left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not is_left_out(item)]


REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", params=model_servers.KINDS)
def server_kind(request: pytest.FixtureRequest) -> str:
    """`local` and `real` in turn: a test that uses it, or a server of this file, runs on both."""
    return str(request.param)


Start = Callable[..., "ModelServer"]


@pytest.fixture(scope="session")
def start_once() -> Iterator[Start]:
    """Starts a server, once for each kind and repository; the arguments are those of `serving`.

    A fixture that depends on `server_kind` ends where tests of the other kind begin, which is twice in each file. What
    a model's first calls build in its server would be built anew each time, and takes longer than most tests.
    """
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(kind: str, models: Path, only: tuple[str, ...] = (), **changes: Any) -> ModelServer:
            return stack.enter_context(serving(kind, models, only=only, **changes))

        yield start


@pytest.fixture(scope="session")
def toy_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with every toy model; `constant` has versions 1, 2 and 10."""
    from toys import toy_models

    def fill(root: Path) -> None:
        for write in (
            toy_models.add,
            toy_models.asserting,
            toy_models.defaults,
            toy_models.echo,
            toy_models.half_plus_two,
            toy_models.slow,
            toy_models.variable,
            toy_models.variant,
        ):
            write(root)
        for version in (1, 2, 10):
            toy_models.constant(root, version)

    return shared_folder(tmp_path_factory, "toys", fill)


@pytest.fixture(scope="session")
def toy_server(start_once: Start, toy_repository: Path, server_kind: str) -> ModelServer:
    """A running server over the toy models; answers carry typed fields, as by default."""
    return start_once(server_kind, toy_repository, **TYPED)


@pytest.fixture(scope="session")
def official(toy_server: ModelServer) -> Iterator[OfficialClient]:
    """The official stubs, connected to the toy server."""
    from servers.official_stubs import official_client

    with official_client(toy_server.address) as client:
        yield client


@pytest.fixture(scope="session")
def committed_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository that is committed with the project, without what a demonstration has added."""
    models = tmp_path_factory.mktemp("committed") / "models"
    for model in ("srcnn", *(path.name for path in (REPOSITORY / "models").glob("upscaler-*"))):
        shutil.copytree(REPOSITORY / "models" / model, models / model, ignore=shutil.ignore_patterns(".lock"))
    return models


@pytest.fixture(scope="session")
def committed_server(start_once: Start, committed_models: Path, server_kind: str) -> ModelServer:
    """A running server over the committed srcnn."""
    return start_once(server_kind, committed_models, only=("srcnn",))


@pytest.fixture(scope="session")
def upscaler_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with `enlarger`, an upscaler by 3 and 4, and `constant`, which is none; version 1."""
    from toys import toy_models, toy_upscalers

    def fill(root: Path) -> None:
        toy_upscalers.write_enlarger(root)
        toy_models.constant(root, 1)

    return shared_folder(tmp_path_factory, "upscalers", fill)


@pytest.fixture(scope="session")
def upscaler_server(start_once: Start, upscaler_repository: Path, server_kind: str) -> ModelServer:
    """A running server over the toy upscaler and `constant`."""
    return start_once(server_kind, upscaler_repository)


@pytest.fixture(scope="session")
def dream_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with a tiny dream model, version 1."""
    from toys import dream_models

    return shared_folder(tmp_path_factory, "dreams", dream_models.write_dream)


@pytest.fixture(scope="session")
def dream_server(start_once: Start, dream_repository: Path, server_kind: str) -> ModelServer:
    """A running server over the tiny dream model."""
    return start_once(server_kind, dream_repository)


@pytest.fixture(scope="session")
def dream_calls(dream_server: ModelServer) -> Iterator[Predict]:
    """Calls to the tiny dream model through the official stubs."""
    from toys.dream_calls import calls_to

    with calls_to(dream_server) as predict:
        yield predict


@pytest.fixture(scope="session")
def stylize_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with a tiny stylizer, version 1."""
    from toys import tiny_stylizer

    return shared_folder(tmp_path_factory, "stylizers", tiny_stylizer.publish_tiny)


@pytest.fixture(scope="session")
def stylize_server(start_once: Start, stylize_repository: Path, server_kind: str) -> ModelServer:
    """A running server over the tiny stylizer."""
    return start_once(server_kind, stylize_repository)


@pytest.fixture(scope="session")
def transfer_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with a narrow transfer model, version 1."""
    from toys import transfer_models

    return shared_folder(tmp_path_factory, "transfers", transfer_models.write_transfer)


@pytest.fixture(scope="session")
def transfer_server(start_once: Start, transfer_repository: Path, server_kind: str) -> ModelServer:
    """A running server over the narrow transfer model."""
    return start_once(server_kind, transfer_repository)


@pytest.fixture(scope="session")
def transfer_calls(transfer_server: ModelServer) -> Iterator[TransferCalls]:
    """Calls to the narrow transfer model through the official stubs."""
    from servers.official_stubs import official_client
    from toys.transfer_models import TransferCalls

    with official_client(transfer_server.address) as client:
        yield TransferCalls(client)


@pytest.fixture(scope="session")
def bfloat16_convolutions() -> None:
    """Skip a test that convolves in bfloat16 where oneDNN refuses to.

    TensorFlow hands these convolutions over by what the processor has; oneDNN goes by what ONEDNN_MAX_CPU_ISA leaves
    of it. A processor without AVX-512 is not concerned: there TensorFlow convolves without oneDNN.
    """
    import tensorflow as tf

    try:
        tf.nn.conv2d(tf.ones([1, 8, 8, 4], tf.bfloat16), tf.ones([3, 3, 4, 4], tf.bfloat16), 1, "SAME")
    except tf.errors.AbortedError as error:
        pytest.skip(f"ONEDNN_MAX_CPU_ISA keeps oneDNN from bfloat16: {error.message}")
