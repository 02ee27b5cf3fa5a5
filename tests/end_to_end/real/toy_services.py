"""Two toy services with request metrics, which a test can make slow or let fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchkeeper.testing.asgi_server import serve

SERVICES = ("checkout", "payments")

_REQUESTS_PER_SECOND = 40


@dataclass
class Behaviour:
    """The behaviour of one service."""

    failure_share: float = 0.0
    """Share of requests that it answers with 500, 0 to 1."""
    seconds: float = 0.05
    """Duration of each request."""
    served: int = 0
    failed: int = 0

    def serve(self) -> bool:
        """Count a request; return whether it succeeded. Failures are evenly spread over time."""
        self.served += 1
        due = self._failures_due + self.failure_share
        self._failures_due = due % 1
        self.failed += due >= 1
        return due < 1

    _failures_due: float = field(default=0.0, repr=False)


class ToyServices:
    """The services and their metrics endpoint."""

    def __init__(self) -> None:
        self.url = ""
        self.services = {name: Behaviour() for name in SERVICES}
        self._registry = CollectorRegistry()
        labels = ("service", "code")
        self._requests = Counter("http_requests", "Answered requests.", labels, registry=self._registry)
        self._seconds = Histogram(
            "http_request_duration_seconds", "Duration of requests.", ("service",), registry=self._registry
        )
        for name in SERVICES:
            for code in ("200", "500"):
                # Start at 0: a rate does not see the step to the first value of a series.
                self._requests.labels(name, code)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ToyServices]:
        """Serve ``/metrics`` and generate traffic until the context ends."""
        async with serve(Starlette(routes=[Route("/metrics", self._metrics)])) as self.url:
            traffic = asyncio.create_task(self._traffic())
            try:
                yield self
            finally:
                traffic.cancel()
                with suppress(asyncio.CancelledError):
                    await traffic

    def fail(self, service: str, share: float = 0.5) -> None:
        """Let a share of the requests of a service fail from now on."""
        self.services[service].failure_share = share

    def slow_down(self, service: str, seconds: float = 2.0) -> None:
        """Make a service slow from now on."""
        self.services[service].seconds = seconds

    def recover(self, service: str) -> None:
        """Make a service healthy from now on."""
        self.services[service].failure_share = 0.0
        self.services[service].seconds = 0.05

    async def _traffic(self) -> None:
        while True:
            await asyncio.sleep(1 / _REQUESTS_PER_SECOND)
            for name, service in self.services.items():
                self._requests.labels(name, "200" if service.serve() else "500").inc()
                self._seconds.labels(name).observe(service.seconds)

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
