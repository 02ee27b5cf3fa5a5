"""The alert that starts the demo incident, in Alertmanager's format."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from watchkeeper.contracts import JsonObject

SECONDS = 10.0
"""How long to wait for the intake's answer."""

SERVICE = "checkout"


class AlertNotAccepted(Exception):
    """The intake did not accept the alert; the text gives the reason."""


def send_alert(intake: str, source: str, token: str, at: datetime) -> str:
    """Post the alert to an intake, such as ``http://intake:8080``, and return the workflow id of the run.

    Raises AlertNotAccepted.
    """
    address = f"{intake}/alerts/{source}"
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = Request(address, json.dumps(notification(at)).encode(), headers)
    try:
        with urlopen(request, timeout=SECONDS) as response:
            body = json.load(response)
    except HTTPError as error:
        text = error.read().decode(errors="replace")
        raise AlertNotAccepted(f"POST {address} answered {error.code}: {text}") from error
    except (URLError, TimeoutError) as error:
        raise AlertNotAccepted(f"POST {address} was not answered: {error}") from error
    runs = body.get("runs", [])
    if not runs:
        raise AlertNotAccepted(f"POST {address} started no run: {json.dumps(body)}")
    return str(runs[0]["run"])


def notification(at: datetime) -> JsonObject:
    """Return the body of Alertmanager's webhook (version 4) for a checkout that fails since ``at``."""
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
    group_labels = {"alertname": labels["alertname"], "service": SERVICE}
    return {
        "version": "4",
        "status": "firing",
        "receiver": "watchkeeper",
        "groupKey": f'{{}}:{{alertname="{labels["alertname"]}", service="{SERVICE}"}}',
        "truncatedAlerts": 0,
        "groupLabels": group_labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }
