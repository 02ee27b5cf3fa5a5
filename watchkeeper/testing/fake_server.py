"""A back end for tests: it records every request and fails when a test says so."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.testing.faults import Body, Fault, fault


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    at: float
    """Unix seconds."""

    def json(self) -> Any:
        """Parse the body. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


class FakeServer:
    """Wraps an ASGI app. Records every request; a queued fault or an outage answers instead of the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests: list[ReceivedRequest] = []
        self.faults: deque[Fault] = deque()
        """Each request takes the oldest fault."""
        self.outage: Fault | None = None
        """While set, answers every request that finds no queued fault."""

    def fail_next(
        self, status: int = 503, body: Body = "", headers: Mapping[str, str] | None = None, times: int = 1
    ) -> None:
        """Answer the next ``times`` requests with a status instead of the app."""
        self.faults.extend([fault(status, body, headers)] * times)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record and answer one request (ASGI)."""
        request = Request(scope, receive)
        body = await request.body()
        self.requests.append(
            ReceivedRequest(request.method, request.url.path, request.query_params, request.headers, body, time.time())
        )
        active_fault = self.faults.popleft() if self.faults else self.outage
        app = active_fault(self._app) if active_fault else self._app
        await app(scope, _replay(body, receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that delivers the body, which is already read, once more."""
    pending: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return pending.popleft() if pending else await receive()

    return replay
