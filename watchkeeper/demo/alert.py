"""The alert by which the demo's incident begins, as Alertmanager sends it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from watchkeeper.contracts import JsonObject

SECONDS = 10.0
"""For the intake to answer."""

SERVICE = "checkout"


class AlertNotAccepted(Exception):
    """The intake did not take the alert; the text says why."""


def send_alert(intake: str, source: str, token: str, at: datetime) -> str:
    """Post the alert to an intake, such as ``http://intake:8080``, and return the workflow id of the run.

    Raises AlertNotAccepted.
    """
    address = f"{intake}/alerts/{source}"
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = Request(address, json.dumps(notification(at)).encode(), headers)
    try:
        with urlopen(request, timeout=SECONDS) as answer:
            answered = json.load(answer)
    except HTTPError as error:
        said = error.read().decode(errors="replace")
        raise AlertNotAccepted(f"POST {address} answered {error.code}: {said}") from error
    except (URLError, TimeoutError) as error:
        raise AlertNotAccepted(f"POST {address} was not answered: {error}") from error
    runs = answered.get("runs", [])
    if not runs:
        raise AlertNotAccepted(f"POST {address} started no run: {json.dumps(answered)}")
    return str(runs[0]["run"])


def notification(at: datetime) -> JsonObject:
    """Write what Alertmanager sends, in version 4 of its webhook, when checkout begins to fail at a time."""
    labels = {"alertname": "HighErrorRate", "service": SERVICE, "severity": "critical", "team": SERVICE}
    annotations = {
        "summary": "checkout fails 18.2% of requests",
        "description": "More than 5% of requests were answered with a 5xx for five minutes.",
    }
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": hashlib.sha256(repr(labels).encode()).hexdigest()[:16],
    }
    grouped = {"alertname": labels["alertname"], "service": SERVICE}
    return {
        "version": "4",
        "status": "firing",
        "receiver": "watchkeeper",
        "groupKey": f'{{}}:{{alertname="{labels["alertname"]}", service="{SERVICE}"}}',
        "truncatedAlerts": 0,
        "groupLabels": grouped,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }
