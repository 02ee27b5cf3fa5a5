"""Worker processes, to be killed: forked off one that has already imported everything, so that hundreds are cheap."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from tests.end_to_end.chaos.incidents import TOOLS, settings_for
from watchkeeper.cli.event_loop import new_loop
from watchkeeper.telemetry.setup import telemetry
from watchkeeper.temporal.client import connect
from worker import run_worker

START_SECONDS = 60.0

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["tests.end_to_end.chaos.workers"])


@dataclass(frozen=True)
class Told:
    """What a worker is told."""

    name: str
    address: str
    queue: str
    model: str
    back_ends: str
    hold: str = ""
    collector: str = ""
    """Where its spans go; empty: it makes none."""


class Worker:
    """A worker process that works."""

    def __init__(self, name: str, process: ForkServerProcess) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Of its process; its identity in histories begins with it."""
        assert self._process.pid
        return self._process.pid

    def send(self, name: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, name)

    async def end(self) -> None:
        """Kill it, if it still lives, and bury it."""
        self._process.kill()
        await asyncio.to_thread(self._process.join)
        self._process.close()


async def start(told: Told) -> Worker:
    """Start a worker and wait until it works."""
    ours, theirs = _forking.Pipe(duplex=False)
    process = _forking.Process(target=_main, args=(told, theirs), daemon=True)
    await asyncio.to_thread(process.start)
    theirs.close()
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.to_thread(ours.recv)
    finally:
        ours.close()
    return Worker(told.name, process)


def _main(told: Told, ready: Connection) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):  # what is meant to go wrong need not be told
        os.dup2(nowhere, output)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_work(told, ready))


async def _work(told: Told, ready: Connection) -> None:
    client = await connect(told.address)
    settings = settings_for(told.queue, told.name, model=told.model, back_ends=told.back_ends, hold=told.hold)
    if told.collector:
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{told.collector}/v1/traces"
    async with (
        telemetry(settings, os.environ) as telling,
        run_worker(client, settings, tools=TOOLS, telemetry=telling),
    ):
        ready.send("ready")
        await asyncio.Event().wait()
