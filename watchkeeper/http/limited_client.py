"""An HTTP client for back ends that may answer too much or too slowly. Every client of the product is one."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx2

RESPONSE_BYTES = 4 * 2**20
"""Largest body of a successful response. 15 log lines of 256 KiB, the longest that Loki takes by default, fit in it. A
worker often has 256 MiB, and many requests run at the same time."""

STREAM_BYTES = 16 * RESPONSE_BYTES
"""Largest body of an event stream that the caller reads part by part: each token of a model takes 250 to 400 bytes."""

ERROR_BYTES = 64 * 2**10
"""How much of the body of an error response is read. The rest is left out: the status says what matters."""

RESPONSE_SECONDS = 60.0
"""Time limit for a whole response. A timeout of httpx2 limits only the time between two parts of it."""

LARGE_BYTES = 2**18
"""A body beyond this size is read only while few others are: the calls of a round run at the same time."""

LARGE_AT_ONCE = 2

EVENT_STREAM = "text/event-stream"

_GZIP = 16 + zlib.MAX_WBITS
_ENCODINGS = {"": False, "identity": False, "gzip": True, "x-gzip": True}


class ResponseTooLarge(httpx2.TransportError):
    """The body of a successful response is larger than the client accepts. The same request would fail again."""


class ResponseTooSlow(httpx2.ReadTimeout):
    """A response was not complete in time."""


class LimitedClient(httpx2.AsyncClient):
    """A client that reads at most ``max_bytes`` of a response, counted after decompression, in at most ``seconds``.

    Of an error response it reads the first ``ERROR_BYTES``. It raises ResponseTooLarge and ResponseTooSlow, which are
    errors of httpx2. It follows no redirect, because a redirect may send a token to another host.
    """

    def __init__(
        self, *, max_bytes: int = RESPONSE_BYTES, seconds: float | None = RESPONSE_SECONDS, **options: Any
    ) -> None:
        super().__init__(follow_redirects=False, **options)
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send a request. With ``stream``, the limits apply while the caller reads the body.

        An event stream that is read like this may have ``STREAM_BYTES``, since its reader keeps only a part of it.
        """
        request.headers["accept-encoding"] = "gzip"
        deadline = None if self._seconds is None else asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(deadline):
                response = await super().send(request, stream=True, **options)
        except TimeoutError:
            raise ResponseTooSlow(f"no response in {self._seconds:g} s", request=request) from None
        try:
            self._limit(response, deadline, stream=stream)
            return response if stream else await _whole(response)
        except BaseException:
            await response.aclose()
            raise

    def _limit(self, response: httpx2.Response, deadline: float | None, *, stream: bool) -> None:
        encoding = response.headers.pop("content-encoding", "").lower()
        if encoding not in _ENCODINGS:
            raise httpx2.DecodingError(f"the response has the encoding {encoding!r}, which was not asked for")
        if isinstance(response.stream, httpx2.AsyncByteStream):
            body = _Body(response.stream, zipped=_ENCODINGS[encoding])
            if not response.is_success:
                response.stream = _LimitedStream(
                    body, min(ERROR_BYTES, self._max_bytes), deadline, self._large, cuts=True
                )
            elif stream and response.headers.get("content-type", "").lower().startswith(EVENT_STREAM):
                response.stream = _LimitedStream(body, STREAM_BYTES, deadline, None)
            else:
                response.stream = _LimitedStream(body, self._max_bytes, deadline, self._large)


async def _whole(response: httpx2.Response) -> httpx2.Response:
    """Read the body. If that fails, nothing of it stays in memory, although a traceback keeps the frames alive."""
    body = bytearray()
    try:
        async for part in response.aiter_raw():
            body += part
        content = bytes(body)
    finally:
        body.clear()
        await response.aclose()
    return httpx2.Response(
        response.status_code,
        headers=response.headers,
        content=content,
        request=response.request,
        extensions=response.extensions,
    )


class _Body:
    """A response body, decompressed step by step, so that a small part of it cannot become a large one in memory."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, zipped: bool) -> None:
        self._stream = stream
        self._zipped = zipped

    async def parts(self, step: int) -> AsyncGenerator[bytes, None]:
        """Yield the body in parts of at most ``step`` bytes if it is compressed. Raises DecodingError."""
        unzip = zlib.decompressobj(_GZIP)
        begun = False
        async for chunk in self._stream:
            if not self._zipped:
                yield chunk
                continue
            while chunk:
                begun = True
                try:
                    part = unzip.decompress(chunk, step)
                except zlib.error as error:
                    raise httpx2.DecodingError(str(error)) from error
                if part:
                    yield part
                chunk = unzip.unconsumed_tail
                if unzip.eof:  # another compressed member may follow
                    chunk, unzip, begun = unzip.unused_data, zlib.decompressobj(_GZIP), False
        if begun:
            raise httpx2.DecodingError("the compressed body ends too early")

    async def aclose(self) -> None:
        await self._stream.aclose()


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(
        self,
        body: _Body,
        max_bytes: int,
        deadline: float | None,
        large: asyncio.Semaphore | None,
        *,
        cuts: bool = False,
    ) -> None:
        self._body = body
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._large = large
        self._cuts = cuts
        self._holds_place = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async with aclosing(self._body.parts(LARGE_BYTES)) as parts:
            while (part := await self._next(parts, received)) is not None:
                room = self._max_bytes - received
                received += len(part)
                if received > self._max_bytes and not self._cuts:
                    raise ResponseTooLarge(f"the response is larger than {self._max_bytes:,} bytes")
                yield part[:room]
                if received > self._max_bytes:
                    return

    async def _next(self, parts: AsyncIterator[bytes], received: int) -> bytes | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                if self._large is not None and received > LARGE_BYTES and not self._holds_place:
                    await self._large.acquire()
                    self._holds_place = True
                return await anext(parts, None)
        except TimeoutError:
            raise ResponseTooSlow(f"the response was not complete in time; {received:,} bytes had arrived") from None

    async def aclose(self) -> None:
        self._release()
        await self._body.aclose()

    def _release(self) -> None:
        if self._large is not None and self._holds_place:
            self._holds_place = False
            self._large.release()
