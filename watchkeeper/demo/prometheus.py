"""The simulated Prometheus: its HTTP API over the traffic of the scenario.

Two metrics, as a service mesh would export them: ``http_requests_total{service,code}`` and
``http_request_duration_seconds_bucket{service,le}``. A rate is the one that holds at the time asked about, whatever
the window: the incident is a step, not a ramp.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo import promql
from watchkeeper.demo.query_lexer import QueryError, seconds
from watchkeeper.demo.scenario import Scenario

REQUESTS = "http_requests_total"
LATENCY = "http_request_duration_seconds_bucket"
MAX_POINTS = 11_000
"""Per series, as Prometheus has it."""

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def prometheus_app(scenario: Scenario) -> Starlette:
    """Build the server."""

    def rates(metric: str, at: float) -> Iterator[tuple[Mapping[str, str], float]]:
        return _rates(scenario, metric, at)

    async def query(request: Request) -> Response:
        parameters = await _parameters(request)
        at = _time(parameters, "time", time.time())
        value = _expression(parameters, rates)(at)
        if not isinstance(value, dict):
            return _success({"resultType": "scalar", "result": [at, _text(value)]})
        result = [{"metric": dict(sorted(labels)), "value": [at, _text(v)]} for labels, v in value.items()]
        return _success({"resultType": "vector", "result": result})

    async def query_range(request: Request) -> Response:
        parameters = await _parameters(request)
        points = _points(parameters)
        return _success({"resultType": "matrix", "result": _matrix(_expression(parameters, rates), points)})

    async def label_values(request: Request) -> Response:
        label = request.path_params["label"]
        if label == "__name__":
            return _success([LATENCY, REQUESTS])
        series = [labels for metric in (REQUESTS, LATENCY) for labels, _ in rates(metric, time.time())]
        return _success(sorted({labels[label] for labels in series if label in labels}))

    return Starlette(
        routes=[
            Route("/api/v1/query", query, methods=["GET", "POST"]),
            Route("/api/v1/query_range", query_range, methods=["GET", "POST"]),
            Route("/api/v1/label/{label}/values", label_values),
            Route("/-/ready", PlainTextResponse("Prometheus Server is Ready.\n")),
        ],
        exception_handlers={QueryError: _bad_data},
    )


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
    """Share of the requests at or under each bound, such that the 95th percentile comes out at ``p95``.

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


async def _parameters(request: Request) -> Mapping[str, str]:
    parameters = dict(request.query_params)
    if request.method == "POST":
        form = await request.form()
        parameters |= {key: value for key, value in form.items() if isinstance(value, str)}
    return parameters


def _expression(parameters: Mapping[str, str], rates: promql.Rates) -> promql.Expression:
    try:
        return promql.parse(parameters.get("query", ""), rates)
    except QueryError as error:
        raise QueryError(f'invalid parameter "query": {error}') from None


def _time(parameters: Mapping[str, str], name: str, default: float | None = None) -> float:
    text = parameters.get(name, "")
    if not text and default is not None:
        return default
    for read in (float, lambda text: datetime.fromisoformat(text).timestamp()):
        try:
            return read(text)
        except ValueError:
            continue
    raise QueryError(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')


def _points(parameters: Mapping[str, str]) -> list[float]:
    start, end = _time(parameters, "start"), _time(parameters, "end")
    if end < start:
        raise QueryError('invalid parameter "end": end timestamp must not be before start time')
    step = _step(parameters.get("step", ""))
    if (end - start) / step > MAX_POINTS:
        raise QueryError(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    return [start + i * step for i in range(int((end - start) / step) + 1)]


def _step(text: str) -> float:
    try:
        step = seconds(text) or float(text)
    except ValueError:
        raise QueryError(f'invalid parameter "step": cannot parse "{text}" to a valid duration') from None
    if step <= 0:
        raise QueryError(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    return step


def _matrix(expression: promql.Expression, points: list[float]) -> list[JsonObject]:
    series: dict[promql.Labels, list[list[object]]] = {}
    for at in points:
        value = expression(at)
        vector: promql.Vector = value if isinstance(value, dict) else {frozenset(): value}
        for labels, number in vector.items():
            series.setdefault(labels, []).append([at, _text(number)])
    return [{"metric": dict(sorted(labels)), "values": values} for labels, values in series.items()]


def _text(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)


def _success(data: object) -> Response:
    return JSONResponse({"status": "success", "data": data})


async def _bad_data(request: Request, error: Exception) -> Response:
    return JSONResponse({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)
