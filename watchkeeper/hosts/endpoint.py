"""One model at one OpenAI-compatible host: bytes out, bytes back, everything else a ``ModelError``."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient

from watchkeeper.hosts.refusals import ModelError, read_refusal
from watchkeeper.settings import ModelProfile

CONNECT_SECONDS = 5.0
RESPONSE_BYTES = 32 * 2**20
SHORTEST_KEY = 8
"""A shorter word is no secret, and would be found everywhere."""

_GZIP = 16 + zlib.MAX_WBITS

TRACE_HEADERS = ("x-request-id", "x-trace-id", "cf-ray")
"""Where hosts name a request for their support; Moonshot's is x-trace-id."""


class Completion(NamedTuple):
    """A response of success, unread."""

    body: bytes
    trace_id: str | None


class _Bounded(httpx2.AsyncByteStream):
    """A response body, unzipped, that ends in an error rather than in the worker's memory."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, zipped: bool) -> None:
        self._stream = stream
        self._unzip = zlib.decompressobj(_GZIP) if zipped else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = RESPONSE_BYTES
        async for chunk in self._stream:
            part = self._unzipped(chunk, room + 1)
            if (room := room - len(part)) < 0:
                raise httpx2.ReadError(f"the response is larger than {RESPONSE_BYTES:,} bytes")
            yield part

    def _unzipped(self, chunk: bytes, at_most: int) -> bytes:
        if self._unzip is None:
            return chunk
        try:
            return self._unzip.decompress(chunk, at_most)
        except zlib.error as error:
            raise httpx2.DecodingError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Read a body as we asked for it, whatever its host says that it is."""
    encoding = response.headers.pop("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise httpx2.DecodingError(f"the response has the encoding {encoding!r}, which was not asked for")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream, zipped=encoding == "gzip")
    # The SDK decodes refusals, and Python has charsets (hex, rot13) that no text can be decoded with.
    response.encoding = "utf-8"


class Endpoint:
    """The client of one model profile, one for the life of a worker process.

    It neither retries nor follows redirects: Temporal retries, and a redirect would turn the POST into a GET that
    carries the key elsewhere.
    """

    def __init__(self, profile: ModelProfile) -> None:
        self.profile = profile
        self._key = profile.api_key.get_secret_value() if profile.api_key else ""
        self._client = AsyncOpenAI(
            api_key=self._key,
            base_url=profile.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(profile.deadline, connect=CONNECT_SECONDS),
            http_client=DefaultAsyncHttpxClient(
                follow_redirects=False, headers={"Accept-Encoding": "gzip"}, event_hooks={"response": [_bound]}
            ),
        )

    async def complete(self, body: bytes) -> Completion:
        """Send one request. Raises ModelError; a host that drips is cut off at the profile's deadline."""
        try:
            async with asyncio.timeout(self.profile.deadline):
                response = await self._client.post(
                    "/chat/completions",
                    cast_to=httpx2.Response,
                    content=body,
                    options={"headers": {"Content-Type": "application/json"}},
                )
        except APIStatusError as error:
            headers = {name: self._redacted(value) for name, value in error.response.headers.items()}
            raise read_refusal(error.status_code, headers, self._redacted_body(error.response)) from None
        except (APIConnectionError, httpx2.HTTPError) as error:
            cause = error.__cause__ or error
            said = self._redacted(f"{type(cause).__name__}: {cause}".rstrip(": "))
            raise ModelError("unavailable", f"no answer from {self.profile.base_url}: {said}") from None
        except TimeoutError:
            seconds = f"{self.profile.deadline:g} seconds"
            raise ModelError("unavailable", f"no whole answer from {self.profile.base_url} in {seconds}") from None
        trace_id = next((response.headers[name] for name in TRACE_HEADERS if name in response.headers), None)
        return Completion(self._redacted_body(response), trace_id and self._redacted(trace_id))

    def _redacted_body(self, response: httpx2.Response) -> bytes:
        return self._redacted(response.content.decode("latin-1")).encode("latin-1")

    def _redacted(self, said: str) -> str:
        """Take the key out of what a host says: some repeat it in their errors, and errors are recorded."""
        if len(self._key) < SHORTEST_KEY:
            return said
        return said.replace(self._key, "(key)").replace(self._key.replace("/", r"\/"), "(key)")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
