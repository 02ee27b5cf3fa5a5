"""The simulated Prometheus: instant queries over the traffic of the scenario.

Two metrics, as a service mesh exports them: ``http_requests_total{service,code}`` and
``http_request_duration_seconds_bucket{service,le}``. A rate is the rate at the time of the query, for any window: the
incident is a step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchkeeper.demo.query_shapes import MetricQuery, QueryError, parse_promql
from watchkeeper.demo.scenario import Scenario

REQUESTS = "http_requests_total"
LATENCY = "http_request_duration_seconds_bucket"

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_Series = list[tuple[Mapping[str, str], float]]
"""Labels and rate per second of each series."""


def prometheus_app(scenario: Scenario) -> Starlette:
    """Build the server of ``/api/v1/query`` and ``/-/ready``."""

    async def query(request: Request) -> Response:
        parameters = request.query_params
        try:
            at = float(parameters.get("time", time.time()))
        except ValueError:
            raise QueryError(f'invalid parameter "time": cannot parse "{parameters["time"]}" to a timestamp') from None
        try:
            parsed = parse_promql(parameters.get("query", ""))
        except QueryError as error:
            raise QueryError(f'invalid parameter "query": {error}') from None
        value = _evaluate(parsed, scenario, at)
        result = [] if value is None else [{"metric": {}, "value": [at, _text(value)]}]
        return JSONResponse({"status": "success", "data": {"resultType": "vector", "result": result}})

    return Starlette(
        routes=[
            Route("/api/v1/query", query),
            Route("/-/ready", PlainTextResponse("Prometheus Server is Ready.\n")),
        ],
        exception_handlers={QueryError: _bad_data},
    )


def _evaluate(query: MetricQuery, scenario: Scenario, at: float) -> float | None:
    """Return the value of a query; None if no series matches."""
    series: _Series = [
        (labels, rate)
        for labels, rate in _rates(scenario, query.metric, at)
        if all(matcher.matches(labels) for matcher in query.matchers)
    ]
    if not series:
        return None
    if query.quantile is None:
        return math.fsum(rate for _, rate in series)
    bounds = {float(labels["le"]) for labels, _ in series if "le" in labels}
    buckets = [
        (bound, math.fsum(r for labels, r in series if float(labels["le"]) == bound)) for bound in sorted(bounds)
    ]
    return _histogram_quantile(query.quantile, buckets) if buckets else None


def _rates(scenario: Scenario, metric: str, at: float) -> Iterator[tuple[Mapping[str, str], float]]:
    for service in scenario.steady:
        traffic = scenario.traffic(service, at)
        if metric == REQUESTS:
            failed = traffic.requests_per_second * traffic.error_ratio
            yield {"service": service, "code": "200"}, traffic.requests_per_second - failed
            yield {"service": service, "code": "500"}, failed
        elif metric == LATENCY:
            for bound, share in zip((*_BOUNDS, math.inf), _shares(traffic.p95), strict=True):
                le = "+Inf" if math.isinf(bound) else f"{bound:g}"
                yield {"service": service, "le": le}, traffic.requests_per_second * share


def _shares(p95: float) -> list[float]:
    """Return the share of the requests at or under each bound for which the 95th percentile is ``p95``.

    ``p95`` lies between the first and the last bound.
    """
    upper = next(i for i, bound in enumerate(_BOUNDS) if p95 <= bound)
    lower = _BOUNDS[upper - 1]
    inside = (p95 - lower) / (_BOUNDS[upper] - lower)
    if inside >= 0.5:
        below, within = 0.9, 0.9 + 0.05 / inside
    else:
        below, within = (0.95 - inside) / (1 - inside), 1.0
    return [below * (i + 1) / upper for i in range(upper)] + [within] + [1.0] * (len(_BOUNDS) - upper)


def _histogram_quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    """Interpolate inside the bucket that holds the rank, as Prometheus does."""
    total = buckets[-1][1]
    if not total or not math.isinf(buckets[-1][0]) or len(buckets) < 2:
        return math.nan
    rank, lower, below = quantile * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            return buckets[-2][0] if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return math.nan


def _text(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)


async def _bad_data(request: Request, error: Exception) -> Response:
    return JSONResponse({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)
