"""The simulated Loki: its query API over the log lines of the scenario.

The labels of a stream are ``service``, ``level`` and ``env``. Errors are plain text, as Loki sends them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.log_generator import LEVELS, GeneratedLine, generate_lines
from watchkeeper.demo.query_shapes import LogQuery, QueryError, parse_logql
from watchkeeper.demo.scenario import Scenario

MAX_LIMIT = 5_000
"""Lines per query: Loki's own default of ``max_entries_limit_per_query``."""

_HOUR = 3_600_000_000_000

_Labels = frozenset[tuple[str, str]]


def loki_app(scenario: Scenario) -> Starlette:
    """Build the server of ``/loki/api/v1/query_range`` (log lines), ``/loki/api/v1/query`` (counts) and ``/ready``."""

    async def query_range(request: Request) -> Response:
        parameters = request.query_params
        query = parse_logql(parameters.get("query", ""))
        if query.seconds is not None:
            raise QueryError("the simulated Loki answers a metric query only as an instant query")
        end = _nanoseconds(parameters, "end", time.time_ns())
        start = _nanoseconds(parameters, "start", end - _HOUR)
        if end <= start:
            raise QueryError("end timestamp must not be before or equal to start time")
        lines = _find_lines(scenario, query, start, end)
        if parameters.get("direction") != "forward":
            lines.reverse()
        return _success("streams", _streams(lines[: _limit(parameters)]))

    async def query(request: Request) -> Response:
        parameters = request.query_params
        query = parse_logql(parameters.get("query", ""))
        if query.seconds is None:
            # Loki's own text.
            raise QueryError(
                "log queries are not supported as an instant query type, please change your query to a range query type"
            )
        at = _nanoseconds(parameters, "time", time.time_ns())
        # A count excludes the start of its window and includes the end.
        lines = _find_lines(scenario, query, at - query.seconds * 1_000_000_000 + 1, at + 1)
        sample = {"metric": {}, "value": [at / 1e9, str(len(lines))]}
        return _success("vector", [sample] if lines else [])

    return Starlette(
        routes=[
            Route("/loki/api/v1/query_range", query_range),
            Route("/loki/api/v1/query", query),
            Route("/ready", PlainTextResponse("ready\n")),
        ],
        exception_handlers={QueryError: _bad_request},
    )


def _find_lines(scenario: Scenario, query: LogQuery, start: int, end: int) -> list[tuple[_Labels, GeneratedLine]]:
    """Return the matching lines with start <= time < end (Unix nanoseconds) and their streams, oldest first."""
    found: list[tuple[_Labels, GeneratedLine]] = []
    for service in scenario.steady:
        streams = {level: {"service": service, "level": level, "env": "production"} for level in LEVELS}
        selected = {
            level: frozenset(labels.items())
            for level, labels in streams.items()
            if all(matcher.matches(labels) for matcher in query.matchers)
        }
        if not selected:
            continue
        # The generator counts in seconds: ask for a little more, then compare the exact times.
        lines = generate_lines(scenario, service, start / 1e9 - 0.01, end / 1e9 + 0.01)
        found += [
            (selected[line.level], line)
            for line in lines
            if line.level in selected and query.text in line.text and start <= line.at < end
        ]
    return sorted(found, key=lambda pair: pair[1].at)


def _streams(lines: list[tuple[_Labels, GeneratedLine]]) -> list[JsonObject]:
    streams: dict[_Labels, list[list[str]]] = defaultdict(list)
    for labels, line in lines:
        streams[labels].append([str(line.at), line.text])
    return [{"stream": dict(sorted(labels)), "values": values} for labels, values in streams.items()]


def _limit(parameters: Mapping[str, str]) -> int:
    text = parameters.get("limit", "100")
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


def _nanoseconds(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise QueryError(f'the simulated Loki reads "{name}" as Unix nanoseconds, not "{text}"')
    return int(text)


def _success(result_type: str, result: list[JsonObject]) -> Response:
    return JSONResponse({"status": "success", "data": {"resultType": result_type, "result": result, "stats": {}}})


async def _bad_request(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 400)
