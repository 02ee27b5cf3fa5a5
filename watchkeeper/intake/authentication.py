"""Who may act: people's programs by their tokens; without tokens, what runs on this machine and is no web page."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from fastapi import HTTPException
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.alerts.verification import matches_any, secret_bytes
from watchkeeper.config.settings import Settings, SettingsError, env_variable
from watchkeeper.intake.error_responses import error_response

_WHO = "watchkeeper.who"

_PUBLIC = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/slack/interactions"})
_PUBLIC_BELOW = "/alerts/"
"""Sources have a proof of their own, as Slack has; everything that is not named here needs a token."""


def require_authentication(settings: Settings) -> None:
    """Raise SettingsError where anybody who reaches the intake could act on runs."""
    if empty := sorted(name for name, token in settings.intake.tokens.items() if not token.get_secret_value()):
        raise SettingsError(f"intake.tokens.{empty[0]} is empty, which anybody knows; set it or leave it out")
    host = settings.intake.host
    if not settings.intake.tokens and not is_loopback(host):
        raise SettingsError(
            f"intake.host is {host!r} and there are no intake.tokens: anybody who reaches it could act on runs; "
            f"set {env_variable('intake', 'tokens', 'name')}, or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address means this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def token_name(request: Request) -> str:
    """Name whose token a request shows; empty where there are no tokens."""
    name: str = request.scope[_WHO]
    return name


def require_json(request: Request) -> None:
    """Refuse what a web page of anybody can send without being allowed to: a body that is not JSON, or none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "the body must be JSON, with content-type: application/json")


class AuthenticationMiddleware:
    """Lets those who may act through to the app."""

    def __init__(self, app: ASGIApp, tokens: Mapping[str, SecretStr]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        scope[_WHO] = ""
        if scope["type"] == "http" and not is_public(scope["path"]):
            headers = Headers(scope=scope)
            refused = self._by_token(scope, headers) if self._tokens else _by_place(headers)
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _by_token(self, scope: Scope, headers: Headers) -> Response | None:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        names = [name for name, token in self._tokens.items() if matches_any(shown.strip(), secret_bytes([token]))]
        if not names or scheme.lower() != "bearer":
            return error_response(401, "show one of the intake's tokens: Authorization: Bearer TOKEN", _CHALLENGE)
        scope[_WHO] = names[0]
        return None


_CHALLENGE = {"www-authenticate": 'Bearer realm="watchkeeper"'}


def is_public(path: str) -> bool:
    """Tell whether a path asks for no token."""
    return path in _PUBLIC or path.startswith(_PUBLIC_BELOW)


def _by_place(headers: Headers) -> Response | None:
    """Refuse what was sent to another name: a web page can give its own name the address of this machine."""
    host = headers.get("host", "")
    name = host.partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    if is_loopback(name):
        return None
    return error_response(403, "without intake.tokens only this machine is served, by the name localhost or 127.0.0.1")
