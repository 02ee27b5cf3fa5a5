"""Read the body of a successful response: one JSON text, or an event stream, which is put together.

The body decides, not its content type and not the request: some hosts stream unasked, and some never do.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import TypeAlias

import httpx2

from watchkeeper.http.limited_client import RESPONSE_BYTES
from watchkeeper.llm.error_body import describe_body, parse_json
from watchkeeper.llm.errors import ModelErrorReason
from watchkeeper.llm.streamed_completion import StreamedCompletion
from watchkeeper.text import count

Progress: TypeAlias = Callable[[int], None]
"""Takes the number of characters that the model has written so far."""

FINISHED_SECONDS = 5.0
"""How long to wait for the usage and the end of a stream after the completion is finished."""

DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body after its last event: only then can its connection be used again."""

_STREAM = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
"""How an event stream begins. No JSON text begins like this."""

_LONGEST_BEGINNING = 64
_DONE = "[DONE]"


class UnreadableBody(Exception):
    """A body is not one whole completion. The text may quote the body."""

    def __init__(self, reason: ModelErrorReason, text: str) -> None:
        self.reason: ModelErrorReason = reason
        super().__init__(text)


async def read_body(response: httpx2.Response, *, idle: float, progress: Progress | None = None) -> bytes:
    """Return the body of a response; of an event stream, the completion in it, or the error that it reports.

    ``idle``: most seconds between two parts of a stream. Comments, which keep a connection open, count as parts.

    Raises:
        UnreadableBody: The body is too large, or a stream breaks off, stops or contains something else.
        httpx2.HTTPError: The connection failed.
    """
    async with aclosing(response.aiter_bytes()) as parts:
        head = b""
        async for part in parts:
            head += part
            if len(head) >= _LONGEST_BEGINNING or _STREAM.match(head):
                break
        if _STREAM.match(head):
            return await _EventStream(response.request, idle, progress).read(head, parts)
        return await _whole(head, parts)


async def _whole(head: bytes, rest: AsyncIterator[bytes]) -> bytes:
    parts = [head]
    size = len(head)
    try:
        async for part in rest:
            parts.append(part)
            size += len(part)
            _require_small(size)
        return b"".join(parts)
    finally:
        parts.clear()  # a traceback keeps the frame alive


class _EventStream:
    def __init__(self, request: httpx2.Request, idle: float, progress: Progress | None) -> None:
        self._request = request
        self._idle = idle
        self._progress = progress
        self._completion = StreamedCompletion()
        self._ended = False
        """Whether the host said that the completion is whole, or reported an error."""

    async def read(self, head: bytes, parts: AsyncGenerator[bytes, None]) -> bytes:
        """Read the stream to its end. Raises UnreadableBody."""
        trouble = "it ended without a finish_reason and without [DONE]"
        try:
            await self._read_events(head, parts)
        except TimeoutError:
            trouble = f"it stopped for {self._idle:g} seconds"
        except httpx2.HTTPError as error:
            trouble = f"{type(error).__name__}: {error}".rstrip(": ")
        except UnicodeDecodeError:
            raise UnreadableBody("malformed", "the stream contains bytes that are not UTF-8") from None
        if not (self._ended or self._completion.is_finished):  # of a finished completion, only the usage may be missing
            written = count(self._completion.characters, "character")
            raise UnreadableBody("unavailable", f"the stream broke off after {written}: {trouble}")
        with suppress(TimeoutError, httpx2.HTTPError):
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in parts:
                    pass
        return self._completion.body()

    async def _read_events(self, head: bytes, parts: AsyncIterator[bytes]) -> None:
        async with aclosing(self._content(head, parts)) as content:
            headers = {"content-type": "text/event-stream; charset=utf-8"}
            response = httpx2.Response(200, headers=headers, content=content, request=self._request)
            source = httpx2.EventSource(response, RESPONSE_BYTES)
            # No event ends this loop: the content ends instead, so that no generator is left behind.
            async for event in source:
                if self._ended or not event.data.strip():
                    continue
                self._add(event)
                _require_small(self._completion.size)
                if self._progress is not None:
                    self._progress(self._completion.characters)

    async def _content(self, head: bytes, parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield the stream as valid UTF-8, without a byte order mark, up to the event that ends it.

        Raises UnicodeDecodeError, and TimeoutError if no part comes in time. The end of the body ends its last event.
        """
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        part: bytes | None = head
        while part is not None:
            yield decoder.decode(part).encode()
            if self._ended:
                return
            async with asyncio.timeout(FINISHED_SECONDS if self._completion.is_finished else self._idle):
                part = await anext(parts, None)
        yield f"{decoder.decode(b'', final=True)}\n\n".encode()

    def _add(self, event: httpx2.ServerSentEvent) -> None:
        completion = self._completion
        if event.event == "error":
            completion.error = _reported_error(event.data)
        try:
            for chunk in [] if completion.error is not None else _chunks(event.data):
                self._ended |= chunk == _DONE
                if not self._ended:
                    completion.add(chunk)
        except (ValueError, RecursionError):
            if event.event not in ("", "message"):  # such as "ping", with a text
                return
            raise UnreadableBody("malformed", f"the stream contains {describe_body(event.data.encode())}") from None
        self._ended |= completion.error is not None


def _chunks(data: str) -> list[object]:
    """Return the chunks of an event: one, or one in each line, if a gateway leaves out the empty lines between them.

    Raises ValueError.
    """
    try:
        return [_chunk(data)]
    except ValueError:
        lines = [line for line in data.split("\n") if line.strip()]
        if len(lines) < 2:
            raise
        return [_chunk(line) for line in lines]


def _chunk(text: str) -> object:
    return _DONE if text.strip().startswith(_DONE) else parse_json(text.encode())


def _reported_error(data: str) -> object:
    """Return the data of an event of the type ``error`` as the body of an error response."""
    try:
        parsed = parse_json(data.encode())
    except ValueError:
        parsed = data
    return parsed if isinstance(parsed, dict) and (parsed.get("error") or parsed.get("errors")) else {"error": parsed}


def _require_small(size: int) -> None:
    if size > RESPONSE_BYTES:
        raise UnreadableBody("unavailable", f"the response is larger than {RESPONSE_BYTES:,} bytes")
