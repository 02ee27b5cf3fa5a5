"""Look up the service of an alert in the operator's catalogue.

Kubernetes alerts come from exporters. kube-state-metrics names the workload in ``container``, ``pod`` and labels of the
workload's kind (https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics), while ``job`` and ``service``
name the exporter. Prometheus renames a label of a metric to ``exported_NAME`` if the scraped target has the label
``NAME`` (``honor_labels`` in https://prometheus.io/docs/prometheus/latest/configuration/configuration/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from watchkeeper.alerts.workload_names import service_names
from watchkeeper.contracts import Alert

_SCRAPER = re.compile(r"(?:.*-)?(?:exporter|kube-state-metrics|cadvisor|kubelet|pushgateway|otel-collector)(?:-\d+)?")
_OF_SCRAPER = frozenset({"service", "job", "app", "app_kubernetes_io_name", "component", "instance"})
"""Labels that name the scraped target. On an alert of an exporter they do not name what is in trouble."""

_EXPORTED = "exported_"
_HOSTS = frozenset(
    {
        "pod",
        "exported_pod",
        "pod_name",
        "replicaset",
        "owner_name",
        "persistentvolumeclaim",
        "job_name",
        "instance",
        "target",
        "host",
        "hostname",
        "server_name",
    }
)
"""Labels of one instance of a service. Its service is only found by a rule of names."""


def match_service(alert: Alert, catalogue: Iterable[str], labels: Sequence[str]) -> str | None:
    """Return the catalogue name of an alert's service, or of the first of these labels that names a service.

    Upper and lower case, and hyphen, underscore and blank, are treated as equal. A name that is not in the catalogue is
    read as the name of a pod, a host, or an object in a namespace. None if nothing matches.
    """
    names = {_normalize(name): name for name in catalogue}
    candidates = list(_candidates(alert, labels))
    whole = (names.get(_normalize(value)) for _, value in candidates)
    derived = (
        names.get(_normalize(part)) for label, value in candidates for part in service_names(value, label in _HOSTS)
    )
    return next((name for name in (*whole, *derived) if name), None)


def unknown_service(alert: Alert, labels: Sequence[str]) -> str | None:
    """Return what an alert itself calls its service, for an alert whose service is not in the catalogue."""
    return next((value for label, value in _candidates(alert, labels) if label not in _HOSTS), None)


def _candidates(alert: Alert, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the label and the value of everything that may name the service, the best first."""
    exported = {name.removeprefix(_EXPORTED) for name in alert.labels if name.startswith(_EXPORTED)}
    scraped = any(_is_scraper(alert.labels.get(name, "")) for name in ("job", "service"))
    hidden = exported | (_OF_SCRAPER if scraped and _names_workload(alert, labels) else set())
    if alert.service and not (alert.labels.get("service") == alert.service and "service" in hidden):
        yield "service", alert.service
    for name in labels:
        value = alert.labels.get(name, "")
        if value.strip() and name not in hidden:
            yield name, value


def _names_workload(alert: Alert, labels: Sequence[str]) -> bool:
    return any(alert.labels.get(name, "").strip() for name in labels if name not in _OF_SCRAPER)


def _is_scraper(name: str) -> bool:
    return _SCRAPER.fullmatch(_normalize(name)) is not None


def _normalize(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())
