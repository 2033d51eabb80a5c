"""`impasto studio` as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from impasto.client.cli import exit_codes, run

COMMAND = [sys.executable, "-m", "impasto.client", "studio", "--server", "127.0.0.1:9"]


def test_it_tells_its_address_serves_the_page_and_ends_by_ctrl_c() -> None:
    environment = {**os.environ, "IMPASTO_CLIENT_CONFIG": os.devnull}
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"Studio" in page.read()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    assert out == ""
    assert said == (f"impasto: Studio is at {address}, with the models of 127.0.0.1:9; Ctrl-C ends it\n")


def test_a_port_that_is_taken_and_a_token_that_is_too_short_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["studio", "--port", str(port)]) == exit_codes.USAGE
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
    assert run(["studio", "--token", "short"]) == exit_codes.USAGE
    assert "at least 8 signs" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert run(["studio"]) == exit_codes.USAGE
    assert (
        capsys.readouterr().err == f"impasto: Studio needs {missing}: pip install 'impasto-client[studio]'\n"
    )


def test_neither_the_client_nor_the_other_commands_import_what_only_the_page_needs() -> None:
    script = (
        "import sys, impasto.client, impasto.client.cli as cli\n"
        "from impasto.client.cli import upscale, studio\n"
        "print(*(name for name in sys.modules if name.startswith(('starlette', 'uvicorn', 'anyio'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
