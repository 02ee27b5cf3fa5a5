"""What the intake counts, for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.watchdog.models import WatchdogCounts

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds; fine around the one within which senders want their answer."""

_ALERTS = "/alerts/"

_WATCHDOG = {
    "watched": "Accepted incidents without a report or a page.",
    "refused": "Those among them that Temporal could not take.",
    "pages": "Pages sent since the start.",
    "failed": "Pages that the pager did not take; each is tried again.",
    "unpageable": "Incidents for which nobody can be paged.",
    "unjournaled": "Writes to the journal that failed.",
    "outage": "1 while there is no Temporal or no worker.",
}


class Metrics:
    """Counters of one intake, in a registry of its own."""

    def __init__(self, sources: Iterable[str], watchdog: WatchdogCounts | None = None) -> None:
        self.registry = CollectorRegistry()
        self._sources = frozenset(sources)
        self._alerts = Counter(
            "watchkeeper_intake_alerts",
            "Alerts by what became of them; refused ones are counted a request each.",
            ("source", "outcome", "reason"),
            registry=self.registry,
        )
        self._requests = Counter(
            "watchkeeper_intake_requests",
            "Requests of alert sources by status; the source is empty where none is configured by that name.",
            ("source", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "watchkeeper_intake_seconds",
            "Seconds until a request of an alert source was answered.",
            ("source",),
            buckets=_BUCKETS,
            registry=self.registry,
        )

        for name, says in _WATCHDOG.items() if watchdog else ():
            gauge = Gauge(f"watchkeeper_watchdog_{name}", says, registry=self.registry)
            gauge.set_function(lambda name=name: float(getattr(watchdog, name)))  # type: ignore[misc]

    def alerts(self, source: str, outcome: str, reason: str | None = None, times: int = 1) -> None:
        """Count what became of alerts; ``reason`` is of a closed set."""
        self._alerts.labels(source, outcome, reason or "").inc(times)

    def answered(self, path: str, code: int, seconds: float) -> None:
        """Count a request to ``/alerts/...``. Names of strangers are no labels: each would be kept for ever."""
        name = path.removeprefix(_ALERTS)
        source = name if name in self._sources else ""
        self._requests.labels(source, str(code)).inc()
        self._seconds.labels(source).observe(seconds)


class Measured:
    """Counts and times the requests of alert sources, whatever answers them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_ALERTS):
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        began, code = clock(), 500

        async def told(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            self._metrics.answered(scope["path"], code, clock() - began)
