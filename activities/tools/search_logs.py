"""The tool ``search_logs``: log lines of a service, from Loki."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field

from watchkeeper.backend import Aggregate, bearer, fetch_as
from watchkeeper.config.settings import env_variable
from watchkeeper.text import excerpt
from watchkeeper.tool import Arguments, Service, ToolContext, ToolError, tool

SHOWN = 30
"""Most lines in one result: half of them are the first, half the last lines in the time range."""

LINE_BYTES = 500
"""Most bytes of one line."""

M = TypeVar("M", bound=BaseModel)


class SearchLogs(Arguments):
    """Arguments of ``search_logs``."""

    service: Service = Field(description="Name in the service catalogue.")
    query: str = Field(
        max_length=500, description="Text that the lines contain, case-sensitive, not a pattern; empty: all lines."
    )
    minutes: int = Field(default=30, ge=1, le=1440, description="How far back to look, in minutes.")


class LogLine(BaseModel):
    """One line, with its time in UTC."""

    at: str
    line: str


class Logs(BaseModel):
    """The lines found, oldest first."""

    service: str
    query: str
    total: int
    shown: int
    lines: list[LogLine]
    note: str


@tool(effect="read", timeout=timedelta(seconds=20))
async def search_logs(args: SearchLogs, context: ToolContext) -> Logs:
    """Find recent log lines of a service that contain a text: their number, and the first and last of them.

    Use it when health shows trouble, to learn why: search for a word that failures are logged with (error, Exception,
    timeout, 500), then for what the lines found name. When the first match is, is when the trouble began. Finding
    nothing proves nothing; try another word or an empty query.
    """
    search = _Search(args, context)
    total = await search.count()
    if total <= SHOWN:
        found = await search.lines("forward", SHOWN) if total else set()
    else:
        first, last = await asyncio.gather(search.lines("forward", SHOWN // 2), search.lines("backward", SHOWN // 2))
        found = first | last
    return Logs(
        service=args.service,
        query=args.query,
        total=total,
        shown=len(found),
        lines=[LogLine(at=_time(entry.at), line=excerpt(entry.line, LINE_BYTES)) for entry in sorted(found)],
        note=" ".join([_note(args, search.selector, total, len(found)), *search.warnings]),
    )


class _Entry(NamedTuple):
    at: int
    """Unix nanoseconds."""
    line: str
    stream: str
    """The same line of two streams is two lines."""


class _Stream(BaseModel):
    stream: dict[str, str]
    values: list[tuple[int, str] | tuple[int, str, object]]


class _Streams(BaseModel):
    resultType: Literal["streams"]
    result: list[_Stream]


class _Found(BaseModel):
    status: Literal["success"]
    data: _Streams
    warnings: list[str] | None = None


class _Search:
    """The queries to Loki, all for the same lines."""

    def __init__(self, args: SearchLogs, context: ToolContext) -> None:
        matchers = context.settings.services[args.service].logs_selector or f"service={json.dumps(args.service)}"
        self.selector = f"{{{matchers}}}"
        # A JSON string without ASCII escapes is a LogQL string as well.
        text = json.dumps(args.query, ensure_ascii=False)
        self._query = f"{self.selector} |= {text}" if args.query else self.selector
        self._seconds = args.minutes * 60
        self._end = int(context.at.timestamp() * 1_000_000) * 1_000
        self._context = context
        self.warnings: list[str] = []

    async def count(self) -> int:
        query = f"sum(count_over_time({self._query} [{self._seconds}s]))"
        answer = await self._ask(Aggregate, "query", {"query": query, "time": str(self._end)})
        self._warn(answer.warnings)
        return int(answer.number or 0)

    async def lines(self, direction: Literal["forward", "backward"], limit: int) -> set[_Entry]:
        # A range vector excludes its start and includes its end; query_range includes its start and excludes its end.
        start, end = self._end - self._seconds * 1_000_000_000 + 1, self._end + 1
        params = {"query": self._query, "start": str(start), "end": str(end), "limit": str(limit)}
        answer = await self._ask(_Found, "query_range", {**params, "direction": direction})
        self._warn(answer.warnings)
        return {
            _Entry(at, line, json.dumps(found.stream, sort_keys=True))
            for found in answer.data.result
            for at, line, *_ in found.values
        }

    async def _ask(self, model: type[M], endpoint: str, params: dict[str, str]) -> M:
        loki = self._context.settings.loki
        if loki.url is None:
            raise ToolError(
                "no Loki is configured, so logs cannot be searched; "
                f"the operator can set loki.url ({env_variable('loki', 'url')})"
            )
        tenant = {"X-Scope-OrgID": loki.tenant} if loki.tenant else {}
        return await fetch_as(
            model,
            self._context.http,
            "GET",
            f"{loki.url}/loki/api/v1/{endpoint}",
            params=params,
            headers={**bearer(loki.token), **tenant},
        )

    def _warn(self, warnings: Iterable[str] | None) -> None:
        self.warnings += [text for w in warnings or () if (text := f"Loki warns: {w}") not in self.warnings]


def _note(args: SearchLogs, selector: str, total: int, shown: int) -> str:
    what = f"contain {args.query!r}" if args.query else "were written"
    where = f"of {selector} in the last {args.minutes} minutes"
    if not total:
        return (
            f"No lines {where} {what}. That is no proof of health: the search is case-sensitive, the service may log "
            "other text or nothing at all; try another word, an empty query, or more minutes."
        )
    if total <= shown:
        return f"All {total} lines {where} that {what}."
    return (
        f"{shown} of {total} lines {where} that {what}: the first and the last ones. "
        "Search for a longer text or fewer minutes to see the others."
    )


def _time(nanoseconds: int) -> str:
    at = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    at += timedelta(microseconds=nanoseconds % 1_000_000_000 // 1_000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
