"""A browser, and `impasto studio` in front of a model server with a toy of each kind, once for each file of tests.

Without Debian's chromium or playwright the tests are skipped, unless IMPASTO_TEST_BROWSER says that they must be there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import studios
from browsing.studios import Studio
from servers.model_servers import ServerProcess, server_process

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
"""Milliseconds for what a busy machine may be slow at."""


def _why_not() -> str | None:
    if CHROMIUM is None:
        return "no chromium is installed; `apt-get install chromium` brings one"
    try:
        import playwright.sync_api  # noqa: F401 - whether it is there
    except ImportError:
        return "playwright is not installed; `pip install --group dev` brings it"
    return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless chromium. Its module imports nothing of playwright where there is none."""
    reason = _why_not()
    if reason is not None and "IMPASTO_TEST_BROWSER" not in os.environ:
        pytest.skip(reason)
    assert reason is None, reason
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def models(
    browser: Browser,
    upscaler_repository: Path,
    stylize_repository: Path,
    dream_repository: Path,
    transfer_repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A repository with a toy of each kind."""
    together = tmp_path_factory.mktemp("studio") / "models"
    together.mkdir()
    for repository in (upscaler_repository, stylize_repository, dream_repository, transfer_repository):
        for model in repository.iterdir():
            if model.is_dir() and not model.name.startswith(".") and model.name != "constant":
                name = (
                    "upscaler-small" if model.name == "enlarger" else model.name
                )  # one that Studio asks for
                shutil.copytree(model, together / name)
    return together


@pytest.fixture(scope="module")
def model_server(models: Path) -> Iterator[ServerProcess]:
    """The model server, a process that tests may kill."""
    with server_process(models) as server:
        yield server


@pytest.fixture(scope="module")
def start_studio(model_server: ServerProcess) -> Iterator[Callable[..., Studio]]:
    """Starts a Studio with further words of its command line."""
    with contextlib.ExitStack() as started:

        def start(*arguments: str) -> Studio:
            studio = studios.start_studio(*arguments, server=model_server.address)
            started.callback(studio.stop)
            return studio

        yield start


@pytest.fixture(scope="module")
def studio(start_studio: Callable[..., Studio]) -> Studio:
    """The Studio that most tests share."""
    return start_studio()


@pytest.fixture
def visit(browser: Browser, studio: Studio) -> Iterator[Callable[..., Page]]:
    """Opens a part of the page in a browser of its own. Whatever a test does, the page throws no error.

    Its arguments are the part, and what browsers may be told, such as a viewport; `at` is another Studio, `beside` a
    page to whose person the new tab belongs.
    """
    contexts: list[Any] = []
    errors: list[str] = []

    def open_page(
        part: str = "upscale", *, at: Studio = studio, beside: Page | None = None, **options: Any
    ) -> Page:
        context = (
            beside.context
            if beside
            else browser.new_context(**{"viewport": {"width": 1280, "height": 840}, **options})
        )
        if not beside:
            contexts.append(context)
            context.on("request", lambda request: at.note(request.method, request.url))
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None,
        )
        page.goto(f"{at.url}#{part}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert studio.foreign == []
