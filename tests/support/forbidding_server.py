"""A gRPC server that answers PERMISSION_DENIED, which a development server never does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import chain, repeat

Answer = Callable[[bytes], bytes]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
ACK, END_STREAM, END_HEADERS = 1, 1, 4
STATUS_200 = b"\x88"
EMPTY_MESSAGE = bytes(5)
MESSAGE = "Request unauthorized."


@asynccontextmanager
async def forbidding(*, requests: int = 1_000) -> AsyncIterator[str]:
    """Serve on loopback; yield the address. The first ``requests`` of a connection are denied, later ones succeed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Every client first asks for the server's capabilities; this call is allowed.
        await _serve(reader, writer, chain([_allowed], repeat(_forbidden, requests), repeat(_allowed)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Iterator[Answer]) -> None:
    assert await reader.readexactly(len(PREFACE)) == PREFACE
    writer.write(_frame(SETTINGS, 0, bytes(4)))
    try:
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = head[3], head[4], head[5:]
            body = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if kind == HEADERS:
                writer.write(next(answers)(stream))
            elif kind in (SETTINGS, PING) and not flags & ACK:
                writer.write(_frame(kind, ACK, bytes(4), body if kind == PING else b""))
    except asyncio.IncompleteReadError:
        writer.close()


def _allowed(stream: bytes) -> bytes:
    begin = _frame(HEADERS, END_HEADERS, stream, STATUS_200 + _fields({"content-type": "application/grpc"}))
    end = _frame(HEADERS, END_HEADERS | END_STREAM, stream, _fields({"grpc-status": "0"}))
    return begin + _frame(DATA, 0, stream, EMPTY_MESSAGE) + end


def _forbidden(stream: bytes) -> bytes:
    fields = {"content-type": "application/grpc", "grpc-status": "7", "grpc-message": MESSAGE}
    return _frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200 + _fields(fields))


def _frame(kind: int, flags: int, stream: bytes, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream + body


def _fields(fields: dict[str, str]) -> bytes:
    """Encode header fields as HPACK literals, which need no table."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields.items())


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
