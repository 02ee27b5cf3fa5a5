"""Two services that count their requests as real ones do, and fail or crawl when they are told to."""

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
    """How one service does."""

    failing: float = 0.0
    """Share of its requests that it answers with 500."""
    seconds: float = 0.05
    """How long each request takes."""
    served: int = 0
    failed: int = 0

    def serve(self) -> bool:
        """Take a request and tell whether it went well; failures are spread evenly, so every window holds its share."""
        self.served += 1
        due = self._due + self.failing
        self._due = due % 1
        self.failed += due >= 1
        return due < 1

    _due: float = field(default=0.0, repr=False)


class Toy:
    """The services and what they tell Prometheus."""

    def __init__(self) -> None:
        self.url = ""
        self.services = {name: Behaviour() for name in SERVICES}
        self._registry = CollectorRegistry()
        labels = ("service", "code")
        self._requests = Counter("http_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "http_request_duration_seconds", "How long they took.", ("service",), registry=self._registry
        )
        for name in SERVICES:
            for code in ("200", "500"):
                self._requests.labels(name, code)  # from 0 on: a rate cannot see the step to a series' first value

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Toy]:
        """Serve ``/metrics``, and take requests all the time."""
        async with serve(Starlette(routes=[Route("/metrics", self._metrics)])) as self.url:
            traffic = asyncio.create_task(self._traffic())
            try:
                yield self
            finally:
                traffic.cancel()
                with suppress(asyncio.CancelledError):
                    await traffic

    def fail(self, service: str, share: float = 0.5) -> None:
        """Let a service fail from now on."""
        self.services[service].failing = share

    def crawl(self, service: str, seconds: float = 2.0) -> None:
        """Let a service take long from now on."""
        self.services[service].seconds = seconds

    def heal(self, service: str) -> None:
        """Let a service do well from now on."""
        self.services[service].failing = 0.0
        self.services[service].seconds = 0.05

    async def _traffic(self) -> None:
        while True:
            await asyncio.sleep(1 / _REQUESTS_PER_SECOND)
            for name, service in self.services.items():
                self._requests.labels(name, "200" if service.serve() else "500").inc()
                self._seconds.labels(name).observe(service.seconds)

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
