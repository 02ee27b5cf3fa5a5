"""The tool ``get_service_health``: the current health of a service, from Prometheus."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from watchkeeper.backend import Aggregate, bearer, fetch_as
from watchkeeper.config.sections import PrometheusSettings
from watchkeeper.config.settings import env_variable
from watchkeeper.tool import Arguments, Service, ToolContext, ToolError, tool

DOWN_ERROR_RATE = 0.9
"""From this error rate on, a service counts as down."""

HealthStatus: TypeAlias = Literal["healthy", "degraded", "down", "no_traffic", "unknown"]


class GetServiceHealth(Arguments):
    """Arguments of ``get_service_health``."""

    service: Service = Field(description="Name in the service catalogue.")


class ServiceHealth(BaseModel):
    """The health of a service. A number that the metrics do not give is absent."""

    service: str
    status: HealthStatus = "unknown"
    error_rate: float | None = None
    """Fraction of the requests that fail, 0 to 1."""
    p95_latency_ms: int | None = None
    requests_per_second: float | None = None
    window: str
    note: str | None = None


@tool(effect="read", timeout=timedelta(seconds=20))
async def get_service_health(args: GetServiceHealth, context: ToolContext) -> ServiceHealth:
    """Measure how a service does right now: status, share of failing requests, p95 latency, traffic.

    Use it first on the service in trouble, then on the services around it to see how far the trouble reaches. It says
    whether and how badly a service fails, not why: for that, search its logs and look at its deploys. The status
    no_traffic or unknown is not good health; the note says what to check then.
    """
    prometheus = context.settings.prometheus
    matchers = context.settings.services[args.service].metrics_selector or f"service={json.dumps(args.service)}"
    requests, errors, p95 = await asyncio.gather(
        *(_ask(query, context) for query in _queries(prometheus, matchers)),
    )
    health = ServiceHealth(service=args.service, window=prometheus.window)
    notes = _measure(health, requests, errors, p95)
    health.status = _status(health, prometheus)
    match health.status:
        case "unknown" if requests.absent:
            notes.append(
                f"No series {prometheus.requests_metric}{{{matchers}}}: the service reports nothing. It may be down, "
                "not scraped, or named otherwise; check its deploys and logs, and the services that call it."
            )
        case "no_traffic":
            notes.append(
                "Not a single request came in, which is not good health: what sends the traffic may be broken, or the "
                "service cannot be reached; check the services that call it, its deploys and its logs."
            )
    warnings = {warning for answer in (requests, errors, p95) for warning in answer.warnings or ()}
    notes += [f"Prometheus warns: {warning}" for warning in sorted(warnings)]
    health.note = " ".join(notes) or None
    return health


def _queries(prometheus: PrometheusSettings, matchers: str) -> tuple[str, str, str]:
    """Return the queries: requests per second, failed requests per second, p95 latency in seconds."""
    metric, window = prometheus.requests_metric, prometheus.window
    buckets = f"{prometheus.latency_metric}_bucket{{{matchers}}}[{window}]"
    return (
        f"sum(rate({metric}{{{matchers}}}[{window}]))",
        f"sum(rate({metric}{{{matchers},{prometheus.errors_matcher}}}[{window}]))",
        f"histogram_quantile(0.95, sum by (le) (rate({buckets})))",
    )


async def _ask(query: str, context: ToolContext) -> Aggregate:
    prometheus = context.settings.prometheus
    if prometheus.url is None:
        raise ToolError(
            "no Prometheus is configured, so the health of services is not known; "
            f"the operator can set prometheus.url ({env_variable('prometheus', 'url')})"
        )
    return await fetch_as(
        Aggregate,
        context.http,
        "GET",
        f"{prometheus.url}/api/v1/query",
        params={"query": query, "time": f"{context.at.timestamp():.3f}"},
        headers=bearer(prometheus.token),
    )


def _measure(health: ServiceHealth, requests: Aggregate, errors: Aggregate, p95: Aggregate) -> list[str]:
    """Set the numbers of ``health``; return notes about them."""
    if requests.number is None:
        return []
    health.requests_per_second = round(requests.number, 3)
    if not requests.number:
        return []
    notes = []
    failing = 0.0 if errors.absent else errors.number
    if errors.absent:
        notes.append("No failed request was ever counted, which is taken as no errors.")
    if failing is None:
        notes.append("The error rate is not known: Prometheus gives no number.")
    else:
        health.error_rate = round(failing / requests.number, 4)
    if p95.number is None:
        notes.append("The latency is not known: its histogram gives no number.")
    else:
        health.p95_latency_ms = round(p95.number * 1_000)
    return notes


def _status(health: ServiceHealth, prometheus: PrometheusSettings) -> HealthStatus:
    if health.requests_per_second == 0:
        return "no_traffic"
    if health.error_rate is None:
        return "unknown"
    if health.error_rate >= DOWN_ERROR_RATE:
        return "down"
    slow = health.p95_latency_ms is not None and health.p95_latency_ms >= prometheus.degraded_p95_ms
    return "degraded" if slow or health.error_rate >= prometheus.degraded_error_rate else "healthy"
