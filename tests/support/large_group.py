"""A large group of alerts as kube-prometheus and Alertmanager send it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

from watchkeeper.contracts import JsonObject

_NEVER = "0001-01-01T00:00:00Z"


def kube_alert(number: int, status: Literal["firing", "resolved"] = "firing", **labels: str) -> JsonObject:
    """Return one alert, of about 900 bytes as JSON."""
    pod = f"checkout-7d9f{number:06}-x2x4q"
    return {
        "status": status,
        "labels": {
            "alertname": "KubePodCrashLooping",
            "container": "app",
            "endpoint": "http",
            "instance": f"10.{number // 62_500}.{number // 250 % 250}.{number % 250}:8080",
            "job": "kube-state-metrics",
            "namespace": "shop",
            "pod": pod,
            "prometheus": "monitoring/k8s",
            "reason": "CrashLoopBackOff",
            "service": "checkout",
            "severity": "critical",
            "uid": f"{number:032x}",
            **labels,
        },
        "annotations": {
            "description": f'Pod shop/{pod} (app) is in waiting state (reason: "CrashLoopBackOff").',
            "runbook_url": "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping",
            "summary": "Pod is crash looping.",
        },
        "startsAt": "2026-11-22T10:00:00.123Z",
        "endsAt": _NEVER if status == "firing" else "2026-11-22T10:30:00Z",
        "generatorURL": "http://prometheus-k8s-0:9090/graph?g0.expr=max_over_time%28kube_pod_container_status_waiting"
        "_reason%7Breason%3D%22CrashLoopBackOff%22%7D%5B5m%5D%29+%3E%3D+1&g0.tab=1",
        "fingerprint": f"{number:016x}",
    }


def large_group(
    count: int, key: str = '{}:{namespace="shop"}', status: Callable[[int], Literal["firing", "resolved"]] | None = None
) -> bytes:
    """Return the notification of one group. ``status``: of each alert; default: all fire."""
    alerts = [kube_alert(number, status(number) if status else "firing") for number in range(count)]
    body = {
        "receiver": "watchkeeper",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": {"namespace": "shop"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
    }
    return json.dumps(body).encode()
