"""The simulated Loki: its query API over the log lines of the scenario.

A stream is ``{service,level,env}``. Errors are plain text, as Loki sends them.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo import logql
from watchkeeper.demo.log_generator import LEVELS, GeneratedLine, generate_lines
from watchkeeper.demo.query_lexer import QueryError, seconds
from watchkeeper.demo.scenario import Scenario

MAX_LIMIT = 5_000
"""Lines per query: Loki's own default of ``max_entries_limit_per_query``."""
MAX_POINTS = 11_000

_Labels = frozenset[tuple[str, str]]


def loki_app(scenario: Scenario) -> Starlette:
    """Build the server."""

    async def query_range(request: Request) -> Response:
        asked = request.query_params
        parsed = logql.parse(asked.get("query", ""))
        end = _time(asked, "end", time.time())
        start = _time(asked, "start", end - 3600)
        if end <= start:
            raise QueryError("end timestamp must not be before or equal to start time")
        if isinstance(parsed, logql.LogQuery):
            found = _find(scenario, parsed, start, end)
            return _success("streams", _streams(found, _limit(asked), asked.get("direction") != "forward"))
        counts = _count(scenario, parsed, _points(asked, start, end))
        return _success("matrix", [{"metric": dict(sorted(k)), "values": v} for k, v in counts.items()])

    async def query(request: Request) -> Response:
        asked = request.query_params
        parsed = logql.parse(asked.get("query", ""))
        if isinstance(parsed, logql.LogQuery):
            raise QueryError(
                "log queries are not supported as an instant query type, please change your query to a range query type"
            )
        counts = _count(scenario, parsed, [_time(asked, "time", time.time())])
        return _success("vector", [{"metric": dict(sorted(k)), "value": v[0]} for k, v in counts.items()])

    return Starlette(
        routes=[
            Route("/loki/api/v1/query_range", query_range),
            Route("/loki/api/v1/query", query),
            Route("/ready", PlainTextResponse("ready\n")),
        ],
        exception_handlers={QueryError: _refuse},
    )


def _find(scenario: Scenario, query: logql.LogQuery, start: float, end: float) -> list[tuple[_Labels, GeneratedLine]]:
    """Return the lines that a query means, with their streams, oldest first."""
    found: list[tuple[_Labels, GeneratedLine]] = []
    for service in scenario.steady:
        streams = {level: {"service": service, "level": level, "env": "production"} for level in LEVELS}
        meant = {level: frozenset(labels.items()) for level, labels in streams.items() if query.selects(labels)}
        if meant:
            written = generate_lines(scenario, service, start, end)
            found += [(meant[line.level], line) for line in written if line.level in meant and query.passes(line.text)]
    return sorted(found, key=lambda pair: pair[1].at)


def _streams(found: list[tuple[_Labels, GeneratedLine]], limit: int, backward: bool) -> list[JsonObject]:
    streams: dict[_Labels, list[list[str]]] = defaultdict(list)
    for labels, line in (found[::-1] if backward else found)[:limit]:
        streams[labels].append([str(line.at), line.text])
    return [{"stream": dict(sorted(labels)), "values": values} for labels, values in streams.items()]


def _count(scenario: Scenario, query: logql.MetricQuery, points: list[float]) -> dict[_Labels, list[list[object]]]:
    """Count the lines in the window before each point; a point without lines has no sample."""
    at: dict[_Labels, list[float]] = defaultdict(list)
    for labels, line in _find(scenario, query.logs, points[0] - query.window, points[-1] + 0.001):
        at[query.group(dict(labels))].append(line.at / 1e9)
    samples: dict[_Labels, list[list[object]]] = defaultdict(list)
    for labels, times in at.items():
        for point in points:
            count = bisect_right(times, point) - bisect_right(times, point - query.window)
            if count:
                samples[labels].append([point, f"{count / query.window:g}" if query.per_second else str(count)])
    return samples


def _points(asked: Mapping[str, str], start: float, end: float) -> list[float]:
    text = asked.get("step", "")
    try:
        step = seconds(text) or float(text or max(1, (end - start) // 250))
    except ValueError:
        raise QueryError(f'cannot parse "{text}" to a valid duration') from None
    if step <= 0:
        raise QueryError("zero or negative query resolution step widths are not accepted. Try a positive integer")
    if (end - start) / step > MAX_POINTS:
        raise QueryError(
            "exceeded maximum resolution of 11,000 points per time series. "
            "Try decreasing the query resolution (?step=XX)"
        )
    return [start + i * step for i in range(int((end - start) / step) + 1)]


def _limit(asked: Mapping[str, str]) -> int:
    text = asked.get("limit", "100")
    try:
        limit = int(text)
    except ValueError:
        raise QueryError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if limit <= 0:
        raise QueryError("limit must be a positive value")
    if limit > MAX_LIMIT:
        raise QueryError(
            f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MAX_LIMIT})"
        )
    return limit


def _time(asked: Mapping[str, str], name: str, default: float) -> float:
    """Read nanoseconds, seconds (up to ten digits, or with a point) or RFC 3339."""
    text = asked.get(name)
    if text is None:
        return default
    try:
        if text.isdigit() and len(text) > 10:
            return int(text) / 1e9
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise QueryError(f'could not parse "{name}": "{text}" is no timestamp') from None


def _success(kind: str, result: list[JsonObject]) -> Response:
    return JSONResponse({"status": "success", "data": {"resultType": kind, "result": result, "stats": {}}})


async def _refuse(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 400)
