"""The HTTP client of a model profile, with its certificates and its proxy."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2

from watchkeeper.config.settings import ModelProfile, SettingsError
from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.redaction import public_address

CONNECT_SECONDS = 5.0
KEEPALIVE_CONNECTIONS = 100


@dataclass
class WireRequest:
    """What the HTTP client changes in a request that ``openai`` has built, and the response to it."""

    headers: dict[str, str]
    """The key of the host: a patch of ``openai`` may record the headers that the package knows."""
    body: bytes | None = None
    """Sent instead of the bytes that ``openai`` wrote."""
    response: httpx2.Response | None = None


WIRE_REQUEST: ContextVar[WireRequest] = ContextVar("wire_request")


class _ModelTransport(LimitedClient):
    """Sends the current ``WireRequest``, and notes the response."""

    def build_request(self, *arguments: Any, **options: Any) -> httpx2.Request:
        wire = WIRE_REQUEST.get()
        if wire.body is not None:
            options["content"] = wire.body
        request = super().build_request(*arguments, **options)
        request.headers.update(wire.headers)
        return request

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = await super().send(request, **options)
        WIRE_REQUEST.get().response = response
        return response


def open_transport(profile: ModelProfile) -> LimitedClient:
    """Return a client whose requests have no total time limit. Raises SettingsError if a certificate cannot be used."""
    context = _tls(profile) if profile.ca_file or profile.client_cert_file else None
    return _ModelTransport(
        seconds=None,
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=KEEPALIVE_CONNECTIONS),
        verify=context or True,
        auth=_user(profile.base_url),
        proxy=_proxy(profile.proxy, context) if profile.proxy else None,
        event_hooks={"response": [_forget_charset]},
    )


def _user(base_url: str) -> tuple[str, str] | None:
    """Return the user and the password of an address, which ``openai`` and its patches must not see."""
    parts = urlsplit(base_url)
    return (unquote(parts.username or ""), unquote(parts.password or "")) if parts.username or parts.password else None


def _proxy(url: str, context: ssl.SSLContext | None) -> httpx2.Proxy:
    return httpx2.Proxy(url, ssl_context=context if url.startswith("https:") else None)


def _tls(profile: ModelProfile) -> ssl.SSLContext:
    context = httpx2.create_ssl_context()
    if profile.ca_file is not None:
        with _named(profile, "ca_file", profile.ca_file, "name a file with CA certificates as PEM"):
            context.load_verify_locations(cafile=profile.ca_file)
    if profile.client_cert_file is not None:
        key, password = profile.client_key_file, profile.client_key_password
        files = profile.client_cert_file if key is None else f"{profile.client_cert_file}, client_key_file {key}"
        remedy = "name a certificate and its key as PEM"
        with _named(profile, "client_cert_file", files, f"{remedy}, and client_key_password if the key has one"):
            # Without a password, OpenSSL would ask for it on the terminal.
            secret = password.get_secret_value() if password else ""
            context.load_cert_chain(profile.client_cert_file, key, lambda: secret)
    return context


@contextmanager
def _named(profile: ModelProfile, name: str, value: object, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        place = f"the model {profile.name!r} at {public_address(profile.base_url)}"
        raise SettingsError(f"{name} of {place} cannot be used: {value}: {reason}; {remedy}") from error


async def _forget_charset(response: httpx2.Response) -> None:
    """Keep only the type of an error's body: ``openai`` decodes it, and fails at charsets such as ``hex``."""
    if not response.is_success and "content-type" in response.headers:
        response.headers["content-type"] = response.headers["content-type"].partition(";")[0]
