"""Authentication of the runs API: by bearer token or, if no token is configured, only from this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import HTTPException, Security
from fastapi.security import HTTPBearer
from pydantic import SecretStr
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.alerts.verification import matches_any, secret_bytes
from watchkeeper.config.settings import Settings, SettingsError, env_variable
from watchkeeper.intake import api_docs
from watchkeeper.intake.discarded_body import discard_body
from watchkeeper.intake.error_responses import error_response
from watchkeeper.intake.local_hosts import is_local_host, is_local_origin, is_loopback
from watchkeeper.intake.refused_requests import Refusals, client_address

_BEARER = HTTPBearer(scheme_name="token", auto_error=False)
_CHALLENGE = {"www-authenticate": 'Bearer realm="watchkeeper"', "connection": "close"}
_TOKEN_NAME = "watchkeeper.token_name"

_PUBLIC = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/slack/interactions"})
_PUBLIC_BELOW = ("/alerts/", api_docs.PREFIX)
"""Alert sources and Slack have their own authentication. Every path that is not public needs a token."""


def require_authentication(settings: Settings) -> None:
    """Raise SettingsError if anyone who reaches the intake could control runs."""
    if empty := sorted(name for name, token in settings.intake.tokens.items() if not token.get_secret_value()):
        raise SettingsError(f"intake.tokens.{empty[0]} is empty; set it or leave it out")
    host = settings.intake.host
    if not settings.intake.tokens and not is_loopback(host):
        raise SettingsError(
            f"intake.host is {host!r} and no intake.tokens are set: anyone who reaches the intake could control runs. "
            f"Set {env_variable('intake', 'tokens', 'name')}, or listen on 127.0.0.1"
        )


def token_name(request: Request) -> str:
    """Return the name of the token of a request; empty if no tokens are configured."""
    name: str = request.scope[_TOKEN_NAME]
    return name


def token_dependencies(settings: Settings) -> list[Any]:
    """Return the dependencies by which OpenAPI documents the bearer token. The middleware has checked it before."""
    return [Security(_BEARER)] if settings.intake.tokens else []


def require_json(request: Request) -> None:
    """Require a JSON body. Any web page can make a browser send other bodies, or none, without permission (CORS)."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise HTTPException(415, "the body must be JSON, with content-type: application/json")


class AuthenticationMiddleware:
    """Rejects unauthenticated requests before their body is read. A FastAPI dependency would run after that."""

    def __init__(
        self, app: ASGIApp, tokens: Mapping[str, SecretStr], hosts: Collection[str], refusals: Refusals
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = hosts
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope[_TOKEN_NAME] = ""
        if scope["type"] == "http" and not is_public(scope["path"]):
            connection = HTTPConnection(scope)
            rejection = await self._check_token(connection) if self._tokens else self._check_host(connection)
            if rejection is not None:
                await discard_body(scope, receive)
                await rejection(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check_token(self, connection: HTTPConnection) -> Response | None:
        bearer = await _BEARER(connection)
        token = bearer.credentials.strip() if bearer else ""
        names = [name for name, good in self._tokens.items() if matches_any(token, secret_bytes([good]))]
        if not token or not names:
            reason = "its token is none of intake.tokens" if token else "it has no token"
            await self._refusals.refuse(client_address(connection.scope), "/runs", "the API", reason)
            return error_response(401, "send one of the intake's tokens: Authorization: Bearer TOKEN", _CHALLENGE)
        connection.scope[_TOKEN_NAME] = names[0]
        return None

    def _check_host(self, connection: HTTPConnection) -> Response | None:
        """Reject what a web page of another host may have sent."""
        if is_local_host(connection.headers, self._hosts) and is_local_origin(connection.headers, self._hosts):
            return None
        return error_response(403, "without intake.tokens, only localhost, 127.0.0.1 and intake.hosts are served")


def is_public(path: str) -> bool:
    """Return whether a path needs no token."""
    return path in _PUBLIC or path.startswith(_PUBLIC_BELOW)
