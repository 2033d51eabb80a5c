"""The Kubernetes manifests: valid by the published schemas, confined, and consistent with each other."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import kubernetes_validate  # type: ignore[import-untyped]  # the package has no type information
import pytest
import yaml

from containers import kustomize
from containers.compose_files import DOCKER
from impasto.client.cli import exit_codes, impasto
from servers.model_server_facts import channel_arguments_of, flags_of

KUBERNETES = DOCKER / "kubernetes"
OVERLAYS = ["gcs", "s3", "baked"]
VERSIONS = ["1.28", "1.32", "1.37"]  # native gRPC probes and autoscaling/v2 are older than the first

Manifest = dict[str, Any]
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def rendered(overlay: str) -> list[Manifest]:
    return kustomize.render(KUBERNETES / "overlays" / overlay)


def with_component(name: str, tmp_path: Path) -> list[Manifest]:
    """The gcs overlay with a component added, as a user would."""
    root = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, root)
    path = root / "overlays/gcs/kustomization.yaml"
    path.write_text(path.read_text() + f"components:\n  - ../../components/{name}\n")
    return kustomize.render(path.parent)


def pod(manifests: list[Manifest]) -> Manifest:
    spec: Manifest = kustomize.find(manifests, "Deployment")["spec"]["template"]["spec"]
    return spec


def check_pod(manifests: list[Manifest]) -> Manifest:
    spec: Manifest = kustomize.find(manifests, "Job", "impasto-check")["spec"]["template"]["spec"]
    return spec


def serving(manifests: list[Manifest]) -> Manifest:
    (container,) = pod(manifests)["containers"]
    assert container["name"] == "serving"
    return dict(container)


def validate(manifests: list[Manifest], version: str) -> None:
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@every_overlay
def test_manifests_are_valid_by_the_published_schemas(overlay: str, version: str) -> None:
    validate(rendered(overlay), version)


@pytest.mark.parametrize("component", ["cpu", "studio", "tls"])
def test_components_leave_the_manifests_valid(component: str, tmp_path: Path) -> None:
    validate(with_component(component, tmp_path), VERSIONS[-1])


def test_the_schemas_refuse_a_misspelt_field() -> None:
    deployment = copy.deepcopy(kustomize.find(rendered("gcs"), "Deployment"))
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def comparable(value: Any) -> Any:
    """A manifest without the order of its lists, which kubectl and the renderer of the tests choose differently."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((comparable(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


