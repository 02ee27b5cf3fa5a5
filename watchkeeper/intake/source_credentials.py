"""Reject senders without the token or password of their source before their body is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.alerts.source import Source
from watchkeeper.alerts.verification import VerificationError, check_credentials
from watchkeeper.intake.discarded_body import discard_body
from watchkeeper.intake.error_responses import error_response
from watchkeeper.intake.metrics import IntakeMetrics
from watchkeeper.intake.refused_requests import Refusals, client_address

_ALERTS = "/alerts/"
_METHODS = ("POST", "PUT")
"""Requests with other methods are answered 405."""


class SourceCredentialsMiddleware:
    """Answers 404 for an unknown source and 401 for wrong credentials. A signature is verified later, over the body."""

    def __init__(
        self, app: ASGIApp, sources: Mapping[str, Source[Any]], refusals: Refusals, metrics: IntakeMetrics
    ) -> None:
        self._app = app
        self._sources = sources
        self._refusals = refusals
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_alert = scope["type"] == "http" and scope["path"].startswith(_ALERTS)
        if not is_alert or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        name, _, appended = scope["path"].removeprefix(_ALERTS).partition("/")
        source = self._sources.get(name)
        if source is None or (appended and not getattr(source.section, "appends_id", False)):
            await error_response(404, "no such source")(scope, receive, send)
            return
        try:
            check_credentials(source.section, Headers(scope=scope))
        except VerificationError as error:
            self._metrics.count_alerts(name, "refused", "unverified")
            await self._refusals.refuse(client_address(scope), _ALERTS + name, f"the source {name!r}", str(error))
            await discard_body(scope, receive)
            await unverified_response(source)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def unverified_response(source: Source[Any]) -> JSONResponse:
    """Return the 401 for a sender of a source. It closes the connection, and does not say what is wrong."""
    headers = {**_challenge(source), "connection": "close"}
    return error_response(401, "the credentials or the signature of the source are missing or wrong", headers)


def _challenge(source: Source[Any]) -> dict[str, str]:
    section = source.section
    bearer = bool(section.tokens) and section.token_header == "authorization"
    schemes = [scheme for scheme, used in (("Bearer", bearer), ("Basic", bool(section.passwords))) if used]
    challenge = ", ".join(f'{scheme} realm="watchkeeper"' for scheme in schemes)
    return {"www-authenticate": challenge} if challenge else {}
