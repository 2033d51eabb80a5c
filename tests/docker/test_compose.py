"""The compose files: they follow the specification, and what they start is confined."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from containers import compose_files
from containers.compose_files import DOCKER
from impasto.client.cli import impasto
from processes.installed_tools import run_tool

VARIANTS = [("compose.yaml",), ("compose.yaml", "compose.cpu.yaml")]
SERVICES = ["serving", "export", "check", "studio", "prometheus", "grafana"]


def service(name: str, *files: str) -> dict[str, Any]:
    found: dict[str, Any] = compose_files.load(*files or VARIANTS[0])["services"][name]
    return found


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    return run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


@pytest.mark.parametrize("files", VARIANTS, ids=["gpu", "cpu"])
def test_compose_files_follow_the_compose_specification(files: tuple[str, ...], tmp_path: Path) -> None:
    merged = tmp_path / "compose.json"
    merged.write_text(json.dumps(compose_files.load(*files)))
    checked = validate(merged)
    assert checked.returncode == 0, checked.stdout


def test_the_specification_refuses_a_misspelt_field(tmp_path: Path) -> None:
    model = compose_files.load("compose.yaml")
    model["services"]["serving"]["stop_grace"] = "30s"
    wrong = tmp_path / "compose.json"
    wrong.write_text(json.dumps(model))
    checked = validate(wrong)
    assert checked.returncode == 1
    assert "stop_grace" in checked.stdout


@pytest.mark.parametrize("files", VARIANTS, ids=["gpu", "cpu"])
def test_docker_compose_reads_the_files(files: tuple[str, ...]) -> None:
    docker = shutil.which("docker")
    plugin = docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    if not docker or not plugin or plugin.returncode:
        pytest.skip(
            "docker's compose plugin is not installed; the compose specification is checked all the same"
        )
    options = [option for file in files for option in ("-f", str(DOCKER / file))]
    command = [docker, "compose", *options, "--profile", "*", "config", "--quiet"]
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr


def test_the_gpu_is_reserved_and_the_processor_variant_reserves_none() -> None:
    gpu = service("serving")
    assert gpu["image"] == "tensorflow/serving:2.21.0-gpu"
    assert gpu["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    ]
    cpu = service("serving", "compose.yaml", "compose.cpu.yaml")
    assert cpu["image"] == "tensorflow/serving:2.21.0"
    assert "devices" not in cpu["deploy"]["resources"]["reservations"]
    same = gpu.keys() - {"image", "deploy", "environment"}
    assert {key: gpu[key] for key in same} == {key: cpu[key] for key in same}
    of_processors = {
        "TF_DETERMINISTIC_OPS": "0",
        "TF_CPU_ALLOCATOR_USE_BFC": "true",
        "TF_CPU_BFC_MEM_LIMIT_IN_MB": "12288",
    }
    assert cpu["environment"] == gpu["environment"] | of_processors


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    container = service(name)
    assert int(container["user"].partition(":")[0]) > 0
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not container.keys() & {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"}


def test_every_service_is_checked_here() -> None:
    assert sorted(compose_files.load("compose.yaml")["services"]) == sorted(SERVICES)


def test_only_grpc_grafana_and_the_page_are_published_and_on_the_loopback() -> None:
    ports = {name: service(name).get("ports", []) for name in SERVICES}
    assert ports == {
        "serving": ["127.0.0.1:8500:8500"],
        "export": [],
        "check": [],
        "studio": ["127.0.0.1:8600:8600"],
        "prometheus": [],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_metrics_travel_on_a_network_without_a_way_out() -> None:
    model = compose_files.load("compose.yaml")
    assert model["networks"]["metrics"] == model["networks"]["queries"] == {"internal": True}
    assert service("prometheus")["networks"] == ["metrics", "queries"]
    assert "metrics" in service("serving")["networks"]
    assert "queries" in service("grafana")["networks"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    volumes = compose_files.load("compose.yaml")["volumes"]
    for mount in service(name)["volumes"]:
        source = mount["source"] if isinstance(mount, dict) else mount.split(":")[0]
        if not source.startswith("."):
            assert source in volumes
        elif source not in {"./config", "../build"}:  # written by `impasto-serving config` and by training
            assert (DOCKER / source).exists(), source


def test_all_but_socket_exporters_models_and_databases_is_mounted_read_only() -> None:
    writable = set()
    for name in SERVICES:
        for mount in service(name)["volumes"]:
            if isinstance(mount, dict):
                if not mount.get("read_only"):
                    writable.add((name, mount["target"]))
            elif not mount.endswith(":ro"):
                writable.add((name, mount.split(":")[1]))
    assert writable == {
        ("serving", "/run/impasto"),
        ("export", "/work/models"),
        ("export", "/work/docker/config"),
        ("export", "/work/build"),
        ("prometheus", "/prometheus"),
        ("grafana", "/var/lib/grafana"),
    }


def test_the_exporters_folders_lie_as_in_the_repository() -> None:
    mounts = {mount["target"]: mount["source"] for mount in service("export")["volumes"]}
    del mounts["/run/impasto"]
    assert "WORKDIR /work\n" in (DOCKER / "exporter.Dockerfile").read_text()
    for target, source in mounts.items():
        assert (DOCKER / source).resolve() == DOCKER.parent / Path(target).relative_to("/work")


def test_the_check_asks_the_server_by_its_socket_and_reads_the_same_models() -> None:
    check, serving = service("check"), service("serving")
    program, name, *words = check["entrypoint"]
    assert program == "impasto"
    command = impasto.get_command(click.Context(impasto), name)
    assert command is not None
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given.keys() <= {option for parameter in command.params for option in parameter.opts}
    assert serving["image"] == f"tensorflow/serving:{given['--server-version']}-gpu"
    mounts = {mount["target"]: mount for mount in check["volumes"]}
    assert mounts[given["--models"]]["source"] == next(
        mount["source"] for mount in serving["volumes"] if mount["target"] == "/models"
    )
    assert check["environment"] == service("export")["environment"]
    assert (check["image"], check["user"]) == (service("export")["image"], serving["user"])
    assert [compose_files.load("compose.yaml")["networks"][name] for name in check["networks"]] == [
        {"internal": True}
    ]


def test_the_page_asks_the_server_by_its_socket_and_shares_a_network_with_nobody() -> None:
    studio = service("studio")
    assert studio["environment"]["IMPASTO_SERVER"] == service("check")["environment"]["IMPASTO_SERVER"]
    assert studio["user"] == service("serving")["user"]
    (network,) = studio["networks"]
    assert [name for name in SERVICES if network in service(name).get("networks", [])] == ["studio"]
    assert [mount["target"] for mount in studio["volumes"]] == ["/run/impasto"]


def test_the_page_starts_with_options_that_its_command_has_and_on_the_port_that_is_published() -> None:
    text = (DOCKER / "studio.Dockerfile").read_text()
    program, name, *options = json.loads(text.rpartition("ENTRYPOINT ")[2])
    assert program == "impasto"
    command = impasto.get_command(click.Context(impasto), name)
    assert command is not None
    given = command.make_context(name, options).params
    assert (given["host"], given["port"]) == ("0.0.0.0", 8600)
    assert service("studio")["healthcheck"]["test"][1:] == json.loads(
        text.partition("    CMD ")[2].splitlines()[0]
    )


def test_the_servers_memory_and_threads_are_limited() -> None:
    for files in VARIANTS:
        limits = service("serving", *files)["deploy"]["resources"]["limits"]
        assert limits == {"memory": "16g", "pids": 4096}


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("export", "check")])
def test_a_start_is_noticed_within_seconds(name: str) -> None:
    check = service(name)["healthcheck"]
    assert (check["start_interval"], check["interval"]) == ("2s", "30s")
    assert check["start_period"] in {"10m", "1m"}


def test_the_readme_names_the_versions_of_engine_and_compose_that_are_needed() -> None:
    text = (DOCKER / "README.md").read_text()
    assert "Docker Engine 25" in text and "compose 2.24" in text


def test_a_missing_models_or_config_folder_is_an_error_and_not_an_empty_mount() -> None:
    mounts = [mount for mount in service("serving")["volumes"] if mount["type"] == "bind"]
    assert {"/models", "/config"} <= {mount["target"] for mount in mounts}
    for mount in mounts:
        assert mount["bind"]["create_host_path"] is False


def test_the_cuda_cache_fits_into_its_memory_disk() -> None:
    serving = service("serving")
    (disk,) = serving["tmpfs"]
    assert disk.startswith("/tmp:size=512m")
    assert serving["environment"]["CUDA_CACHE_PATH"].startswith("/tmp/")
    assert int(serving["environment"]["CUDA_CACHE_MAXSIZE"]) < 512 * 2**20


def test_the_server_is_process_one_so_that_calls_end_within_the_grace_period() -> None:
    serving = service("serving")
    assert serving["entrypoint"] == ["/usr/bin/tensorflow_model_server"]
    assert "init" not in serving
    assert serving["stop_grace_period"] == "30s"


def test_the_health_check_runs_the_mounted_script() -> None:
    serving = service("serving")
    command, shell, script = serving["healthcheck"]["test"]
    assert (command, shell) == ("CMD", "/bin/bash")
    assert script in {mount["target"] for mount in serving["volumes"]}


def test_monitoring_and_tools_start_only_when_asked_for() -> None:
    profiles = {name: service(name).get("profiles", []) for name in SERVICES}
    assert profiles == {
        "serving": [],
        "export": ["tools"],
        "check": ["tools"],
        "studio": ["studio"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


def test_generated_configurations_are_not_committed() -> None:
    assert "/config/" in (DOCKER / ".gitignore").read_text().split()


def test_every_variable_is_explained() -> None:
    files = "".join((DOCKER / name).read_text() for name in ("compose.yaml", "compose.cpu.yaml"))
    variables = set(re.findall(r"\$\{([A-Z_]+)", files))
    assert variables
    assert variables == set(re.findall(r"`((?:IMPASTO|TF)_[A-Z_]+)`", (DOCKER / "README.md").read_text()))


def test_the_override_is_valid_by_itself() -> None:
    raw = (DOCKER / "compose.cpu.yaml").read_text().replace("!reset []", "[]")
    assert yaml.safe_load(raw)["services"].keys() == {"serving"}
