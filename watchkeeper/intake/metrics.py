"""The Prometheus metrics of the intake."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.watchdog.models import WatchdogCounts

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds; fine around 1, within which most senders expect an answer."""

_ALERTS = "/alerts/"

_CLIENT_LEFT = 499
"""Counted for a request whose sender closed the connection before the answer, as proxies do."""

_WATCHDOG = {
    "watched": "Accepted incidents without a report or a page.",
    "refused": "Watched incidents that Temporal did not accept.",
    "pages": "Pages sent since the start.",
    "failed": "Pages that the pager did not accept; each is retried.",
    "unpageable": "Incidents for which no person can be paged.",
    "unjournaled": "Failed writes to the journal.",
    "approvals": "Runs that wait for a person's approval.",
    "stuck": "Runs that make no progress, because their workflow tasks fail again and again.",
    "outage": "1 while Temporal or all workers are unavailable.",
}


class IntakeMetrics:
    """The metrics of one intake, in their own registry."""

    def __init__(self, sources: Iterable[str], watchdog: WatchdogCounts | None = None) -> None:
        self.registry = CollectorRegistry()
        self._sources = frozenset(sources)
        self._alerts = Counter(
            "watchkeeper_intake_alerts",
            "Alerts by outcome; a refused request counts as one.",
            ("source", "outcome", "reason"),
            registry=self.registry,
        )
        self._unknown_severities = Counter(
            "watchkeeper_intake_unknown_severities",
            "Severities in requests that are neither known nor listed in the settings of their source.",
            ("source",),
            registry=self.registry,
        )
        self._unknown_services = Counter(
            "watchkeeper_intake_unknown_service_alerts",
            "Alerts whose service the catalogue does not name.",
            ("source",),
            registry=self.registry,
        )
        self._requests = Counter(
            "watchkeeper_intake_requests",
            "Requests of alert sources, by status code; source is empty if no such source is configured.",
            ("source", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "watchkeeper_intake_seconds",
            "Time to answer a request of an alert source.",
            ("source",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "watchkeeper_intake_refusals",
            "Requests without a valid token, password or signature, by path.",
            ("door",),
            registry=self.registry,
        )
        for name, description in _WATCHDOG.items() if watchdog else ():
            gauge = Gauge(f"watchkeeper_watchdog_{name}", description, registry=self.registry)
            gauge.set_function(lambda name=name: float(getattr(watchdog, name)))  # type: ignore[misc]

    def count_alerts(self, source: str, outcome: str, reason: str | None = None, number: int = 1) -> None:
        """Count alerts by outcome; ``reason`` has a closed set of values."""
        self._alerts.labels(source, outcome, reason or "").inc(number)

    def count_unknown_severities(self, source: str, number: int) -> None:
        """Count severities of one request that are not known."""
        self._unknown_severities.labels(source).inc(number)

    def count_refusal(self, door: str) -> None:
        """Count a request that nothing proves; ``door`` has a closed set of values."""
        self._refusals.labels(door).inc()

    def count_unknown_service(self, source: str, number: int) -> None:
        """Count alerts whose service the catalogue does not name. The name is no label: senders choose it."""
        self._unknown_services.labels(source).inc(number)

    def count_request(self, path: str, code: int, seconds: float) -> None:
        """Count a request to ``/alerts/...``. An unknown name is no label: each value would be kept permanently."""
        name = path.removeprefix(_ALERTS)
        source = name if name in self._sources else ""
        self._requests.labels(source, str(code)).inc()
        self._seconds.labels(source).observe(seconds)


class RequestMetricsMiddleware:
    """Counts and times every request of an alert source, including refused ones."""

    def __init__(self, app: ASGIApp, metrics: IntakeMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_ALERTS):
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        started, code = clock(), _CLIENT_LEFT

        async def send_and_note(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            code = 500
            raise
        finally:
            self._metrics.count_request(scope["path"], code, clock() - started)
