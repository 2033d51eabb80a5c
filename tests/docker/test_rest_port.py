"""The REST port, whose predict leaks the server's memory: nobody but health checks and Prometheus reaches it.

docs/rest.md has the fault. Networks of compose and policies of Kubernetes are read here as Docker and a cluster do.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from containers import compose_files, kustomize
from containers.compose_files import DOCKER
from servers.model_server_facts import flags_of

REPOSITORY = DOCKER.parent
Manifest = dict[str, Any]

every_variant = pytest.mark.parametrize("files", [("compose.yaml",), ("compose.yaml", "compose.cpu.yaml")])
every_overlay = pytest.mark.parametrize("overlay", ["gcs", "s3", "baked"])


def sharing_a_network(services: dict[str, Any], name: str) -> set[str]:
    """The services that reach every port of `name`: those on one of its networks, or within its own."""
    networks = set(services[name]["networks"])
    return {
        other
        for other, service in services.items()
        if other != name
        and (
            networks & set(service.get("networks", ["default"]))
            or service.get("network_mode") in {"host", f"service:{name}"}
        )
    }


@every_variant
def test_prometheus_alone_shares_a_network_with_the_server(files: tuple[str, ...]) -> None:
    assert sharing_a_network(compose_files.load(*files)["services"], "serving") == {"prometheus"}


def test_a_service_on_a_network_of_the_server_or_in_its_own_is_noticed() -> None:
    services = {
        "serving": {"networks": ["grpc"]},
        "neighbour": {"networks": ["grpc"]},
        "lodger": {"network_mode": "service:serving"},
        "stranger": {"networks": ["elsewhere"]},
    }
    assert sharing_a_network(services, "serving") == {"neighbour", "lodger"}


@every_variant
def test_the_rest_port_is_not_published(files: tuple[str, ...]) -> None:
    serving = compose_files.load(*files)["services"]["serving"]
    assert flags_of(serving["command"])["rest_api_port"] == "8501"
    assert [published.rpartition(":")[2] for published in serving["ports"]] == ["8500"]


def test_the_health_check_asks_within_the_servers_own_container() -> None:
    assert "/dev/tcp/127.0.0.1/" in (DOCKER / "serving/health.sh").read_text()


def test_the_exporters_reach_grpc_by_the_servers_socket_instead() -> None:
    services = compose_files.load("compose.yaml")["services"]
    socket = flags_of(services["serving"]["command"])["grpc_socket_path"]
    assert services["export"]["environment"]["IMPASTO_SERVER"] == f"unix://{socket}"
    for name in ("serving", "export"):
        (mount,) = [mount for mount in services[name]["volumes"] if mount["source"] == "socket"]
        assert mount["type"] == "volume"
        assert socket.startswith(f"{mount['target']}/")
    assert services["serving"]["user"] == services["export"]["user"], "a socket is its owner's"


def test_whoever_runs_the_server_may_make_the_socket_in_its_volume() -> None:
    options = compose_files.load("compose.yaml")["volumes"]["socket"]["driver_opts"]
    assert (options["type"], options["device"]) == ("tmpfs", "tmpfs")
    assert "mode=1777" in options["o"].split(",")


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector matches, by equality and by `In`; an empty one matches everything."""
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )


def admitted(manifests: list[Manifest], labels: dict[str, str], port: int) -> list[Manifest]:
    """Who may open a connection to `port` of the pods with these labels; [{}] stands for everybody."""
    policies = [
        manifest["spec"]
        for manifest in manifests
        if manifest["kind"] == "NetworkPolicy"
        and selects(manifest["spec"]["podSelector"], labels)
        and "Ingress" in manifest["spec"]["policyTypes"]
    ]
    if not policies:
        return [{}]
    peers: list[Manifest] = []
    for rule in (rule for policy in policies for rule in policy.get("ingress", [])):
        if "ports" not in rule or any(named.get("port", port) == port for named in rule["ports"]):
            peers += rule.get("from") or [{}]
    return peers


CLIENTS = [
    {
        "namespaceSelector": {"matchLabels": {"impasto-client": "true"}},
        "podSelector": {"matchLabels": {"impasto-client": "true"}},
    }
]
PROMETHEUS = [
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    }
]


CHECK = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "impasto-check"}}}]


@every_overlay
def test_the_policy_admits_prometheus_to_rest_and_labelled_clients_and_the_check_to_grpc(
    overlay: str,
) -> None:
    manifests = kustomize.render(DOCKER / "kubernetes/overlays" / overlay)
    labels = kustomize.find(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert admitted(manifests, labels, 8501) == PROMETHEUS
    assert admitted(manifests, labels, 8500) == CLIENTS + CHECK


@pytest.mark.parametrize("model", ["srcnn", "stylize", "dream", "transfer"])
def test_kserves_policy_admits_nobody_to_rest_and_labelled_clients_to_grpc(model: str) -> None:
    manifests = kustomize.render(DOCKER / "kubernetes/kserve")
    labels = {"serving.kserve.io/inferenceservice": model}  # as KServe labels a predictor's pods
    assert kustomize.find(manifests, "InferenceService", model)
    assert admitted(manifests, labels, 8080) == []
    assert admitted(manifests, labels, 9000) == CLIENTS


def test_a_pod_without_a_policy_and_a_rule_without_ports_or_peers_admit_everybody() -> None:
    policy: Manifest = {
        "kind": "NetworkPolicy",
        "spec": {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }
    assert admitted([], {"app": "a"}, 8501) == [{}]
    assert admitted([policy], {"app": "b"}, 8501) == [{}]
    assert admitted([policy], {"app": "a"}, 8501) == [{}]


@every_overlay
def test_no_service_and_no_host_port_leads_to_rest(overlay: str) -> None:
    manifests = kustomize.render(DOCKER / "kubernetes/overlays" / overlay)
    ports = [port["targetPort"] for m in manifests if m["kind"] == "Service" for port in m["spec"]["ports"]]
    assert ports == ["grpc"]
    assert not {manifest["kind"] for manifest in manifests} & {"Ingress", "HTTPRoute", "Gateway"}
    pod = kustomize.find(manifests, "Deployment")["spec"]["template"]["spec"]
    assert "hostNetwork" not in pod
    assert not [port for container in pod["containers"] for port in container["ports"] if "hostPort" in port]


def test_each_page_with_a_rest_call_drops_the_flag() -> None:
    pages = {
        page.name: page.read_text()
        for folder in (REPOSITORY, REPOSITORY / "docs", DOCKER, REPOSITORY / "examples")
        for page in sorted(folder.glob("*.md"))
    }
    calls = {name for name, text in pages.items() if re.search(r"^.*curl.*:predict", text, re.MULTILINE)}
    assert calls == {"other-languages.md", "rest.md"}
    for name in calls:
        assert "--enable_serialization_as_tensor_content=false" in pages[name]
