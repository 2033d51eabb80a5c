"""The images: linted, pinned, not root, and built from a context that holds what they copy."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

from containers import compose_files, kustomize
from containers.compose_files import DOCKER
from processes.installed_tools import run_tool

REPOSITORY = DOCKER.parent
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))

by_name = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)


def copied(dockerfile: Path) -> list[str]:
    """The paths that the image takes from its build context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def in_context(dockerfile: Path, path: str) -> bool:
    """Whether the ignore file beside the Dockerfile lets `path` into the context; its last match decides."""
    inside = True
    for pattern in dockerfile.with_name(dockerfile.name + ".dockerignore").read_text().split():
        glob = pattern.removeprefix("!").removeprefix("**/")
        parts = Path(path).parts
        prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        candidates = parts if "**/" in pattern else prefixes
        if any(fnmatch.fnmatchcase(candidate, glob) for candidate in candidates):
            inside = pattern.startswith("!")
    return inside


def test_there_is_an_exporter_image_one_with_the_models_and_one_with_the_page() -> None:
    assert [path.name for path in DOCKERFILES] == [
        "exporter.Dockerfile",
        "models.Dockerfile",
        "studio.Dockerfile",
    ]


@by_name
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    checked = run_tool("hadolint", dockerfile)
    assert checked.returncode == 0, checked.stdout


@by_name
def test_images_do_not_run_as_root(dockerfile: Path) -> None:
    users = re.findall(r"^USER (\d+):(\d+)$", dockerfile.read_text(), re.MULTILINE)
    assert users == [("65532", "65532")]


@by_name
def test_the_context_holds_what_the_image_copies(dockerfile: Path) -> None:
    for path in copied(dockerfile):
        assert in_context(dockerfile, path), path
        if path != "docker/config":  # written by `impasto-serving config`
            assert (REPOSITORY / path).exists(), path


def test_the_context_leaves_out_the_private_key_and_half_written_versions() -> None:
    dockerfile = DOCKER / "models.Dockerfile"
    assert in_context(dockerfile, "docker/config/models.config")
    assert in_context(dockerfile, "models/srcnn/3/saved_model.pb")
    assert not in_context(dockerfile, "docker/config/ssl.config")
    assert not in_context(dockerfile, "docker/config/.ssl.config.a1b2c3d4.part")
    assert not in_context(dockerfile, "docker/config/.models.config.lock")
    assert not in_context(dockerfile, "models/srcnn/.staging-1/saved_model.pb")
    assert not in_context(dockerfile, ".git/config")
    assert not in_context(DOCKER / "exporter.Dockerfile", "models/srcnn/3/saved_model.pb")


@by_name
@pytest.mark.parametrize(
    "path", ["docker/config/server.pem", "docker/config/tls/server.key", "client/ca.pem", "models/key.pem"]
)
def test_no_context_holds_keys_and_certificates(dockerfile: Path, path: str) -> None:
    assert not in_context(dockerfile, path)


def images() -> set[str]:
    """Every image that a Dockerfile, the compose files or a manifest names."""
    found = set()
    for path in DOCKERFILES:
        text = path.read_text()
        defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
        for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
            found.add(defaults.get(name.strip("${}"), name))
    for files in (("compose.yaml",), ("compose.yaml", "compose.cpu.yaml")):
        found |= {service["image"] for service in compose_files.load(*files)["services"].values()}
    for overlay in sorted((DOCKER / "kubernetes/overlays").iterdir()):
        pod = kustomize.find(kustomize.render(overlay), "Deployment")["spec"]["template"]["spec"]
        found |= {container["image"] for container in pod["containers"] + pod.get("initContainers", [])}
    return found


def test_every_image_is_pinned_to_a_full_version() -> None:
    assert len(images()) >= 8
    for image in images():
        assert re.search(r":v?\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$", image), image


def test_what_others_publish_is_pinned_by_digest_except_the_server() -> None:
    ours = ("impasto/", "registry.example.com/")
    without = {image for image in images() if "@sha256:" not in image and not image.startswith(ours)}
    assert without == {"tensorflow/serving:2.21.0", "tensorflow/serving:2.21.0-gpu"}


def test_the_server_is_of_the_release_that_the_exporters_write_for() -> None:
    pins = (REPOSITORY / "constraints.txt").read_text().split()
    assert "tensorflow==2.21.0" in pins
    tags = {image.partition(":")[2] for image in images() if image.startswith("tensorflow/serving:")}
    assert tags == {"2.21.0", "2.21.0-gpu"}


def test_the_exporter_image_reads_every_source_of_weights() -> None:
    text = (DOCKER / "exporter.Dockerfile").read_text()
    assert "'./export[package]'" in text


@by_name
def test_a_build_pulls_no_front_end_from_a_registry(dockerfile: Path) -> None:
    assert "syntax=" not in dockerfile.read_text()


def test_the_models_image_starts_the_server_and_not_the_entry_point_for_one_model() -> None:
    text = (DOCKER / "models.Dockerfile").read_text()
    assert 'ENTRYPOINT ["/usr/bin/tensorflow_model_server"]' in text
    assert 'CMD ["/bin/bash", "/opt/impasto/health.sh"]' in text
