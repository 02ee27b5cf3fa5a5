"""Send a tool's requests to a vendor's HTTP API."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar

from httpx2 import URL, AsyncClient, HTTPError, InvalidURL, LocalProtocolError, Response, UnsupportedProtocol
from pydantic import BaseModel, SecretStr, ValidationError

from watchkeeper.http.json_memory import JsonTooLarge, require_small_json
from watchkeeper.http.limited_client import ResponseTooLarge
from watchkeeper.http.retry import retry_delay, retryable
from watchkeeper.text import clean_json, error_text, excerpt, shortened
from watchkeeper.tool import ToolError, ToolUnavailable

BODY_BYTES = 1_500
"""Largest part of a vendor's error body that the model receives."""

_ASK_FOR_LESS = "ask for less: a shorter time range, a narrower filter or fewer entries"


async def send(http: AsyncClient, method: str, url: str, **request: Any) -> Response:
    """Send a request; return a successful response. Characters that receivers refuse are replaced in ``json``.

    Raises:
        ToolError: The vendor refuses (4xx, a redirect), and the text contains its response, capped. Or its response is
            larger than the client reads.
        ToolUnavailable: The vendor cannot answer now (unreachable, 429, 5xx).
    """
    if "json" in request:
        request["json"] = clean_json(request["json"])
    try:
        response = await http.request(method, url, **request)
    except (InvalidURL, UnsupportedProtocol, LocalProtocolError, ValueError) as error:
        # The text of the error may quote a header, and with it a token.
        raise ToolError(f"{method} {_public_url(url)} cannot be sent: its address or a header is malformed") from error
    except ResponseTooLarge as error:
        raise ToolError(f"{method} {_public_url(url)}: {error}, and was not used; {_ASK_FOR_LESS}") from None
    except HTTPError as error:
        raise ToolUnavailable(f"{method} {_public_url(url)}: {error_text(error)}") from error
    if not response.is_success:
        raise _error_from_response(method, url, response)
    return response


M = TypeVar("M", bound=BaseModel)


async def fetch(http: AsyncClient, method: str, url: str, **request: Any) -> Any:
    """Send a request and return the parsed JSON response. Raises as ``send``, and ToolError if it is not JSON."""
    response = await send(http, method, url, **request)
    # Errors are raised outside the except clauses: the first error would keep the body in memory.
    try:
        require_small_json(response.content)
        return response.json()
    except JsonTooLarge as error:
        problem = f"{error}; {_ASK_FOR_LESS}"
    except (ValueError, RecursionError):
        problem = f"no JSON: {shortened(response.content[: 2 * BODY_BYTES].decode(errors='replace'), BODY_BYTES)}"
    raise ToolError(f"{method} {_public_url(url)} answered {problem}")


async def fetch_as(model: type[M], http: AsyncClient, method: str, url: str, **request: Any) -> M:
    """Send a request and return the JSON response as ``model``.

    Raises as ``fetch`` does, and ToolError if the JSON does not fit the model.
    """
    answer = await fetch(http, method, url, **request)
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    at = ".".join(map(str, fault["loc"])) or "the whole"
    # Outside the except clause: the error would keep the whole answer in memory.
    raise ToolError(
        f"{method} {_public_url(url)} answered JSON of another form: at {at}: {fault['msg']}; is the address right?"
    )


class _Sample(BaseModel):
    value: tuple[float, float]


class _Vector(BaseModel):
    resultType: Literal["vector"]
    result: list[_Sample]


class Aggregate(BaseModel):
    """The result of an instant query that returns one number; Prometheus and Loki use the same format."""

    status: Literal["success"]
    data: _Vector
    warnings: list[str] | None = None

    @property
    def absent(self) -> bool:
        """Whether no series matched the query."""
        return not self.data.result

    @property
    def number(self) -> float | None:
        """The number. None for no series, 0/0, or a quantile above all buckets of a histogram."""
        number = math.nan if self.absent else self.data.result[0].value[1]
        return number if math.isfinite(number) else None


def bearer(token: SecretStr | None, scheme: str = "Bearer") -> dict[str, str]:
    """Return the Authorization header for a token; no header for None."""
    return {"Authorization": f"{scheme} {token.get_secret_value()}"} if token else {}


def _error_from_response(method: str, url: str, response: Response) -> ToolError | ToolUnavailable:
    text = f"{method} {_public_url(url)} answered {response.status_code}: {excerpt(response.text, BODY_BYTES)}"
    if retryable(response.status_code, response.headers):
        return ToolUnavailable(text, retry_delay(response.headers))
    return ToolError(text)


def _public_url(url: str) -> str:
    """Return the URL without its query and user, which may contain secrets."""
    try:
        return str(URL(url).copy_with(query=None, fragment=None, username=None, password=None))
    except (InvalidURL, ValueError):
        return "(an invalid URL)"
