"""The scripted model in a separate process, so that its time and CPU are not counted for a contender.

The base URL of a contender is ``/NAME/v1``; the floor, which asks no model, waits for its turn at ``/NAME/turn``. The
process checks nothing and supports only the HTTP that the contenders use, so it needs little CPU. The time of a request
is measured from its first byte to the last byte of its answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

from bench.child_process import answer
from bench.request_gate import RequestGate
from bench.task import CALLS, script
from bench.turn_order import TurnOrder
from watchkeeper.cli.event_loop import new_loop
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripts import count_replies

ModelCall = tuple[float, int, float]
"""Seconds, bytes and arrival (Unix seconds) of a request."""

BYTES_PER_TOKEN = 4
COMPLETION_TOKENS = 100

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class ModelServer:
    """Answers when it is a contender's turn, and records the time of each request."""

    def __init__(self, turns: TurnOrder, gate: RequestGate) -> None:
        self._turns = turns
        self._gate = gate
        self._calls: dict[str, list[ModelCall]] = defaultdict(list)
        self.delay = 0.0

    async def answer(self, path: str, body: bytes) -> bytes:
        """Answer one request."""
        name = path.split("/")[1]
        await self._turns.wait_turn(name)
        await self._gate.wait_until_open(name)
        await asyncio.sleep(self.delay)
        payload = json.dumps(complete(json.loads(body), len(body) // BYTES_PER_TOKEN)).encode() if body else b""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n"
        return head.encode() + payload

    def record(self, path: str, call: ModelCall) -> None:
        """Record a request."""
        self._calls[path.split("/")[1]].append(call)

    def take(self, name: str) -> list[ModelCall]:
        """Return and forget the recorded requests of a contender."""
        return self._calls.pop(name, [])

    def set_delay(self, seconds: str) -> None:
        """Take this number of seconds for each answer from now on."""
        self.delay = float(seconds)


def complete(request: JsonObject, prompt_tokens: int) -> JsonObject:
    """Return the completion for a conversation of a number of tokens."""
    turn, done = script(request), count_replies(request)
    tool_calls = [
        {"id": f"functions.read_page:{done * CALLS + n}", **call}
        for n, call in enumerate(turn.message.get("tool_calls", ()))
    ]
    message = {**turn.message, "tool_calls": tool_calls} if tool_calls else turn.message
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": turn.finish_reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": prompt_tokens + COMPLETION_TOKENS,
        },
    }


class Connection(asyncio.Protocol):
    """A client connection with one request at a time."""

    def __init__(self, model: ModelServer) -> None:
        self._host = model
        self._received = bytearray()
        self._began = (0.0, 0.0)
        self._request_length = 0
        self._answer_task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer_task is not None:
            self._answer_task.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._received:
            self._began, self._request_length = (time.perf_counter(), time.time()), 0
        self._received += data
        if not self._request_length and (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(self._received, 0, end)
            self._body_start, self._request_length = end, end + (int(length[1]) if length else 0)
        if self._request_length and len(self._received) >= self._request_length:
            path = self._received.split(b" ", 2)[1].decode()
            self._answer_task = asyncio.create_task(self._answer(path, bytes(self._received[self._body_start :])))
            self._received = bytearray()

    async def _answer(self, path: str, body: bytes) -> None:
        started_at, at = self._began
        self._transport.write(await self._host.answer(path, body))
        self._host.record(path, (time.perf_counter() - started_at, len(body), at))


async def main() -> None:
    turns, gate = TurnOrder(), RequestGate()
    model = ModelServer(turns, gate)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(model), "127.0.0.1", 0)
    async with server:
        answers: dict[str, Callable[..., Any]] = {
            "join": lambda *names: turns.join(list(names)),
            "leave": turns.leave,
            "is_waiting": turns.is_waiting,
            "served": model.take,
            "delay": model.set_delay,
            "close": lambda name, after: gate.close(name, int(after)),
            "held_count": gate.held_count,
            "open": gate.open,
        }
        await answer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answers)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
