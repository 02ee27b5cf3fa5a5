"""Asking a vendor's HTTP API on behalf of a tool."""

from __future__ import annotations

from typing import Any

from httpx2 import AsyncClient, HTTPError, Response
from pydantic import SecretStr

from watchkeeper.http import retry_delay, retryable
from watchkeeper.text import error_text, excerpt
from watchkeeper.tool import ToolError, ToolUnavailable

BODY_BYTES = 1_500
"""How much of a vendor's error body the model is shown."""


async def send(http: AsyncClient, method: str, url: str, **request: Any) -> Response:
    """Send a request that the vendor accepts.

    Raises:
        ToolError: The vendor says no (4xx, a redirect); its words are kept whole but capped.
        ToolUnavailable: It cannot answer just now (unreachable, 429, 5xx).
    """
    try:
        response = await http.request(method, url, **request)
    except HTTPError as error:
        raise ToolUnavailable(f"{method} {_place(url)}: {error_text(error)}") from error
    if not response.is_success:
        raise _refusal(method, url, response)
    return response


async def fetch(http: AsyncClient, method: str, url: str, **request: Any) -> Any:
    """Send a request and return the JSON of the answer. Raises as ``send``, and ToolError when it is no JSON."""
    response = await send(http, method, url, **request)
    try:
        return response.json()
    except ValueError as error:
        raise ToolError(f"{method} {_place(url)} answered no JSON: {excerpt(response.text, BODY_BYTES)}") from error


def bearer(token: SecretStr | None, scheme: str = "Bearer") -> dict[str, str]:
    """Return the Authorization header for a token, if there is one."""
    return {"Authorization": f"{scheme} {token.get_secret_value()}"} if token else {}


def _refusal(method: str, url: str, response: Response) -> ToolError | ToolUnavailable:
    said = f"{method} {_place(url)} answered {response.status_code}: {excerpt(response.text, BODY_BYTES)}"
    if retryable(response.status_code, response.headers):
        return ToolUnavailable(said, retry_delay(response.headers))
    return ToolError(said)


def _place(url: str) -> str:
    """Return the address without its query, which may hold more than the model should read again."""
    return url.split("?", 1)[0]
