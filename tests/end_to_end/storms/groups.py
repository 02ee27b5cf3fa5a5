"""Groups of alerts, as Alertmanager words its notifications of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from watchkeeper.contracts import JsonObject

SOURCE = "prom"
SERVICE = "checkout"

_NAME = re.compile(r"shop-[0-9a-f]{6}-\d+")
_NEVER = "0001-01-01T00:00:00Z"


@dataclass
class Group:
    """One group and what the intake has said of it; its name stands in the title of each of its alerts."""

    name: str
    size: int = 1
    began: float = field(default_factory=lambda: time.time() - 60)
    taken: int = 0
    """How often Temporal had its alerts."""
    resolved: bool = False
    """Temporal has the end of its alerts, too."""
    workflow_id: str = ""
    executions: set[str] = field(default_factory=set)
    """First executions of the runs that its alerts were said to be given to."""

    def notification(self, status: Literal["firing", "resolved"]) -> bytes:
        """What Alertmanager posts: every alert of the group, firing or over."""
        over = _time(time.time()) if status == "resolved" else _NEVER
        labels = {"alertname": "HighErrorRate", "shop": self.name}
        alerts = [self._alert(labels, number, status, over) for number in range(self.size)]
        whole = {
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
        return json.dumps(whole).encode()

    def _alert(self, labels: dict[str, str], number: int, status: str, over: str) -> JsonObject:
        return {
            "status": status,
            "labels": {**labels, "instance": f"10.0.0.{number}", "service": SERVICE, "severity": "critical"},
            "annotations": {"summary": f"{self.name} answers every second order with an error"},
            "startsAt": _time(self.began),
            "endsAt": over,
            "generatorURL": "http://prometheus.example:9090/graph",
            "fingerprint": f"{number:016x}",
        }


def groups(count: int, size: int = 1) -> list[Group]:
    """Make groups that no storm before had."""
    token = uuid4().hex[:6]
    return [Group(f"shop-{token}-{number}", size) for number in range(count)]


def named_in(text: str) -> Iterator[str]:
    """Give the names of groups that stand in a text."""
    yield from _NAME.findall(text)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
