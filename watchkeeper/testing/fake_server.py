"""A back end as its caller meets it: it answers, it records what it was asked, and it fails on demand."""

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
        """Parse the body; raises ValueError if it is not JSON."""
        return json.loads(self.body)


class FakeServer:
    """Wraps an ASGI app: records every request, then lets the next fault, or else the app, answer it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests: list[ReceivedRequest] = []
        self.faults: deque[Fault] = deque()
        """Consumed one per request, first in first out."""
        self.outage: Fault | None = None
        """While set, the fate of every request that finds no fault queued."""

    def fail_next(
        self, status: int = 503, body: Body = "", headers: Mapping[str, str] | None = None, times: int = 1
    ) -> None:
        """Answer the next requests with a status instead of serving them."""
        self.faults.extend([fault(status, body, headers)] * times)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        request = Request(scope, receive)
        body = await request.body()
        self.requests.append(
            ReceivedRequest(request.method, request.url.path, request.query_params, request.headers, body, time.time())
        )
        trouble = self.faults.popleft() if self.faults else self.outage
        app = trouble(self._app) if trouble else self._app
        await app(scope, _again(body, receive), send)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return waiting.popleft() if waiting else await receive()

    return replay
