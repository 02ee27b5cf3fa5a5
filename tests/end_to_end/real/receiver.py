"""Who is told by Alertmanager, and keeps what it was told: each alert as the source reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.responses import JSONResponse

from tests.support.alert_requests import source, verify
from watchkeeper.alerts.source import WebhookRequest
from watchkeeper.contracts import Alert
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import fault


class Receiver:
    """Answers 200, or 503 while it is to refuse."""

    def __init__(self, token: str) -> None:
        self.endpoint = FakeServer(JSONResponse({}))
        self.source = source("alertmanager", tokens=[token])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve; gives the address for the webhook."""
        async with serve(self.endpoint) as url:
            yield f"{url}/alerts/prod"

    def refuse(self) -> None:
        """Take nothing from now on."""
        self.endpoint.outage = fault(503)

    def accept(self) -> None:
        """Take everything from now on."""
        self.endpoint.outage = None

    def __len__(self) -> int:
        return len(self.endpoint.requests)

    async def told(self, number: int = -1) -> list[Alert]:
        """Return the alerts of a request, once it has proven who sent it."""
        request = self.endpoint.requests[number]
        posted = WebhookRequest(
            {name.lower(): value for name, value in request.headers.items()}, request.body, request.at
        )
        await verify(self.source, posted)
        return self.source.parse(posted).alerts