@pytest.mark.parametrize("directory", [*(f"overlays/{name}" for name in OVERLAYS), "kserve"])
def test_kubectl_renders_the_same(directory: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; the tests' own renderer serves")
    command = ["kubectl", "kustomize", str(KUBERNETES / directory)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    ours = kustomize.render(KUBERNETES / directory)
    assert comparable(list(yaml.safe_load_all(printed))) == comparable(ours)


@every_overlay
def test_an_overlay_holds_what_serving_needs_and_nothing_twice(overlay: str) -> None:
    assert sorted(manifest["kind"] for manifest in rendered(overlay)) == [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ]


@every_overlay
def test_everything_selects_the_pods_of_the_deployment(overlay: str) -> None:
    manifests = rendered(overlay)
    deployment = kustomize.find(manifests, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    selectors = [
        deployment["selector"]["matchLabels"],
        kustomize.find(manifests, "Service")["spec"]["selector"],
        kustomize.find(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        kustomize.find(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector and selector.items() <= labels
    scaled = kustomize.find(manifests, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", "impasto-serving")
    assert "replicas" not in deployment
    account = deployment["template"]["spec"]["serviceAccountName"]
    assert kustomize.find(manifests, "ServiceAccount", account)


@every_overlay
def test_ports_of_flags_container_service_probes_and_policy_agree(overlay: str) -> None:
    manifests = rendered(overlay)
    container = serving(manifests)
    flags = flags_of(container["args"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": int(flags["port"]), "rest": int(flags["rest_api_port"])}
    (exposed,) = kustomize.find(manifests, "Service")["spec"]["ports"]
    assert (exposed["targetPort"], exposed["port"]) == ("grpc", ports["grpc"])
    assert container["readinessProbe"]["grpc"]["port"] == ports["grpc"]
    assert flags["enable_grpc_healthcheck_service"] == "true"
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "rest"
    annotations = kustomize.find(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["rest"])
    ingress = kustomize.find(manifests, "NetworkPolicy")["spec"]["ingress"]
    assert [rule["ports"][0]["port"] for rule in ingress] == [ports["grpc"], ports["rest"]]
    assert all(rule["from"] for rule in ingress)


@every_overlay
def test_every_mount_has_its_volume_and_every_volume_its_mount(overlay: str) -> None:
    manifests = rendered(overlay)
    spec = pod(manifests)
    mounted = {
        mount["name"]
        for container in spec["containers"] + spec.get("initContainers", [])
        for mount in container["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in spec["volumes"]}
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert kustomize.find(manifests, "ConfigMap", volume["configMap"]["name"])
        else:
            assert volume["emptyDir"]["sizeLimit"]


@every_overlay
def test_every_configuration_file_of_the_flags_is_in_the_config_map(overlay: str) -> None:
    manifests = rendered(overlay)
    container = serving(manifests)
    (where,) = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "config"]
    data = kustomize.find(manifests, "ConfigMap", "impasto-serving-config")["data"]
    files = {value for name, value in flags_of(container["args"]).items() if name.endswith("_file")}
    assert files == {f"{where}/{name}" for name in data}


@every_overlay
def test_pods_meet_the_restricted_pod_security_standard_that_the_namespace_enforces(overlay: str) -> None:
    manifests = rendered(overlay)
    namespace = kustomize.find(manifests, "Namespace", "impasto")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for spec in (pod(manifests), check_pod(manifests)):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize(("overlay", "gpus"), [("gcs", "1"), ("s3", "1"), ("baked", None)])
def test_servers_take_one_gpu_except_in_the_processor_variant(overlay: str, gpus: str | None) -> None:
    manifests = rendered(overlay)
    assert serving(manifests)["resources"]["limits"].get("nvidia.com/gpu") == gpus
    tolerated = [toleration["key"] for toleration in pod(manifests).get("tolerations", [])]
    assert tolerated == (["nvidia.com/gpu"] if gpus else [])


def test_the_processor_variant_fits_a_laptop_and_the_others_run_two_replicas() -> None:
    scaler = kustomize.find(rendered("baked"), "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 2)
    assert serving(rendered("baked"))["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi"},
        "limits": {"memory": "8Gi"},
    }
    for overlay in ("gcs", "s3"):
        assert kustomize.find(rendered(overlay), "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2
        assert serving(rendered(overlay))["resources"]["requests"] == {"cpu": "2", "memory": "8Gi"}


def test_a_client_leaves_a_stopping_server_before_the_server_stops() -> None:
    spec, container = pod(rendered("gcs")), serving(rendered("gcs"))
    _, sleep = container["lifecycle"]["preStop"]["exec"]["command"]
    arguments = channel_arguments_of(flags_of(container["args"]))
    age = arguments["grpc.max_connection_age_ms"] / 1000
    # gRPC stretches the age by up to a tenth, and looks a name up once in 30 seconds at most.
    assert int(sleep) >= 1.1 * age + 30 + 20
    assert spec["terminationGracePeriodSeconds"] > int(sleep)
    assert "grpc.max_connection_age_grace_ms" not in arguments, "would cut calls that run"


def test_a_slow_start_is_waited_for() -> None:
    probe = serving(rendered("gcs"))["startupProbe"]
    seconds = probe["periodSeconds"] * probe["failureThreshold"]
    assert seconds == 1200
    assert kustomize.find(rendered("gcs"), "Deployment")["spec"]["progressDeadlineSeconds"] > seconds


def test_the_service_is_headless_so_that_clients_see_every_replica() -> None:
    assert kustomize.find(rendered("gcs"), "Service")["spec"]["clusterIP"] == "None"


def test_the_autoscalers_metric_is_the_one_that_the_adapter_offers() -> None:
    (metric,) = kustomize.find(rendered("gcs"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    adapter = yaml.safe_load((KUBERNETES / "monitoring/prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    assert re.fullmatch(rule["name"]["matches"], ":tensorflow:serving:runtime_latency_sum")


def test_a_disruption_or_a_roll_out_never_takes_the_last_replica() -> None:
    manifests = rendered("gcs")
    assert kustomize.find(manifests, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2
    assert kustomize.find(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    rolling = kustomize.find(manifests, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert rolling["maxUnavailable"] == 0


def test_s3_models_are_copied_before_the_server_starts_to_where_it_reads_them() -> None:
    manifests = rendered("s3")
    (fetch,) = pod(manifests)["initContainers"]
    assert fetch["args"][:2] == ["s3", "sync"]
    assert fetch["args"][-2].startswith("s3://")
    copied = {mount["mountPath"]: mount["name"] for mount in fetch["volumeMounts"]}[fetch["args"][-1]]
    (read,) = [mount for mount in serving(manifests)["volumeMounts"] if mount["name"] == copied]
    assert read == {"name": copied, "mountPath": "/models", "readOnly": True}
    config = kustomize.find(manifests, "ConfigMap", "impasto-serving-config")["data"]["models.config"]
    assert 'base_path: "/models/srcnn"' in config


@pytest.mark.parametrize(("overlay", "ports"), [("gcs", [53, 53, 443, 80, 988]), ("s3", [53, 53, 443])])
def test_only_the_overlays_with_a_bucket_reach_beyond_the_cluster(overlay: str, ports: list[int]) -> None:
    def egress(name: str) -> list[int]:
        rules = kustomize.find(rendered(name), "NetworkPolicy")["spec"]["egress"]
        return [port["port"] for rule in rules for port in rule["ports"]]

    assert egress(overlay) == ports
    assert egress("baked") == [53, 53]


@every_overlay
def test_each_overlay_checks_every_replica_by_the_service_and_may_reach_them(overlay: str) -> None:
    manifests = rendered(overlay)
    (container,) = check_pod(manifests)["containers"]
    service = kustomize.find(manifests, "Service")
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    (port,) = [port["port"] for port in service["spec"]["ports"]]
    address = f"dns:///{name}.{namespace}.svc.cluster.local:{port}"
    assert container["env"] == [{"name": "IMPASTO_SERVER", "value": address}]
    labels = kustomize.find(manifests, "Job", "impasto-check")["spec"]["template"]["metadata"]["labels"]
    ingress = kustomize.find(manifests, "NetworkPolicy")["spec"]["ingress"][0]
    assert port in [entry["port"] for entry in ingress["ports"]]
    alone = [
        entry["podSelector"]["matchLabels"] for entry in ingress["from"] if entry.keys() == {"podSelector"}
    ]
    assert alone and all(selector.items() <= labels.items() for selector in alone)
    assert not labels.items() >= service["spec"]["selector"].items(), "it is no replica"


@every_overlay
def test_the_check_is_a_command_line_that_is_taken_and_knows_the_servers_release(overlay: str) -> None:
    (container,) = check_pod(rendered(overlay))["containers"]
    program, name = container["command"]
    assert program == "impasto"
    command = impasto.get_command(click.Context(impasto), name)
    assert command is not None
    given = command.make_context(name, list(container["args"])).params
    base = yaml.safe_load((KUBERNETES / "base/deployment.yaml").read_text())["spec"]["template"]["spec"]
    (image,) = [entry["image"] for entry in base["containers"]]
    assert image == f"tensorflow/serving:{given['server_version']}-gpu"


def test_a_check_is_tried_again_only_where_no_replica_answers_yet() -> None:
    job = kustomize.find(rendered("gcs"), "Job", "impasto-check")["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert (rule["onExitCodes"]["operator"], rule["onExitCodes"]["values"]) == (
        "NotIn",
        [exit_codes.UNREACHABLE],
    )
    probe = serving(rendered("gcs"))["startupProbe"]
    waited = sum(min(10 * 2**number, 360) for number in range(job["backoffLimit"]))
    assert waited > probe["periodSeconds"] * probe["failureThreshold"], "the slowest start"
    assert job["activeDeadlineSeconds"] > waited


def test_with_tls_the_check_trusts_the_ca_that_it_is_given(tmp_path: Path) -> None:
    spec = check_pod(with_component("tls", tmp_path))
    (container,) = spec["containers"]
    (mount,), (volume,) = container["volumeMounts"], spec["volumes"]
    assert {"name": "IMPASTO_TLS_CA", "value": f"{mount['mountPath']}/ca.pem"} in container["env"]
    assert mount["name"] == volume["name"] and mount["readOnly"] is True


def test_with_tls_the_server_reads_the_secret_and_no_probe_speaks_plain_grpc(tmp_path: Path) -> None:
    manifests = with_component("tls", tmp_path)
    container = serving(manifests)
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "tls"]
    assert flags_of(container["args"])["ssl_config_file"] == f"{mount['mountPath']}/ssl.config"
    assert mount["readOnly"] is True
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "httpGet" in container[probe] and "grpc" not in container[probe]
    assert "appProtocol" not in kustomize.find(manifests, "Service")["spec"]["ports"][0]


def test_the_page_is_confined_wants_a_token_and_reaches_the_servers_alone(tmp_path: Path) -> None:
    manifests = with_component("studio", tmp_path)
    deployment = kustomize.find(manifests, "Deployment", "impasto-studio")["spec"]
    spec = deployment["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"].items() <= pod(manifests)["securityContext"].items()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == serving(manifests)["securityContext"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    environment = {entry["name"]: entry for entry in container["env"]}
    assert "secretKeyRef" in environment["IMPASTO_STUDIO_TOKEN"]["valueFrom"]
    assert environment["IMPASTO_SERVER"]["value"] == check_pod(manifests)["containers"][0]["env"][0]["value"]
    labels = deployment["template"]["metadata"]["labels"].items()
    service = kustomize.find(manifests, "Service", "impasto-studio")["spec"]
    assert service["selector"].items() <= labels
    policy = kustomize.find(manifests, "NetworkPolicy", "impasto-studio")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [8500, 53, 53]
    (_, _, ours) = kustomize.find(manifests, "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert ours["podSelector"]["matchLabels"].items() <= labels
