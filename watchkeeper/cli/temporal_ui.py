"""The Temporal UI for the browsers of this machine only.

The UI of Temporal's development server answers any Host header, so a web page whose name resolves to this machine (DNS
rebinding) could read and start runs through it. People get this proxy instead, which checks each request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from httpx2 import AsyncClient, RequestError
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from watchkeeper.intake.local_hosts import LocalHostMiddleware
from watchkeeper.intake.server import serve
from watchkeeper.temporal.ports import HOST

SECONDS = 70.0
"""Time limit for an answer of the UI. Its long polls last up to 60 seconds."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_OF_ONE_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""Headers that a proxy does not forward."""


@asynccontextmanager
async def guarded_ui(ui: str, port: int) -> AsyncIterator[None]:
    """Serve the UI at a base URL on a port of loopback while the context is open. Raises ListenError."""
    async with AsyncClient(base_url=ui, timeout=SECONDS, follow_redirects=False, trust_env=False) as http:

        async def forward(request: Request) -> Response:
            path = request.scope["raw_path"].decode("ascii")
            query = request.scope["query_string"].decode("ascii")
            headers = [(name, value) for name, value in request.headers.raw if name not in _OF_ONE_CONNECTION]
            sent = http.build_request(
                request.method, f"{path}?{query}" if query else path, headers=headers, content=await request.body()
            )
            try:
                answer = await http.send(sent, stream=True)
            except RequestError as error:
                return PlainTextResponse(f"the Temporal UI does not answer: {type(error).__name__}", 502)
            response = StreamingResponse(
                answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
            )
            response.raw_headers = [
                (name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OF_ONE_CONNECTION
            ]
            return response

        app = Starlette(
            routes=[Route("/{path:path}", forward, methods=METHODS)], middleware=[Middleware(LocalHostMiddleware)]
        )
        async with serve(app, HOST, port, "--ui-port"):
            yield
