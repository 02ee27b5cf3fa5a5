"""The incident that the simulated back ends show.

A release of checkout makes every order with a promotion fail, beginning twelve minutes after the release. Two minutes
later the demo starts. All times are real times, in UTC.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

SERVICES = ("checkout", "payments", "search")

DEPLOYED_BEFORE = 14 * 60
"""Seconds from the release to the minute in which the demo starts."""

FAILING_AFTER = 12 * 60 + 7
"""Seconds from the release to the first failed order."""


@dataclass(frozen=True)
class Traffic:
    """The traffic of a service: requests per second, the share that fails (0 to 1), the p95 latency in seconds."""

    requests_per_second: float
    error_ratio: float
    p95: float


@dataclass(frozen=True)
class Release:
    """A release of a service."""

    service: str
    version: str
    at: float
    """Unix seconds."""
    by: str
    text: str


@dataclass
class Scenario:
    """The state of the simulated services at any time. Times are Unix seconds."""

    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    """When checkout was rolled back; None before that."""
    steady: dict[str, Traffic] = field(
        default_factory=lambda: {
            "checkout": Traffic(42.0, 0.002, 0.190),
            "payments": Traffic(18.0, 0.002, 0.180),
            "search": Traffic(65.0, 0.001, 0.095),
        }
    )
    """The normal traffic of each service."""
    failing: dict[str, Traffic] = field(default_factory=lambda: {"checkout": Traffic(42.0, 0.182, 4.2)})
    """The traffic of the failing services during the incident."""

    def __post_init__(self) -> None:
        self.deployed_at = self.started_at // 60 * 60 - DEPLOYED_BEFORE
        self.failing_since = self.deployed_at + FAILING_AFTER

    def fails_at(self, service: str, at: float) -> bool:
        """Return whether a service fails at a time."""
        return service in self.failing and self.failing_since <= at < (self.ended_at or float("inf"))

    def traffic(self, service: str, at: float) -> Traffic:
        """Return the traffic of a service at a time."""
        return self.failing[service] if self.fails_at(service, at) else self.steady[service]

    def recover(self) -> None:
        """Roll checkout back to v2.4.0, now."""
        self.ended_at = time.time()

    def releases(self, service: str) -> list[Release]:
        """Return the releases of a service, newest first."""
        known = {
            "checkout": [
                (self.deployed_at, "v2.4.1", "dana", "Apply promotion codes in one step"),
                (self.deployed_at - 77_400, "v2.4.0", "dana", "Show delivery dates in the basket"),
            ],
            "payments": [
                (self.deployed_at - 266_400, "v3.11.2", "ines", "Rotate the issuer certificates"),
                (self.deployed_at - 953_100, "v3.11.1", "ines", "Retry declined 3-D Secure challenges"),
            ],
            "search": [
                (self.deployed_at - 441_000, "v1.9.3", "tomas", "Rank exact matches first"),
                (self.deployed_at - 1_386_000, "v1.9.2", "tomas", "Index product colours"),
            ],
        }.get(service, [])
        if service == "checkout" and self.ended_at is not None:
            known.insert(0, (self.ended_at, "v2.4.0", "dana", "Roll back v2.4.1"))
        return [Release(service, version, at, by, text) for at, version, by, text in known]

    def version(self, service: str, at: float) -> str:
        """Return the version of a service at a time; before the first known release, that release's version."""
        releases = self.releases(service)
        return next((release.version for release in releases if release.at <= at), releases[-1].version)


def utc_text(at: float, timespec: str = "seconds") -> str:
    """Write a time in ISO 8601, such as ``2026-11-29T13:42:07Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
