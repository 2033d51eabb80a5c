"""The reference is made from docstrings: they name every argument, what comes back and what goes wrong."""

from __future__ import annotations

import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import impasto.client

MODULES = (Path(__file__).parents[2] / "docs" / "reference-modules.txt").read_text().split()


def public_classes() -> Iterator[tuple[str, type]]:
    for name in impasto.client.__all__:
        member = getattr(impasto.client, name)
        if inspect.isclass(member):
            yield name, member


def public_functions() -> Iterator[tuple[str, Any]]:
    for name in impasto.client.__all__:
        member = getattr(impasto.client, name)
        if inspect.isfunction(member):
            yield name, member
    for name, kind in public_classes():
        for method, member in inspect.getmembers(kind, inspect.isfunction):
            if not method.startswith("_") and member.__module__.startswith("impasto"):
                yield f"{name}.{method}", member


@pytest.mark.parametrize(("name", "kind"), list(public_classes()))
def test_every_class_and_property_says_what_it_is(name: str, kind: type) -> None:
    assert inspect.getdoc(kind), name
    for attribute, member in inspect.getmembers(kind, lambda value: isinstance(value, property)):
        assert attribute.startswith("_") or member.__doc__, f"{name}.{attribute}"


@pytest.mark.parametrize(
    ("name", "function"), [entry for entry in public_functions() if not entry[0].startswith("AsyncClient.")]
)
def test_every_function_names_its_arguments_and_what_goes_wrong(name: str, function: Any) -> None:
    text = inspect.getdoc(function) or ""
    assert text, name
    if len(text.splitlines()) == 1:  # one sentence says it all
        return
    for argument in inspect.signature(function).parameters.values():
        if argument.name in ("self", "cls"):
            continue
        stars = "**" if argument.kind is argument.VAR_KEYWORD else ""
        documented = re.search(rf"^    {re.escape(stars + argument.name)}: ", text, re.M)
        mentioned = re.search(rf"`{argument.name}`", text)
        assert documented or mentioned, f"{name}: {argument.name}"
    if not name.startswith(
        ("Client.map", "zoom_in", "StyleVector", "DreamProgress", "LongProgress", "TransferProgress")
    ):
        assert "Raises" in text or "raise" in text.lower(), name


@pytest.mark.parametrize(
    ("name", "function"), [entry for entry in public_functions() if entry[0].startswith("AsyncClient.")]
)
def test_every_method_of_the_asynchronous_client_leads_to_the_other_ones(name: str, function: Any) -> None:
    text = inspect.getdoc(function) or ""
    method = name.partition(".")[2]
    assert f"`Client.{method}`" in text or "Args:" in text or method == "close", name


def test_the_reference_is_made_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pdoc",
            "--docformat",
            "google",
            "--output-directory",
            str(tmp_path),
            *MODULES,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Warn" not in done.stderr
    page = (tmp_path / "impasto" / "client.html").read_text()
    for name in impasto.client.__all__:
        assert f'id="{name}"' in page, name
    assert "uint8 array" in page
    for client, verb in itertools.product(
        ("Client", "AsyncClient"), ("dream", "stylize", "transfer", "upscale")
    ):
        assert f'id="{client}.{verb}"' in page, f"{client}.{verb} is not there"
    assert "ratio of one octave" in page
