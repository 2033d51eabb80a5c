"""What compose starts: healthy, confined, and reached by nobody but whom docs/rest.md names."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from containers.compose_stack import STUDIO_TOKEN, USER, Stack, kill_from_outside
from images.pictures import pixels, save
from impasto.client import Client, Dream
from processes.studio_process import Browser

pytestmark = pytest.mark.timeout(900)  # images, starts and restarts, on a machine that may be busy


def status_of_process_one(stack: Stack) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s*(.*)$", stack.inside("serving", "cat /proc/1/status"), re.MULTILINE))


def test_the_server_is_healthy_by_its_own_check(stack: Stack) -> None:
    (container,) = stack.containers("serving")
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["State"]["Health"]["Log"][-1]["ExitCode"] == 0


def test_a_health_check_that_asks_for_a_model_which_is_not_there_fails(stack: Stack) -> None:
    config = "model_config_list { config { name: 'nope' } }"
    said = stack.inside(
        "serving",
        f'echo "{config}" > /tmp/c; bash /opt/impasto/health.sh /tmp/c 2>&1 || true',
    )
    assert "nope has no available version" in said


def test_the_server_runs_as_the_user_that_was_asked_for_without_capabilities(stack: Stack) -> None:
    status = status_of_process_one(stack)
    assert status["Uid"].split() == [str(USER)] * 4
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"


def test_the_server_is_process_one_and_limited(stack: Stack) -> None:
    assert "--rest_api_port=8501" in stack.inside("serving", "tr '\\0' '\\n' < /proc/1/cmdline").splitlines()
    (container,) = stack.containers("serving")
    assert container["HostConfig"]["Memory"] == 16 * 2**30
    assert container["HostConfig"]["PidsLimit"] == 4096


@pytest.mark.parametrize(
    "path", ["/new", "/models/new", "/config/new", "/opt/impasto/health.sh", "/usr/bin/cat"]
)
def test_nothing_can_be_written_but_tmp_and_the_socket(stack: Stack, path: str) -> None:
    said = stack.inside(
        "serving",
        f"touch {path} 2>&1 && echo written; touch /tmp/by-a-test /run/impasto/by-a-test && echo ok",
    )
    assert "written" not in said
    assert said.splitlines()[-1] == "ok"


def test_a_job_of_the_command_line_runs_through_the_published_port(stack: Stack, tmp_path: Path) -> None:
    photo, large = tmp_path / "photo.png", tmp_path / "large.png"
    save(photo, pixels(60, 90))
    command = [sys.executable, "-m", "impasto.client", "upscale", str(photo), "-o", str(large)]
    subprocess.run([*command, "--server", stack.address], check=True)
    assert np.asarray(Image.open(large)).shape == (120, 180, 3)


def test_a_job_of_the_exporters_runs_through_the_socket(stack: Stack) -> None:
    assert "AVAILABLE" in stack.export("impasto", "status", "srcnn")
    assert "srcnn" in stack.export("impasto-export", "repository", "list", "--models", "models")


def reached(stack: Stack, service: str, port: int) -> bool:
    """Whether a container of `service` can open a connection to a container of the server, by any of its addresses."""
    (server,) = stack.containers("serving")
    addresses = [network["IPAddress"] for network in server["NetworkSettings"]["Networks"].values()]
    tries = "; ".join(f"(exec 3<>/dev/tcp/{address}/{port}) && echo reached" for address in addresses)
    script = f"timeout 20 bash -c '{tries}' 2>/dev/null || true"
    if service == "export":
        return "reached" in stack.export("/bin/bash", "-c", script)
    return "reached" in stack.inside(service, script)


def test_prometheus_and_no_other_container_reaches_the_rest_port(stack: Stack) -> None:
    stack.compose("--profile", "monitoring", "up", "-d", "prometheus", "grafana")
    assert reached(stack, "prometheus", 8501)
    for service in ("grafana", "export"):
        assert not reached(stack, service, 8501)
        assert not reached(stack, service, 8500)


def test_studio_is_healthy_and_enlarges_a_photo_by_the_servers_socket(stack: Stack) -> None:
    stack.compose("--profile", "studio", "up", "-d", "--wait", "studio")
    browser = Browser(stack.studio_port)
    assert browser.get("/api/server").status == 401
    assert browser.send("POST", "/api/login", {"token": STUDIO_TOKEN}).status == 204
    assert browser.get("/api/server").json["address"] == "a socket of this machine"
    job = browser.wait(browser.start("upscale", image="photo-chelsea", factor=2)["id"])
    assert job["state"] == "done", job["error"]
    with Image.open(io.BytesIO(browser.get(job["result"]["url"]).body)) as result:
        assert result.size == (900, 600)
    assert not reached(stack, "studio", 8500)
    assert not reached(stack, "studio", 8501)


def test_a_server_killed_in_a_dream_starts_again_and_the_picture_is_the_same(stack: Stack) -> None:
    (before,) = stack.containers("serving")
    options: dict[str, Any] = {"steps": 600, "octaves": [-1, 0], "tile": 50}
    with Client(stack.address) as client:
        undisturbed = np.asarray(client.dream(pixels(90, 120), **options))
        for progress in client.iterate(Dream(pixels(90, 120), **options), every=50):
            if progress.done == 450:
                kill_from_outside(before)
    (after,) = stack.containers("serving")
    assert after["RestartCount"] == before["RestartCount"] + 1
    assert after["State"]["Pid"] != before["State"]["Pid"]
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)
