"""Worker processes for tests to kill. A fork server that has imported everything makes hundreds of them cheap."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from tests.end_to_end.chaos.incidents import TOOLS, worker_settings
from watchkeeper.cli.event_loop import new_loop
from watchkeeper.telemetry.setup import telemetry
from watchkeeper.temporal.client import connect
from worker import run_worker

START_SECONDS = 60.0

_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["tests.end_to_end.chaos.workers"])


@dataclass(frozen=True)
class WorkerOptions:
    """Options of a worker process."""

    name: str
    address: str
    queue: str
    model: str
    back_ends: str
    hold: str = ""
    collector: str = ""
    """URL of the OTLP collector; empty: no spans."""


class WorkerProcess:
    """A running worker process."""

    def __init__(self, name: str, process: ForkServerProcess) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Process id; the worker's identity in histories starts with it."""
        assert self._process.pid
        return self._process.pid

    def send(self, name: signal.Signals) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, name)

    async def end(self) -> None:
        """Kill the process and release its resources."""
        self._process.kill()
        await asyncio.to_thread(self._process.join)
        self._process.close()


async def start_worker(options: WorkerOptions) -> WorkerProcess:
    """Start a worker and wait until it runs."""
    receiver, sender = _forkserver.Pipe(duplex=False)
    process = _forkserver.Process(target=_main, args=(options, sender), daemon=True)
    await asyncio.to_thread(process.start)
    sender.close()
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.to_thread(receiver.recv)
    finally:
        receiver.close()
    return WorkerProcess(options.name, process)


def _main(options: WorkerOptions, ready: Connection) -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):  # the errors of these workers are intended
        os.dup2(devnull, output)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_run_until_killed(options, ready))


async def _run_until_killed(options: WorkerOptions, ready: Connection) -> None:
    client = await connect(options.address)
    settings = worker_settings(
        options.queue, options.name, model=options.model, back_ends=options.back_ends, hold=options.hold
    )
    if options.collector:
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{options.collector}/v1/traces"
    async with (
        telemetry(settings, os.environ) as exporters,
        run_worker(client, settings, tools=TOOLS, telemetry=exporters),
    ):
        ready.send("ready")
        await asyncio.Event().wait()
