"""The alert that starts the demo incident, in Alertmanager's format."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from watchkeeper.contracts import JsonObject

SECONDS = 10.0
"""How long to wait for the intake's answer."""

SERVICE = "checkout"


class AlertNotAccepted(Exception):
    """The intake did not accept the alert; the text gives the reason."""


@dataclass(frozen=True)
class AcceptedAlert:
    """What the intake answered."""

    run: str
    """Workflow id of the run."""
    outcome: str
    """``started``; ``joined`` an open run; or ``repeated``: an earlier run has reported this firing."""


def send_alert(intake: str, source: str, token: str, body: JsonObject) -> AcceptedAlert:
    """Post a notification to an intake, such as ``http://intake:8080``.

    Raises AlertNotAccepted.
    """
    address = f"{intake}/alerts/{source}"
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = Request(address, json.dumps(body).encode(), headers)
    try:
        with urlopen(request, timeout=SECONDS) as response:
            answer = json.load(response)
    except HTTPError as error:
        text = error.read().decode(errors="replace")
        raise AlertNotAccepted(f"POST {address} answered {error.code}: {text}") from error
    except (URLError, TimeoutError) as error:
        raise AlertNotAccepted(f"POST {address} was not answered: {error}") from error
    runs = answer.get("runs", [])
    if not runs:
        raise AlertNotAccepted(f"POST {address} concerns no run: {json.dumps(answer)}")
    return AcceptedAlert(str(runs[0]["run"]), str(runs[0]["outcome"]))


def notification(at: datetime, cluster: str = "", ends_at: datetime | None = None) -> JsonObject:
    """Return the body of Alertmanager's webhook (version 4) for a checkout that fails since ``at``.

    ``cluster``: where it fails; each cluster has its own group. ``ends_at``: when it recovered; None: it still fails.
    """
    group_labels = {"alertname": "HighErrorRate", "service": SERVICE, **({"cluster": cluster} if cluster else {})}
    labels = {**group_labels, "severity": "critical", "team": SERVICE}
    annotations = {
        "summary": "checkout fails 18.2% of requests",
        "description": "More than 5% of requests were answered with a 5xx for five minutes.",
    }
    status = "firing" if ends_at is None else "resolved"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _timestamp(at),
        "endsAt": "0001-01-01T00:00:00Z" if ends_at is None else _timestamp(ends_at),
        "fingerprint": hashlib.sha256(repr(labels).encode()).hexdigest()[:16],
    }
    grouped_by = ", ".join(f"{name}={json.dumps(value)}" for name, value in group_labels.items())
    return {
        "version": "4",
        "status": status,
        "receiver": "watchkeeper",
        "groupKey": f"{{}}:{{{grouped_by}}}",
        "truncatedAlerts": 0,
        "groupLabels": group_labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
