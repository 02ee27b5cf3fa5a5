"""Groups of alerts in the form of Alertmanager notifications."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from watchkeeper.contracts import JsonObject

SOURCE = "prom"
LIST_SOURCE = "list"
SERVICE = "checkout"

_NAME = re.compile(r"shop-[0-9a-f]{6}-\d+")
_NEVER = "0001-01-01T00:00:00Z"


@dataclass
class Group:
    """One group and the answers of the intake to it. The title of each alert contains the name."""

    name: str
    size: int = 1
    started_at: float = field(default_factory=lambda: time.time() - 60)
    accepted: int = 0
    """How many notifications Temporal has accepted."""
    resolved: bool = False
    """Whether Temporal has accepted the resolve."""
    workflow_id: str = ""
    executions: set[str] = field(default_factory=set)
    """First execution ids of the runs that the intake named for its alerts."""

    def notification(self, status: Literal["firing", "resolved"], still_firing: int | None = None) -> bytes:
        """Return what Alertmanager posts: every alert of the group, firing or resolved.

        ``still_firing``: number of the one alert that fires although the others are resolved.
        """
        ends_at = _time(time.time()) if status == "resolved" else _NEVER
        labels = {"alertname": "HighErrorRate", "shop": self.name}
        alerts = [self._alert(labels, number, status, ends_at) for number in range(self.size)]
        if still_firing is not None:
            alerts[still_firing] = self._alert(labels, still_firing, "firing", _NEVER)
        body = {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="HighErrorRate", shop="{self.name}"}}',
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "watchkeeper",
            "groupLabels": labels,
            "commonLabels": labels,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "alerts": alerts,
        }
        return json.dumps(body).encode()

    def _alert(self, labels: dict[str, str], number: int, status: str, ends_at: str) -> JsonObject:
        return {
            "status": status,
            "labels": {**labels, "instance": f"10.0.0.{number}", "service": SERVICE, "severity": "critical"},
            "annotations": {"summary": f"{self.name} answers every second order with an error"},
            "startsAt": _time(self.started_at),
            "endsAt": ends_at,
            "generatorURL": "http://prometheus.example:9090/graph",
            "fingerprint": f"{number:016x}",
        }


def list_of_groups(groups: Sequence[Group], status: Literal["firing", "resolved"]) -> bytes:
    """Return one body of the generic source that holds one alert of each group."""
    ends = {"ends_at": _time(time.time())} if status == "resolved" else {}
    items = [
        {
            "id": group.name,
            "title": f"{group.name} answers every second order with an error",
            "status": status,
            "severity": "critical",
            "service": SERVICE,
            "starts_at": _time(group.started_at),
            **ends,
        }
        for group in groups
    ]
    return json.dumps({"items": items}).encode()


def make_groups(count: int, size: int = 1) -> list[Group]:
    """Make groups with names that no earlier storm used."""
    token = uuid4().hex[:6]
    return [Group(f"shop-{token}-{number}", size) for number in range(count)]


def group_names(text: str) -> Iterator[str]:
    """Yield the names of groups in a text."""
    yield from _NAME.findall(text)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
