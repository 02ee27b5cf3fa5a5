"""The model and the back ends of a run. Each is a process that a test can kill or freeze.

Start one with ``python -m tests.end_to_end.chaos.hosts NAME PORT``.

A host writes each request to its output before it answers, so that a kill loses no request.
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

    kind: str
    run: str
    """The workflow id, or the first execution run id."""
    call: str
    worker: str
    key: str = ""
    attempt: int = 0
    """0 if the request does not name its attempt."""
    tool_results: list[str] = field(default_factory=list)
    """The tool results in a model request."""
    held: bool = False
    """Whether the host answers late, after ``HELD_SECONDS``."""
    at: float = field(default_factory=time.time)


def _model_arrival(request: Mapping[str, Any]) -> Arrival:
    alert_text = next(text_of(message) for message in request["messages"] if message["role"] == "user")
    worker, _, hold = request["model"].partition(" ")
    call = f"r{count_replies(dict(request)) + 1}"
    tool_results = [message["content"] for message in request["messages"] if message["role"] == "tool"]
    return Arrival("model", alert_text.split()[1], call, worker, tool_results=tool_results, held=hold == call)


def _write_arrival(arrival: Arrival) -> None:
    os.write(1, json.dumps(asdict(arrival)).encode() + b"\n")


async def _delay_if_held(arrival: Arrival) -> None:
    if arrival.held:
        await asyncio.sleep(HELD_SECONDS)


class _Model(ScriptedModel):
    async def _complete(self, request: Request) -> Any:
        arrival = _model_arrival(await request.json())
        _write_arrival(arrival)
        answer = await super()._complete(request)
        await _delay_if_held(arrival)
        return answer


async def _handle_tool_call(request: Request) -> JSONResponse:
    fields, kind = await request.json(), request.path_params["kind"]
    arrival = Arrival(kind, **fields, held="x-hold" in request.headers)
    _write_arrival(arrival)
    await _delay_if_held(arrival)
    return JSONResponse({kind: "done", "service": "checkout"})


async def _handle_report(request: Request) -> JSONResponse:
    body = await request.json()
    worker, _, hold = request.path_params["worker"].partition("/")
    arrival = Arrival("report", body["run"], "report", worker, request.headers["webhook-id"], held=bool(hold))
    _write_arrival(arrival)
    await _delay_if_held(arrival)
    return JSONResponse({})


def _app(name: str) -> Starlette:
    if name == "model":
        model = _Model(by_first_message({f"[{each.name}]": each.turns for each in INCIDENTS.values()}), key=KEY)
        return Starlette(routes=[Route("/v1/chat/completions", model)])
    back_ends = Starlette(
        routes=[
            Route("/report/{worker:path}", _handle_report, methods=["POST"]),
            Route("/{kind}", _handle_tool_call, methods=["POST"]),
        ]
    )
    return Starlette(routes=[Route("/{path:path}", FakeServer(back_ends))])


async def _serve(name: str, port: int) -> None:
    # Callers are killed in the middle of requests on purpose.
    logging.getLogger("uvicorn.error").disabled = True
    async with serve(_app(name), port):
        os.write(1, b"\n")
        await asyncio.Event().wait()


class Host:
    """A host process and the requests that it received."""

    def __init__(self, name: str, arrivals: list[Arrival]) -> None:
        self._name = name
        self._arrivals = arrivals
        self._port = free_port()
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.url = f"http://{HOST}:{self._port}"

    async def start(self) -> None:
        """Start the process and wait until it serves. The address is the same after a restart."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.end_to_end.chaos.hosts", self._name, str(self._port)),
            stdout=PIPE,
            limit=_LINE,
        )
        assert self._process.stdout
        async with asyncio.timeout(START_SECONDS):
            await self._process.stdout.readline()
        self._reader = asyncio.create_task(self._read_arrivals(self._process.stdout))

    async def _read_arrivals(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self._arrivals.append(Arrival(**json.loads(line)))

    def send(self, name: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process
        self._process.send_signal(name)

    async def kill(self) -> None:
        """Kill the process and read the rest of its output."""
        assert self._process and self._reader
        self._process.kill()
        await self._process.wait()
        await self._reader


@dataclass(frozen=True)
class Hosts:
    """The model, the back ends and all requests that they received."""

    model: Host
    back_ends: Host
    arrivals: list[Arrival]


@asynccontextmanager
async def run_hosts() -> AsyncIterator[Hosts]:
    """Run the model and the back ends until the context ends."""
    arrivals: list[Arrival] = []
    model, back_ends = Host("model", arrivals), Host("back_ends", arrivals)
    await asyncio.gather(model.start(), back_ends.start())
    try:
        yield Hosts(model, back_ends, arrivals)
    finally:
        await asyncio.gather(model.kill(), back_ends.kill())


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
