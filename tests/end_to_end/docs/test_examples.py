"""The files in ``examples/`` are valid for the programs that read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.alert_requests import only, read
from tests.support.paths import EXAMPLES
from watchkeeper.alerts.registry import make_source
from watchkeeper.alerts.service_lookup import match_service
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.config.settings import Settings, env_variable, load_settings
from watchkeeper.contracts import Alert


def check_output(program: str, *arguments: str) -> str:
    """Run a check tool, which must succeed; return its output."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed (Debian's packages prometheus and prometheus-alertmanager)")
    completed = subprocess.run(
        [path, *arguments], cwd=EXAMPLES, capture_output=True, text=True, timeout=30, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout.strip()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The example settings, with the secrets that the examples leave to the environment."""
    monkeypatch.setenv(env_variable("sources", "prometheus", "tokens"), "token")
    monkeypatch.setenv(env_variable("sources", "grafana", "secrets"), "secret")
    return load_settings(EXAMPLES / "watchkeeper.toml")


def rules(name: str = "rules") -> list[dict[str, Any]]:
    groups = yaml.safe_load((EXAMPLES / f"{name}.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_of_rule(settings: Settings, rule: dict[str, Any], service: str) -> Alert:
    """Return the alert that the source reads from Alertmanager's notification of a rule about a service."""
    labels = {"alertname": rule["alert"], "service": service, **rule["labels"]}
    annotations = {name: re.sub(r"{{.*?}}", service, text) for name, text in rule["annotations"].items()}
    alert = {"status": "firing", "labels": labels, "annotations": annotations, "fingerprint": "f"}
    source = make_source("prometheus", settings.sources["prometheus"])
    return only(read(source, {"groupKey": f'{{}}:{{service="{service}"}}', "alerts": [alert]}))


RULES = pytest.mark.parametrize("name", ["rules", "watchkeeper-rules"])


@RULES
def test_prometheus_accepts_the_rules(name: str) -> None:
    assert "SUCCESS" in check_output("promtool", "check", "rules", f"{name}.yml")


@RULES
def test_the_rules_fire_when_they_should(name: str) -> None:
    assert "SUCCESS" in check_output("promtool", "test", "rules", f"{name}.test.yml")


@RULES
def test_every_rule_has_a_test(name: str) -> None:
    tests = yaml.safe_load((EXAMPLES / f"{name}.test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    for expected in (True, False):  # each rule fires in one case and does not fire in another
        assert {case["alertname"] for case in cases if bool(case["exp_alerts"]) is expected} == {
            rule["alert"] for rule in rules(name)
        }


def test_the_dashboard_queries_are_valid(tmp_path: Path) -> None:
    panels = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    rules = [
        {"record": f"query:{n}", "expr": expr.replace("$__rate_interval", "5m")} for n, expr in enumerate(expressions)
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(expressions)} rules found" in check_output("promtool", "check", "rules", str(path))


def test_no_panel_of_the_dashboard_covers_another() -> None:
    panels = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())["panels"]
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_alertmanager_accepts_its_configuration() -> None:
    assert "SUCCESS" in check_output("amtool", "check-config", "alertmanager.yml")


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("service=checkout severity=critical", "watchkeeper,on-call"),
        ("service=checkout severity=warning", "watchkeeper,on-call"),
        ("severity=error", "watchkeeper,on-call"),
        ("service=checkout severity=info", "on-call"),
        ("severity=none", "on-call"),
    ],
)
def test_people_are_notified_of_every_alert_sent_to_watchkeeper(labels: str, receivers: str) -> None:
    routed = ("config", "routes", "test", "--config.file=alertmanager.yml", "alertname=A", *labels.split())
    assert check_output("amtool", *routed) == receivers
    assert check_output("amtool", *routed[:-1], "alertname=Watchdog", "severity=critical") == "nobody"


def test_alertmanager_posts_to_the_source_of_the_settings(settings: Settings) -> None:
    configured = yaml.safe_load((EXAMPLES / "alertmanager.yml").read_text())
    (receiver,) = [receiver for receiver in configured["receivers"] if receiver["name"] == "watchkeeper"]
    (webhook,) = receiver["webhook_configs"]
    assert webhook["send_resolved"] is True
    assert webhook["url"].endswith(f":{settings.intake.port}/alerts/prometheus")
    assert settings.sources["prometheus"].kind == "alertmanager"


def test_grafana_signs_as_the_source_of_the_settings_expects(settings: Settings) -> None:
    (point,) = yaml.safe_load((EXAMPLES / "grafana-contact-point.yaml").read_text())["contactPoints"]
    (receiver,) = point["receivers"]
    section, webhook = settings.sources["grafana"], receiver["settings"]
    assert receiver["type"] == "webhook"
    assert receiver["disableResolveMessage"] is False
    assert webhook["url"].endswith(f":{settings.intake.port}/alerts/grafana")
    expected = section.model_dump(include={"signature_header", "timestamp_header"})
    assert webhook["hmacConfig"]["header"].lower() == expected["signature_header"]
    assert webhook["hmacConfig"]["timestampHeader"].lower() == expected["timestamp_header"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_the_texts_of_the_rules_are_read_correctly(rule: dict[str, Any], settings: Settings) -> None:
    section = settings.sources["prometheus"]
    for service in settings.services:
        alert = alert_of_rule(settings, rule, service)
        assert alert.severity == rule["labels"]["severity"], "the severity is one of the normalised values"
        assert match_service(alert, settings.services, section.service_labels) == service
        assert alert.team == rule["labels"]["team"] == settings.services[service].team
        assert alert.title.startswith(f"{rule['alert']}: {service} ")
        assert service in alert.description
        assert alert.links == {"runbook": rule["annotations"]["runbook_url"]}
        starts = reason_not_to_start(alert, section) is None
        assert starts == (rule["labels"]["severity"] == "critical")


def test_the_rules_name_services_of_the_settings(settings: Settings) -> None:
    for rule in rules():
        named = set(re.findall(r'service=~"([^"]*)"', rule["expr"]))
        assert named == {"|".join(sorted(settings.services))}
        assert "{{" not in str(rule["labels"]), "a changed label would make a different alert"
