"""Take the id of an alert off the URL of a sender that appends it: ``/alerts/NAME/ID`` is ``/alerts/NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.alerts.source import Source

_ALERTS = "/alerts/"


class AppendedIdMiddleware:
    """Only for the sources whose settings say that their sender does it. The body holds the id, too."""

    def __init__(self, app: ASGIApp, sources: Mapping[str, Source[Any]]) -> None:
        self._app = app
        self._names = {name for name, source in sources.items() if getattr(source.section, "appends_id", False)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"].startswith(_ALERTS):
            name, _, alert = scope["path"].removeprefix(_ALERTS).partition("/")
            if name in self._names and alert and "/" not in alert:
                scope = {**scope, "path": f"{_ALERTS}{name}", "raw_path": f"{_ALERTS}{name}".encode()}
        await self._app(scope, receive, send)
