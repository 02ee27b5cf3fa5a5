"""HTTP client of one OpenAI-compatible model endpoint. Every failure is a ``ModelError``."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx2

from watchkeeper import __version__
from watchkeeper.config.settings import ModelProfile
from watchkeeper.llm.errors import ModelError, error_from_response
from watchkeeper.redaction import Redactor

CONNECT_SECONDS = 5.0
KEEPALIVE_CONNECTIONS = 100
RESPONSE_BYTES = 32 * 2**20
SHORTEST_KEY = 8
"""Characters. Hosts that need no key are set up with a word such as ``ollama``, which replies may contain."""

_GZIP = 16 + zlib.MAX_WBITS

TRACE_HEADERS = ("x-request-id", "x-trace-id", "cf-ray")
"""Response headers that may hold the request id that a host's support asks for; Moonshot uses x-trace-id."""


class ModelResponse(NamedTuple):
    """A successful response, not parsed yet."""

    body: bytes
    trace_id: str | None


class _LimitedStream(httpx2.AsyncByteStream):
    """A decompressed response body that raises an error when it exceeds ``RESPONSE_BYTES``."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, zipped: bool) -> None:
        self._stream = stream
        self._unzip = zlib.decompressobj(_GZIP) if zipped else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = RESPONSE_BYTES
        async for chunk in self._stream:
            part = self._decompress(chunk, room + 1)
            if (room := room - len(part)) < 0:
                raise httpx2.ReadError(f"the response is larger than {RESPONSE_BYTES:,} bytes")
            yield part

    def _decompress(self, chunk: bytes, max_bytes: int) -> bytes:
        if self._unzip is None:
            return chunk
        try:
            return self._unzip.decompress(chunk, max_bytes)
        except zlib.error as error:
            raise httpx2.DecodingError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _limit_body(response: httpx2.Response) -> None:
    """Decompress the body ourselves, with a size limit. Raises DecodingError for an encoding that was not requested."""
    encoding = response.headers.pop("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise httpx2.DecodingError(f"the response has the encoding {encoding!r}, which was not asked for")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _LimitedStream(response.stream, zipped=encoding == "gzip")


class ModelClient:
    """The client of one model profile; a worker process has one for each profile.

    It does not retry, because Temporal does. It does not follow redirects: a redirect turns the POST into a GET and
    sends the key to another host.
    """

    def __init__(self, profile: ModelProfile) -> None:
        self.profile = profile
        key = profile.api_key.get_secret_value() if profile.api_key else ""
        self._redactor = Redactor([key] if len(key) >= SHORTEST_KEY else [])
        self._url = httpx2.URL(f"{profile.base_url}/chat/completions")
        self._headers = httpx2.Headers(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Content-Type": "application/json",
                "User-Agent": f"watchkeeper/{__version__}",
            }
        )
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        # complete() limits the total time of a call.
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=KEEPALIVE_CONNECTIONS),
            follow_redirects=False,
            event_hooks={"response": [_limit_body]},
        )

    async def complete(self, body: bytes) -> ModelResponse:
        """Send one request. Raises ModelError, also when the response is not complete at the profile's deadline."""
        try:
            async with asyncio.timeout(self.profile.deadline):
                response = await self._client.send(
                    httpx2.Request("POST", self._url, headers=self._headers, content=body)
                )
        except TimeoutError:
            seconds = f"{self.profile.deadline:g} seconds"
            raise ModelError("unavailable", f"no whole answer from {self.profile.base_url} in {seconds}") from None
        except (httpx2.HTTPError, OSError, ValueError) as error:
            text = self._redactor.text(f"{type(error).__name__}: {error}".rstrip(": "))
            raise ModelError("unavailable", f"no answer from {self.profile.base_url}: {text}") from None
        if not response.is_success:
            headers = {name: self._redactor.text(value) for name, value in response.headers.items()}
            raise error_from_response(response.status_code, headers, self._redacted_body(response))
        trace_id = next((response.headers[name] for name in TRACE_HEADERS if name in response.headers), None)
        return ModelResponse(self._redacted_body(response), trace_id and self._redactor.text(trace_id))

    def _redacted_body(self, response: httpx2.Response) -> bytes:
        """Return a body without our key: some hosts repeat it in their errors, and errors are recorded."""
        return self._redactor.known(response.content.decode("latin-1")).encode("latin-1")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
