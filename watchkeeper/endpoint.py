"""One model at one OpenAI-compatible host: bytes out, bytes back, everything else a ``ModelError``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient

from watchkeeper.refusals import ModelError, read_refusal
from watchkeeper.settings import ModelProfile
from watchkeeper.text import error_text

CONNECT_SECONDS = 5.0
RESPONSE_BYTES = 32 * 2**20
SHORTEST_KEY = 8
"""A shorter word is no secret, and would be found everywhere."""

TRACE_HEADERS = ("x-request-id", "x-trace-id", "cf-ray")
"""Where hosts name a request for their support; Moonshot's is x-trace-id."""


class Completion(NamedTuple):
    """A response of success, unread."""

    body: bytes
    trace_id: str | None


class _Bounded(httpx2.AsyncByteStream):
    """A response body that ends in an error rather than in the worker's memory."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._stream:
            if (received := received + len(chunk)) > RESPONSE_BYTES:
                raise httpx2.ReadError(f"the response is larger than {RESPONSE_BYTES:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


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
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [_bound]}),
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
            said = self._redacted(error.response.content)
            raise read_refusal(error.status_code, error.response.headers, said) from None
        except (APIConnectionError, httpx2.HTTPError) as error:
            cause = error_text(error.__cause__ or error)
            raise ModelError("unavailable", f"no answer from {self.profile.base_url}: {cause}") from None
        except TimeoutError:
            seconds = f"{self.profile.deadline:g} seconds"
            raise ModelError("unavailable", f"no whole answer from {self.profile.base_url} in {seconds}") from None
        trace_id = next((response.headers[name] for name in TRACE_HEADERS if name in response.headers), None)
        return Completion(self._redacted(response.content), trace_id)

    def _redacted(self, body: bytes) -> bytes:
        """Take the key out of what a host says: some repeat it in their errors, and errors are recorded."""
        return body.replace(self._key.encode(), b"(key)") if len(self._key) >= SHORTEST_KEY else body

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
