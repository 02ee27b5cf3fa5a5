"""Authentication of the runs API: by bearer token or, if no token is configured, only from this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException, Security
from fastapi.security import HTTPBearer
from pydantic import SecretStr
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.alerts.verification import matches_any, secret_bytes
from watchkeeper.config.settings import Settings, SettingsError, env_variable
from watchkeeper.intake.error_responses import error_response

_BEARER = HTTPBearer(scheme_name="token", auto_error=False)
_CHALLENGE = {"www-authenticate": 'Bearer realm="watchkeeper"'}
_TOKEN_NAME = "watchkeeper.token_name"

_PUBLIC = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/slack/interactions"})
_PUBLIC_BELOW = "/alerts/"
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


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is the loopback of this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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

    def __init__(self, app: ASGIApp, tokens: Mapping[str, SecretStr]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope[_TOKEN_NAME] = ""
        if scope["type"] == "http" and not is_public(scope["path"]):
            connection = HTTPConnection(scope)
            rejection = await self._check_token(connection) if self._tokens else _check_host(connection)
            if rejection is not None:
                await rejection(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check_token(self, connection: HTTPConnection) -> Response | None:
        bearer = await _BEARER(connection)
        token = bearer.credentials.strip() if bearer else ""
        names = [name for name, good in self._tokens.items() if matches_any(token, secret_bytes([good]))]
        if not token or not names:
            return error_response(401, "send one of the intake's tokens: Authorization: Bearer TOKEN", _CHALLENGE)
        connection.scope[_TOKEN_NAME] = names[0]
        return None


def is_public(path: str) -> bool:
    """Return whether a path needs no token."""
    return path in _PUBLIC or path.startswith(_PUBLIC_BELOW)


def _check_host(connection: HTTPConnection) -> Response | None:
    """Reject other host names: by DNS rebinding, a web page can make its own name resolve to this machine."""
    host = connection.headers.get("host", "")
    name = host.partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    if is_loopback(name):
        return None
    return error_response(403, "without intake.tokens, only localhost and 127.0.0.1 are served")
