"""The log lines of the simulated services, computed from the clock: a query always gets the same lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias
from zlib import crc32

from watchkeeper.demo.scenario import Scenario, utc_text

LEVELS = ("info", "warn", "error")
RETENTION = 86_400.0
"""Seconds of logs before the start of the demo."""

_NPE = (
    'java.lang.NullPointerException: Cannot invoke "com.acme.promo.Promotion.code()" because "promotion" is null '
    "at com.acme.checkout.CheckoutController.applyPromo(CheckoutController.java:118)"
)

_Write: TypeAlias = Callable[[int], str]
"""Writes the message of a line; the number varies it."""


@dataclass(frozen=True)
class GeneratedLine:
    """One log line of one stream."""

    at: int
    """Unix nanoseconds."""
    level: str
    text: str


@dataclass(frozen=True)
class _Source:
    """Lines of one level, written every ``period`` seconds with some jitter."""

    level: str
    period: float
    write: _Write
    since: float
    until: float = math.inf


_ROUTINE: dict[str, list[tuple[str, float, _Write]]] = {
    "checkout": [
        ("info", 4.0, lambda n: f"POST /api/checkout 200 {90 + n % 120}ms order=ord_{n:08x}"),
        ("info", 31.0, lambda n: f"basket priced items={1 + n % 7} total={n % 20_000 / 100:.2f} EUR"),
        ("warn", 410.0, lambda n: f"slow call to payments {900 + n % 600}ms order=ord_{n:08x}"),
    ],
    "payments": [
        ("info", 6.0, lambda n: f"authorised charge=ch_{n:08x} {80 + n % 100}ms"),
        ("warn", 97.0, lambda n: f"issuer declined charge=ch_{n:08x} code=do_not_honor"),
    ],
    "search": [
        ("info", 5.0, lambda n: f"GET /search 200 {20 + n % 70}ms hits={n % 900}"),
        ("info", 301.0, lambda n: f"index refreshed segments={12 + n % 9}"),
    ],
}


def generate_lines(scenario: Scenario, service: str, start: float, end: float) -> list[GeneratedLine]:
    """Return the lines of a service with start <= time < end (Unix seconds), oldest first."""
    releases = scenario.releases(service)
    found: list[GeneratedLine] = []
    for source in _sources(scenario, service):
        for at, chance in _moments(service, source, start, min(end, source.until)):
            version = next((release.version for release in releases if release.at <= at), releases[-1].version)
            stamp = utc_text(at, "milliseconds")
            text = f"{stamp} {source.level.upper():5} {service} {version} {source.write(chance)}"
            found.append(GeneratedLine(round(at * 1000) * 1_000_000, source.level, text))
    return sorted(found, key=lambda line: line.at)


def _sources(scenario: Scenario, service: str) -> list[_Source]:
    since = scenario.started_at - RETENTION
    sources = [_Source(level, period, write, since) for level, period, write in _ROUTINE.get(service, ())]
    if service == "checkout":
        until = scenario.ended_at or math.inf
        sources.append(_Source("error", 0.4, _failed_order(scenario), scenario.failing_since, until))
    return sources


def _failed_order(scenario: Scenario) -> _Write:
    release = scenario.version("checkout", scenario.failing_since)
    first = utc_text(scenario.failing_since)

    def write(n: int) -> str:
        request = f"POST /api/checkout 500 {3_100 + n % 1_300}ms order=ord_{n:08x}"
        return f"{request} {_NPE} release={release} first_seen={first}"

    return write


def _moments(service: str, source: _Source, start: float, end: float) -> Iterator[tuple[float, int]]:
    """Yield the times at which a source writes in a window, in order, each with a number that varies the line."""
    first = max(0, math.floor((start - source.since) / source.period) - 1)
    last = math.ceil((end - source.since) / source.period)
    for tick in range(first, last + 1):
        chance = crc32(f"{service}/{source.level}/{source.period}/{tick}".encode())
        at = round(source.since + (tick + chance % 1000 / 2000) * source.period, 3)
        if start <= at < end:
            yield at, chance
