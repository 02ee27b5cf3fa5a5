"""A receiver of a sender's webhooks that keeps the requests and parses them with the alert source."""

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
    """Answers 200, or 503 while it refuses."""

    def __init__(self, token: str, kind: str = "alertmanager") -> None:
        self.endpoint = FakeServer(JSONResponse({}))
        self.source = source(kind, tokens=[token])

    @asynccontextmanager
    async def serve_webhook(self) -> AsyncIterator[str]:
        """Serve until the context ends; yield the webhook URL."""
        async with serve(self.endpoint) as url:
            yield f"{url}/alerts/prod"

    def refuse(self) -> None:
        """Answer 503 from now on."""
        self.endpoint.outage = fault(503)

    def accept(self) -> None:
        """Answer 200 from now on."""
        self.endpoint.outage = None

    def __len__(self) -> int:
        return len(self.endpoint.requests)

    async def alerts(self, number: int = -1) -> list[Alert]:
        """Verify the sender of a request and return its alerts."""
        request = self.endpoint.requests[number]
        webhook = WebhookRequest(
            {name.lower(): value for name, value in request.headers.items()}, request.body, request.at
        )
        await verify(self.source, webhook)
        return self.source.parse(webhook).alerts
