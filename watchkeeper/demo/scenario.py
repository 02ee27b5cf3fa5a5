"""The incident of the simulated world, and its clock.

A release of checkout at 13:30 makes every order with a promotion fail from 13:42 on; the world starts at 13:44. That
this is true whenever the world starts is a matter of its time zone: it is the one in which the real time of the
start reads 13:44. Every timestamp of every back end is the real time, in UTC where the vendor's protocol says UTC;
what people write (log lines, descriptions of deployments) tells the same instants in the world's own zone, with its
offset.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

SERVICES = ("checkout", "payments", "search")


@dataclass(frozen=True)
class Traffic:
    """How a service does: requests per second, the share of them that fail, the 95th percentile in seconds."""

    requests_per_second: float
    error_ratio: float
    p95: float


@dataclass(frozen=True)
class Release:
    """A version of a service that went live."""

    service: str
    version: str
    at: float
    """Unix seconds."""
    by: str
    text: str


@dataclass
class Scenario:
    """What is true in the world at any moment; times are Unix seconds."""

    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    """When checkout was rolled back; None while it fails."""
    steady: dict[str, Traffic] = field(
        default_factory=lambda: {
            "checkout": Traffic(42.0, 0.002, 0.190),
            "payments": Traffic(18.0, 0.002, 0.180),
            "search": Traffic(65.0, 0.001, 0.095),
        }
    )
    """By service, in good times; the keys are the services that there are."""
    failing: dict[str, Traffic] = field(default_factory=lambda: {"checkout": Traffic(42.0, 0.182, 4.2)})
    """By service, during the incident."""

    def __post_init__(self) -> None:
        utc = datetime.fromtimestamp(self.started_at, UTC)
        ahead = (13 * 60 + 44) - (utc.hour * 60 + utc.minute)
        self.zone = timezone(timedelta(minutes=(ahead + 720) % 1440 - 720))
        self.deployed_at = self._today(13, 30, 0)
        self.failing_since = self._today(13, 42, 7)

    def _today(self, hour: int, minute: int, second: int) -> float:
        start = self.local(self.started_at)
        return start.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()

    def local(self, at: float) -> datetime:
        """Tell a time in the world's zone."""
        return datetime.fromtimestamp(at, self.zone)

    def fails_at(self, service: str, at: float) -> bool:
        """Tell whether a service is in trouble at a time."""
        return service in self.failing and self.failing_since <= at < (self.ended_at or float("inf"))

    def traffic(self, service: str, at: float) -> Traffic:
        """Return how a service does at a time."""
        return self.failing[service] if self.fails_at(service, at) else self.steady[service]

    def recover(self) -> None:
        """Roll checkout back to v2.4.0, now."""
        self.ended_at = time.time()

    def releases(self, service: str) -> list[Release]:
        """Return what went live of a service, newest first."""
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
        """Return the version of a service that is live at a time; the oldest known one before that."""
        releases = self.releases(service)
        return next((release.version for release in releases if release.at <= at), releases[-1].version)
