"""Prometheus and Grafana: every query parses and asks for series and labels that the server exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from containers import compose_files
from containers.compose_files import DOCKER
from servers.model_server_facts import METRICS

MONITORING = DOCKER / "monitoring"
DASHBOARD = MONITORING / "grafana/dashboards/serving.json"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian: apt-get install prometheus); the Python parser checks the same queries",
)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def as_prometheus_sees_it(query: str) -> str:
    """A panel's query with Grafana's variables filled in."""
    for variable, value in {"$__rate_interval": "1m", "$model": ".*", "$steps": "25"}.items():
        query = query.replace(variable, value)
    return query


def queries() -> dict[str, str]:
    """Every query by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in alerts()}
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            found[f"panel {panel['title']} {target['refId']}"] = as_prometheus_sees_it(target["expr"])
    adapter = yaml.safe_load((DOCKER / "kubernetes/monitoring/prometheus-adapter.yaml").read_text())
    for rule in adapter["rules"]["custom"]:
        series = re.search(r'__name__="([^"]+)"', rule["seriesQuery"])
        assert series is not None
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.Series>>", series[1])
        found[f"autoscaler {rule['name']['as']}"] = query.replace("<<.LabelMatchers>>", 'namespace="impasto"')
    return found


QUERIES = queries()


def nodes(expression: Any) -> Iterator[Any]:
    """An expression and all within it."""
    yield expression
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from nodes(inner)
    for inner in getattr(expression, "args", None) or ():
        yield from nodes(inner)


@pytest.mark.parametrize("where", QUERIES)
def test_queries_parse_and_use_what_the_server_exports(where: str) -> None:
    labels_of_series: set[str] = set()
    grouped: set[str] = set()
    for node in nodes(promql_parser.parse(QUERIES[where])):
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name in METRICS
            matched = {matcher.name for matcher in node.matchers.matchers}
            assert matched <= METRICS[node.name]
            labels_of_series |= METRICS[node.name]
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            grouped |= set(node.modifier.labels)
    assert labels_of_series, "the query reads no series"
    assert grouped <= labels_of_series


@pytest.mark.parametrize("where", [name for name in QUERIES if "_latency" in QUERIES[name]])
def test_latencies_are_turned_from_microseconds_into_seconds(where: str) -> None:
    assert "/ 1e6" in QUERIES[where]


@pytest.mark.parametrize("where", [name for name in QUERIES if "histogram_quantile" in QUERIES[name]])
def test_quantiles_keep_the_buckets_apart(where: str) -> None:
    assert re.search(r"sum by \(le, \w+\) \(rate\(", QUERIES[where])


def test_the_parser_refuses_a_broken_query() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum(rate(up[1m])")


def test_the_dashboard_shows_requests_errors_latencies_and_step_time_by_model() -> None:
    titles = {panel["title"]: panel for panel in dashboard()["panels"]}
    for title in ("Requests", "Errors", "Latency p50", "Latency p99", "Step time"):
        assert "model_name" in titles[title]["targets"][0]["expr"]


def test_panels_do_not_overlap_and_have_a_unit_and_a_description() -> None:
    cells: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells
        assert max(x for x, _ in mine) < 24
        cells |= mine
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["description"]


def test_the_dashboards_data_source_is_the_provisioned_prometheus() -> None:
    (source,) = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert set(re.findall(r'"uid": "([^"]+)"', DASHBOARD.read_text())) == {source["uid"], "impasto-serving"}
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose_files.load("compose.yaml")["services"]


def test_grafana_finds_the_dashboard_where_it_is_mounted() -> None:
    grafana = compose_files.load("compose.yaml")["services"]["grafana"]
    mounts = dict(mount.split(":")[:2] for mount in grafana["volumes"])
    folder = mounts["./monitoring/grafana/dashboards"]
    (provider,) = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/impasto.yaml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == folder
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/{DASHBOARD.name}"


def test_nobody_can_log_in_to_grafana_with_a_default_password() -> None:
    environment = compose_files.load("compose.yaml")["services"]["grafana"]["environment"]
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_prometheus_scrapes_the_serving_containers_rest_port() -> None:
    (job,) = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    services = compose_files.load("compose.yaml")["services"]
    (name,) = found["names"]
    assert f"--rest_api_port={found['port']}" in services[name]["command"]
    assert set(services[name]["networks"]) & set(services["prometheus"]["networks"])
    assert all(f'job="{job["job_name"]}"' in query for query in QUERIES.values() if "up{" in query)


def test_prometheus_reads_the_mounted_files() -> None:
    prometheus = compose_files.load("compose.yaml")["services"]["prometheus"]
    targets = {mount.split(":")[1] for mount in prometheus["volumes"]}
    (config,) = [argument.split("=")[1] for argument in prometheus["command"] if "config.file" in argument]
    assert config in targets
    for rules in yaml.safe_load((MONITORING / "prometheus.yaml").read_text())["rule_files"]:
        assert f"/etc/prometheus/{rules}" in targets


def test_every_alert_has_a_severity_a_wait_and_a_remedy_and_is_tested() -> None:
    tested = {
        case["alertname"]
        for test in yaml.safe_load((MONITORING / "rules_test.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tested == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["for"] and rule["annotations"]["summary"] and rule["annotations"]["description"]


@needs_promtool
def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    checked = promtool("check", "config", str(MONITORING / "prometheus.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    checked = promtool("test", "rules", str(MONITORING / "rules_test.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
