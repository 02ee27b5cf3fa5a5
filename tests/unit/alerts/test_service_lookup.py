"""Which service an alert is about, by its labels and by the names of pods, hosts and objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.alert_requests import NOW, source
from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.service_lookup import match_service, unknown_service
from watchkeeper.config.alert_source import SERVICE_LABELS
from watchkeeper.contracts import Alert

CATALOGUE = ["checkout", "API Service", "search_index", "kube-state-metrics", "node-exporter", "api.v2", "shard-2"]


def alert(**fields: Any) -> Alert:
    known: dict[str, Any] = {"group": "g", "fingerprint": "f", "status": "firing", "title": "t", "now": NOW}
    return make_alert("prod", **{**known, **fields})


def prometheus_alert(labels: dict[str, str]) -> Alert:
    """Return an alert as the sources of Alertmanager build it."""
    return alert(service=labels.get("service"), labels=labels)


@pytest.mark.parametrize(
    ("service", "labels", "found"),
    [
        ("checkout", {}, "checkout"),
        (" Checkout ", {}, "checkout"),
        ("api-service", {}, "API Service"),
        ("Search Index", {}, "search_index"),
        ("checkout-v2", {}, None),
        ("unknown", {"app": "checkout"}, "checkout"),
        (None, {"app": "nothing", "job": "checkout"}, "checkout"),
        (None, {"job": "checkout", "app": "search-index"}, "search_index"),
        (None, {"other": "checkout"}, None),
        (None, {}, None),
    ],
)
def test_a_service_is_matched_to_the_catalogue(service: str | None, labels: dict[str, str], found: str | None) -> None:
    assert match_service(alert(service=service, labels=labels), CATALOGUE, ["app", "job"]) == found


KUBE_STATE_METRICS = {"job": "kube-state-metrics", "service": "kps-kube-state-metrics", "namespace": "shop"}


@pytest.mark.parametrize(
    ("labels", "found", "unknown"),
    [
        ({"container": "checkout", "pod": "checkout-6f7c9d8b5-abcde"}, "checkout", None),
        ({"container": "istio-proxy", "pod": "checkout-6f7c9d8b5-abcde"}, "checkout", None),
        ({"deployment": "checkout"}, "checkout", None),
        ({"statefulset": "search-index"}, "search_index", None),
        ({"daemonset": "checkout"}, "checkout", None),
        ({"cronjob": "checkout"}, "checkout", None),
        *(({name: "checkout"}, "checkout", None) for name in ("horizontalpodautoscaler", "poddisruptionbudget")),
        *(({name: "checkout"}, "checkout", None) for name in ("ingress", "label_app", "service_name")),
        *(({name: "checkout"}, "checkout", None) for name in ("persistentvolumeclaim", "destination_workload")),
        ({"destination_service": "checkout.shop.svc.cluster.local"}, "checkout", None),
        ({"owner_name": "checkout-6f7c9d8b5", "owner_kind": "ReplicaSet"}, "checkout", None),
        ({"job_name": "checkout-28391040"}, "checkout", None),
        ({"exported_service": "checkout"}, "checkout", None),
        ({"exported_job": "checkout"}, "checkout", None),
        ({"pod": "checkout-0"}, "checkout", None),
        ({"exported_pod": "checkout-x2x4z"}, "checkout", None),
        ({"service": "kube-state-metrics", "container": "billing"}, None, "billing"),
        ({"deployment": "billing", "job": "kube-state-metrics"}, None, "billing"),
        ({"container": "kube-state-metrics"}, "kube-state-metrics", None),
        ({}, "kube-state-metrics", None),
    ],
)
def test_the_exporter_of_an_alert_is_not_its_service(
    labels: dict[str, str], found: str | None, unknown: str | None
) -> None:
    sent = prometheus_alert({**KUBE_STATE_METRICS, **labels})
    assert match_service(sent, CATALOGUE, SERVICE_LABELS) == found
    if found is None:
        assert unknown_service(sent, SERVICE_LABELS) == unknown


@pytest.mark.parametrize("name", ["service", "job", "app", "component"])
def test_a_label_that_prometheus_renamed_hides_the_one_of_the_scraped_target(name: str) -> None:
    labels = {name: "search-index", f"exported_{name}": "checkout"}
    kinds = [*SERVICE_LABELS, "exported_app", "exported_component"]
    assert match_service(prometheus_alert(labels), CATALOGUE, kinds) == "checkout"
    assert match_service(prometheus_alert({**labels, f"exported_{name}": "billing"}), CATALOGUE, kinds) is None


@pytest.mark.parametrize(
    ("label", "value", "found"),
    [
        ("pod", "checkout-6f7c9d8b5-x2x4z", "checkout"),
        ("pod", "checkout-bcdfghjklm-zxwvt", "checkout"),
        ("pod", "api-service-7d9f8b6c5d-qq2kk", "API Service"),
        ("pod", "checkout-28391040-x7k2p", "checkout"),
        ("pod", "checkout-x7k2p", "checkout"),
        ("pod", "checkout-12", "checkout"),
        ("pod", "shard-2-0", "shard-2"),
        ("pod", "shard-2", "shard-2"),
        ("pod", "checkout-worker-6f7c9d8b5-x2x4z", None),
        ("pod", "mycheckout-6f7c9d8b5-x2x4z", None),
        ("service", "checkout-6f7c9d8b5-x2x4z", "checkout"),
        ("service", "checkout-2", None),
        ("service", "shop/checkout", "checkout"),
        ("service", "deployment/checkout", "checkout"),
        ("service", "shop/checkout-6f7c9d8b5-x2x4z", "checkout"),
        ("service", "checkout.shop", "checkout"),
        ("service", "api.v2", "api.v2"),
        ("service", "checkout.shop.svc.cluster.local", "checkout"),
        ("instance", "checkout.shop.svc:8080", "checkout"),
        ("instance", "checkout:8080", "checkout"),
        ("instance", "10.2.3.4:8080", None),
        ("instance", "[fe80::1]:8080", None),
        ("instance", "https://checkout.example.com/health?x=1", "checkout"),
        ("instance", "https://user:secret@checkout.example.com:8443", "checkout"),
        ("target", "https://www.checkout.example.com", "checkout"),
        ("host", "checkout-01.example.com", "checkout"),
        ("service", "https://", None),
        ("service", "/", None),
        ("service", "checkout/", "checkout"),
        ("service", "-", None),
        ("service", "a" * 300, None),
        ("service", "-".join(["a"] * 150), None),
    ],
)
def test_names_of_pods_hosts_and_objects(label: str, value: str, found: str | None) -> None:
    assert match_service(prometheus_alert({label: value}), CATALOGUE, SERVICE_LABELS) == found


def test_a_whole_name_is_surer_than_a_part_of_one() -> None:
    labels = {"service": "shop/search-index", "container": "checkout"}
    assert match_service(prometheus_alert(labels), CATALOGUE, SERVICE_LABELS) == "checkout"


@pytest.mark.parametrize(
    ("labels", "unknown"),
    [
        ({"service": "billing"}, "billing"),
        ({"app": "billing", "instance": "10.0.0.1:9100"}, "billing"),
        ({"instance": "10.0.0.1:9100"}, None),
        ({}, None),
    ],
)
def test_what_an_alert_calls_a_service_that_is_not_in_the_catalogue(
    labels: dict[str, str], unknown: str | None
) -> None:
    assert unknown_service(prometheus_alert(labels), SERVICE_LABELS) == unknown


def test_the_settings_name_other_labels() -> None:
    section = source("alertmanager", service_labels=["workload_name"]).section
    assert (
        match_service(prometheus_alert({"workload_name": "checkout"}), CATALOGUE, section.service_labels) == "checkout"
    )
