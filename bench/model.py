"""The scripted model in a process of its own, so that neither its time nor its CPU is a contender's.

Contenders have base URLs of their own: ``/NAME/v1``. Who has no model waits for its turn at ``/NAME/turn``. It checks
nothing and speaks only as much HTTP as the contenders do, so that it costs the machine little: a request was with it
from its first byte to the last of its answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

from bench.baton import Baton
from bench.gate import RequestGate
from bench.process import answer
from bench.task import CALLS, script
from watchkeeper.cli.event_loop import new_loop
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripts import count_replies

Served = tuple[float, int, float]
"""How many seconds a request was here, how many bytes it had, and when it came, in Unix seconds."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Host:
    """Answers when it is a contender's turn, and notes what each request took."""

    def __init__(self, baton: Baton, gate: RequestGate) -> None:
        self._baton = baton
        self._gate = gate
        self._served: dict[str, list[Served]] = defaultdict(list)
        self.pace = 0.0

    async def answer(self, path: str, body: bytes) -> bytes:
        """Answer one request."""
        name = path.split("/")[1]
        await self._baton.turn(name)
        await self._gate.passing(name)
        await asyncio.sleep(self.pace)
        said = json.dumps(complete(json.loads(body))).encode() if body else b""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
        return head.encode() + said

    def note(self, path: str, served: Served) -> None:
        """Note what a request took."""
        self._served[path.split("/")[1]].append(served)

    def take(self, name: str) -> list[Served]:
        """Return what was noted of a contender since the last time."""
        return self._served.pop(name, [])

    def set_pace(self, seconds: str) -> None:
        """Think so long about each answer from now on."""
        self.pace = float(seconds)


def complete(request: JsonObject) -> JsonObject:
    """Write the completion that a conversation is due."""
    turn, done = script(request), count_replies(request)
    called = [
        {"id": f"functions.read_page:{done * CALLS + n}", **call}
        for n, call in enumerate(turn.message.get("tool_calls", ()))
    ]
    message = {**turn.message, "tool_calls": called} if called else turn.message
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": turn.finish_reason}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100},
    }


class Connection(asyncio.Protocol):
    """One connection of a client, with one request at a time on it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._received = bytearray()
        self._began = (0.0, 0.0)
        self._whole = 0
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._received:
            self._began, self._whole = (time.perf_counter(), time.time()), 0
        self._received += data
        if not self._whole and (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(self._received, 0, end)
            self._body, self._whole = end, end + (int(length[1]) if length else 0)
        if self._whole and len(self._received) >= self._whole:
            path = self._received.split(b" ", 2)[1].decode()
            self._answering = asyncio.create_task(self._answer(path, bytes(self._received[self._body :])))
            self._received = bytearray()

    async def _answer(self, path: str, body: bytes) -> None:
        began, at = self._began
        self._transport.write(await self._host.answer(path, body))
        self._host.note(path, (time.perf_counter() - began, len(body), at))


async def main() -> None:
    baton, gate = Baton(), RequestGate()
    host = Host(baton, gate)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(host), "127.0.0.1", 0)
    async with server:
        answers: dict[str, Callable[..., Any]] = {
            "join": lambda *names: baton.join(list(names)),
            "leave": baton.leave,
            "waits": baton.waits,
            "served": host.take,
            "pace": host.set_pace,
            "shut": lambda name, after: gate.shut(name, int(after)),
            "held": gate.held,
            "open": gate.open,
        }
        await answer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answers)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
