"""Serve only this machine. A web page reaches loopback as well, through the browser of a person who looks at it.

A page can make its own host name resolve to 127.0.0.1 (DNS rebinding), which the Host header shows, or send a simple
request to 127.0.0.1 from another site, which the Origin header shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.intake.error_responses import error_response


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is the loopback of this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_local_host(headers: Headers, hosts: Collection[str] = ()) -> bool:
    """Return whether the Host header names this machine, or one of ``hosts``."""
    return _is_local(_host_name(headers.get("host", "")), hosts)


def is_local_origin(headers: Headers, hosts: Collection[str] = ()) -> bool:
    """Return whether no page of another site sent a request. Programs send no Origin header."""
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return _is_local(urlsplit(origin).hostname or "", hosts)
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """Return the name or address in a Host header, without the port."""
    return host.partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host


def _is_local(name: str, hosts: Collection[str]) -> bool:
    return is_loopback(name) or name.lower() in {host.lower() for host in hosts}


class LocalHostMiddleware:
    """Rejects every request that a web page of another host may have caused."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if not is_local_host(headers, self._hosts):
                text = "only localhost and 127.0.0.1 are served; name other hosts in intake.hosts"
                await error_response(403, text)(scope, receive, send)
                return
            if not is_local_origin(headers, self._hosts):
                text = "requests of web pages of other hosts are not served; name such hosts in intake.hosts"
                await error_response(403, text)(scope, receive, send)
                return
        await self._app(scope, receive, send)
