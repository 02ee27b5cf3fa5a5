"""HTTP client of one OpenAI-compatible model endpoint. Every failure is a ``ModelError``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

import httpx2

from watchkeeper.config.settings import ModelProfile
from watchkeeper.llm.errors import ModelError, error_from_response
from watchkeeper.llm.openai_connection import OpenAIConnection
from watchkeeper.llm.response_body import Progress, UnreadableBody, read_body
from watchkeeper.redaction import Redactor, address_secrets, public_address

SHORTEST_KEY = 8
"""Characters. Hosts that need no key are set up with a word such as ``ollama``, which replies may contain."""

TRACE_HEADERS = ("x-request-id", "x-trace-id", "apim-request-id", "cf-ray")
"""Response headers that may hold the request id that a host's support asks for; Moonshot uses x-trace-id, Azure
apim-request-id."""


class ModelResponse(NamedTuple):
    """A successful response, not parsed yet."""

    body: bytes
    trace_id: str | None


class ModelClient:
    """The client of one model profile; a worker process has one for each profile.

    It does not retry, because Temporal does. It does not follow redirects: a redirect turns the POST into a GET and
    sends the key to another host.
    """

    def __init__(self, profile: ModelProfile) -> None:
        """Prepare, without a connection. Raises SettingsError if the profile's certificates cannot be used."""
        self.profile = profile
        self._connection = OpenAIConnection(profile)
        self._host = public_address(profile.base_url)
        self._known_redactor = (frozenset[str](), Redactor(()))

    async def complete(self, body: bytes, *, stream: bool = False, progress: Progress | None = None) -> ModelResponse:
        """Send one request. Raises ModelError, also when the response is not complete at the profile's deadline.

        ``stream``: whether the request asks for a stream, which is put together. ``progress`` is called meanwhile.
        """
        response, content = await self._whole(partial(self._connection.post, body, stream=stream), progress)
        trace_id = next((response.headers[name] for name in TRACE_HEADERS if name in response.headers), None)
        return ModelResponse(self._redacted(content), trace_id and self._redactor.text(trace_id))

    async def models(self) -> bytes:
        """Return the host's list of models, as JSON. Raises ModelError."""
        _, content = await self._whole(partial(self._connection.get, "/models"))
        return self._redacted(content)

    async def _whole(
        self, request: Callable[[], Awaitable[httpx2.Response]], progress: Progress | None = None
    ) -> tuple[httpx2.Response, bytes]:
        """Return the response to a request and its body, if it is a success. Raises ModelError."""
        await self._connection.open()
        from openai import OpenAIError

        try:
            async with asyncio.timeout(self.profile.deadline):
                response = await request()
                async with aclosing(response):
                    content = await read_body(response, idle=self.profile.stream_idle, progress=progress)
        except TimeoutError:
            seconds = f"{self.profile.deadline:g} seconds"
            raise ModelError("unavailable", f"no whole answer from {self._host} in {seconds}") from None
        except UnreadableBody as error:
            text = self._redactor.text(str(error))
            raise ModelError(error.reason, f"no whole answer from {self._host}: {text}") from None
        except (OpenAIError, httpx2.HTTPError, OSError, ValueError) as error:
            cause = error.__cause__ or error
            text = self._redactor.text(f"{type(cause).__name__}: {cause}".rstrip(": "))
            raise ModelError("unavailable", f"no answer from {self._host}: {text}") from None
        if not response.is_success:
            headers = {name: self._redactor.text(value) for name, value in response.headers.items()}
            raise error_from_response(response.status_code, headers, self._redacted(content))
        return response, content

    @property
    def _redactor(self) -> Redactor:
        """Removes the secrets of the profile, with the keys of the latest requests."""
        known, redactor = self._known_redactor
        if known != (keys := frozenset(self._connection.keys)):
            profile = self.profile
            addresses = (*address_secrets(profile.base_url), *address_secrets(profile.proxy or ""))
            long_enough = [key for key in (*keys, *profile.secret_texts()) if len(key) >= SHORTEST_KEY]
            redactor = Redactor([*long_enough, *addresses])
            self._known_redactor = (keys, redactor)
        return redactor

    def _redacted(self, body: bytes) -> bytes:
        """Return a body without our key: some hosts repeat it in their errors, and errors are recorded."""
        return self._redactor.known(body.decode("latin-1")).encode("latin-1")

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()
