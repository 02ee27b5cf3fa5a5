"""One model at one OpenAI-compatible host: bytes out, bytes back, everything else a ``ModelError``."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient

from watchkeeper.refusals import ModelError, read_refusal
from watchkeeper.settings import ModelProfile
from watchkeeper.text import error_text

CONNECT_SECONDS = 5.0
TRACE_HEADERS = ("x-request-id", "x-trace-id", "cf-ray")
"""Where hosts name a request for their support; Moonshot's is x-trace-id."""


class Completion(NamedTuple):
    """A response of success, unread."""

    body: bytes
    trace_id: str | None


class Endpoint:
    """The client of one model profile, one for the life of a worker process.

    It neither retries nor follows redirects: Temporal retries, and a redirect would turn the POST into a GET that
    carries the key elsewhere.
    """

    def __init__(self, profile: ModelProfile) -> None:
        self.profile = profile
        key = profile.api_key.get_secret_value() if profile.api_key else ""
        self._client = AsyncOpenAI(
            api_key=key,
            base_url=profile.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(profile.deadline, connect=CONNECT_SECONDS),
            http_client=DefaultAsyncHttpxClient(follow_redirects=False),
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
            raise read_refusal(error.status_code, error.response.headers, error.response.content) from error
        except (APIConnectionError, httpx2.HTTPError) as error:
            cause = error_text(error.__cause__ or error)
            raise ModelError("unavailable", f"no answer from {self.profile.base_url}: {cause}") from error
        except TimeoutError as error:
            seconds = f"{self.profile.deadline:g} seconds"
            raise ModelError("unavailable", f"no whole answer from {self.profile.base_url} in {seconds}") from error
        trace_id = next((response.headers[name] for name in TRACE_HEADERS if name in response.headers), None)
        return Completion(response.content, trace_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
