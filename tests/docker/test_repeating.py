"""Servers that are shipped for a GPU repeat their results; those for a processor take every model and keep memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from containers import compose_files, kustomize
from containers.compose_files import DOCKER

SWITCH = "TF_DETERMINISTIC_OPS"
ALLOCATOR = "TF_CPU_ALLOCATOR_USE_BFC"
KUBERNETES = DOCKER / "kubernetes"


def compose_variants() -> Iterator[tuple[str, str, dict[str, str]]]:
    for files in (("compose.yaml",), ("compose.yaml", "compose.cpu.yaml")):
        serving = compose_files.load(*files)["services"]["serving"]
        yield files[-1], serving["image"], serving["environment"]


def manifests() -> Iterator[tuple[str, str, dict[str, str]]]:
    for folder in sorted(path.parent for path in KUBERNETES.rglob("kustomization.yaml")):
        if yaml.safe_load((folder / "kustomization.yaml").read_text())["kind"] == "Component":
            continue  # is rendered in the overlays
        for manifest in kustomize.render(folder):
            if manifest["kind"] == "Deployment":
                found = manifest["spec"]["template"]["spec"]["containers"]
            elif manifest["kind"] == "InferenceService":
                found = [manifest["spec"]["predictor"]["model"]]
            else:
                continue
            for server in found:
                image = server.get("image") or server["runtimeVersion"]
                environment = {each["name"]: each["value"] for each in server["env"]}
                where = f"{folder.relative_to(KUBERNETES)}: {manifest['metadata']['name']}"
                yield where, image, environment


SHIPPED = [*compose_variants(), *manifests()]


each_shipped = pytest.mark.parametrize(
    ("where", "image", "environment"), SHIPPED, ids=[where for where, _, _ in SHIPPED]
)


@each_shipped
def test_a_server_for_a_gpu_repeats_its_results_and_one_for_a_processor_refuses_no_model(
    where: str, image: str, environment: dict[str, str]
) -> None:
    assert environment.get(SWITCH) == ("1" if image.endswith("-gpu") else "0"), where


@each_shipped
def test_a_server_for_a_processor_keeps_its_memory_and_refuses_what_is_too_large(
    where: str, image: str, environment: dict[str, str]
) -> None:
    is_on = not image.endswith("-gpu")
    assert environment.get(ALLOCATOR) == ("true" if is_on else None), where
    assert ("TF_CPU_BFC_MEM_LIMIT_IN_MB" in environment) is is_on


def test_servers_of_all_kinds_were_looked_at() -> None:
    assert len([where for where, image, _ in SHIPPED if image.endswith("-gpu")]) >= 1 + 2 + 4
    assert {"compose.yaml", "compose.cpu.yaml", "overlays/baked: impasto-serving", "kserve: dream"} <= {
        where for where, _, _ in SHIPPED
    }


def test_the_image_with_the_models_repeats_its_results_too() -> None:
    text = (DOCKER / "models.Dockerfile").read_text()
    assert re.search(r"^ARG DETERMINISTIC=1$", text, re.MULTILINE)
    assert f"{SWITCH}=${{DETERMINISTIC}}" in text


def test_one_switch_is_documented_and_compose_takes_it_from_the_environment() -> None:
    assert f"{SWITCH}: ${{{SWITCH}:-1}}" in (DOCKER / "compose.yaml").read_text()
    assert f"{SWITCH}: ${{{SWITCH}:-0}}" in (DOCKER / "compose.cpu.yaml").read_text()
    assert f"`{SWITCH}`" in (DOCKER / "README.md").read_text()
