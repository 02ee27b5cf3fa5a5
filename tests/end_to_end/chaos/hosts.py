"""The hosts around a run, each a process that a test can kill and freeze.

Start one with ``python -m tests.end_to_end.chaos.hosts NAME PORT``.

What arrives is told on the output before it is answered, so that no death of a host loses a line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.end_to_end.chaos.incidents import INCIDENTS, KEY
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.asgi_server import HOST, serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import by_first_message, count_replies, text_of

HELD_SECONDS = 8.0
START_SECONDS = 60.0
_LINE = 2**20


@dataclass(frozen=True)
class Arrival:
    """One request, as its host saw it."""

    what: str
    run: str
    """Its workflow id, or its first execution run id."""
    call: str
    worker: str
    key: str = ""
    attempt: int = 0
    """Absent where requests do not tell."""
    told: list[str] = field(default_factory=list)
    """The results that the model read."""
    held: bool = False
    at: float = field(default_factory=time.time)


def _asked(request: Mapping[str, Any]) -> Arrival:
    opening = next(text_of(message) for message in request["messages"] if message["role"] == "user")
    worker, _, hold = request["model"].partition(" ")
    call = f"r{count_replies(dict(request)) + 1}"
    told = [message["content"] for message in request["messages"] if message["role"] == "tool"]
    return Arrival("model", opening.split()[1], call, worker, told=told, held=hold == call)


def _tell(arrival: Arrival) -> None:
    os.write(1, json.dumps(asdict(arrival)).encode() + b"\n")


async def _hold(arrival: Arrival) -> None:
    if arrival.held:
        await asyncio.sleep(HELD_SECONDS)


class _Model(ScriptedModel):
    async def _complete(self, request: Request) -> Any:
        arrival = _asked(await request.json())
        _tell(arrival)
        answer = await super()._complete(request)
        await _hold(arrival)
        return answer


async def _take(request: Request) -> JSONResponse:
    facts, what = await request.json(), request.path_params["what"]
    arrival = Arrival(what, **facts, held="x-hold" in request.headers)
    _tell(arrival)
    await _hold(arrival)
    return JSONResponse({what: "done", "service": "checkout"})


async def _report(request: Request) -> JSONResponse:
    body = await request.json()
    worker, _, hold = request.path_params["worker"].partition("/")
    arrival = Arrival("report", body["run"], "report", worker, request.headers["webhook-id"], held=bool(hold))
    _tell(arrival)
    await _hold(arrival)
    return JSONResponse({})


def _app(name: str) -> Starlette:
    if name == "model":
        model = _Model(by_first_message({f"[{each.name}]": each.turns for each in INCIDENTS.values()}), key=KEY)
        return Starlette(routes=[Route("/v1/chat/completions", model)])
    taking = Starlette(
        routes=[
            Route("/report/{worker:path}", _report, methods=["POST"]),
            Route("/{what}", _take, methods=["POST"]),
        ]
    )
    return Starlette(routes=[Route("/{path:path}", FakeServer(taking))])


async def _serve(name: str, port: int) -> None:
    # A caller that dies in the middle of its request is what is wanted here.
    logging.getLogger("uvicorn.error").disabled = True
    async with serve(_app(name), port):
        os.write(1, b"\n")
        await asyncio.Event().wait()


class Host:
    """One of these processes, seen from outside."""

    def __init__(self, name: str, arrivals: list[Arrival]) -> None:
        self._name = name
        self._arrivals = arrivals
        self._port = free_port()
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self.url = f"http://{HOST}:{self._port}"

    async def start(self) -> None:
        """Start it, at the same address each time, and wait until it serves."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.end_to_end.chaos.hosts", self._name, str(self._port)),
            stdout=PIPE,
            limit=_LINE,
        )
        assert self._process.stdout
        async with asyncio.timeout(START_SECONDS):
            await self._process.stdout.readline()
        self._listening = asyncio.create_task(self._listen(self._process.stdout))

    async def _listen(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self._arrivals.append(Arrival(**json.loads(line)))

    def send(self, name: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process
        self._process.send_signal(name)

    async def kill(self) -> None:
        """Kill it; everything it said is heard."""
        assert self._process and self._listening
        self._process.kill()
        await self._process.wait()
        await self._listening


@dataclass(frozen=True)
class Hosts:
    """The model and the back ends, and all that arrived at them."""

    model: Host
    back_ends: Host
    arrivals: list[Arrival]


@asynccontextmanager
async def hosts() -> AsyncIterator[Hosts]:
    """Run both for as long as the context lasts."""
    arrivals: list[Arrival] = []
    model, back_ends = Host("model", arrivals), Host("back_ends", arrivals)
    await asyncio.gather(model.start(), back_ends.start())
    try:
        yield Hosts(model, back_ends, arrivals)
    finally:
        await asyncio.gather(model.kill(), back_ends.kill())


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
