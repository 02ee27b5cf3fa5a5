"""The processes of a storm: Temporal, the intake and the workers, which tests kill, and the hosts around them."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.end_to_end.chaos.temporal_server import TemporalServer, run_server
from tests.end_to_end.storms.groups import LIST_SOURCE, SERVICE, SOURCE, Group
from tests.support.program import Program, Running
from watchkeeper.config.sections import IntakeSettings
from watchkeeper.contracts import JsonObject
from watchkeeper.demo.world import World
from watchkeeper.temporal.ports import HOST, free_port
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, count_replies, says

KEY = "storm-key"
DEAD_SECONDS = 1.0

_SETTINGS = """
[model]
base_url = "{model}"
name = "scripted"
api_key = "{key}"
[services.{service}]
team = "{service}"
[teams.{service}]
routing_key = "{routing_key}"
[prometheus]
url = "{prometheus}"
[pagerduty]
events_url = "{pagerduty}"
[reports]
webhook_url = "{reports}"
[worker]
task_queue = "storm"
shutdown_seconds = 2
[intake]
port = {port}
patience = {patience}
[sources.{source}]
kind = "alertmanager"
unauthenticated = true
[sources.{list_source}]
kind = "generic"
alerts = "items"
unauthenticated = true
"""


def scripted_reply(request: JsonObject) -> ScriptedReply:
    """Return a scripted reply: one tool call, then the conclusion."""
    if count_replies(request) == 0:
        return calls(("get_service_health", {"service": SERVICE}))
    return says("Verdict: diagnosed\n\n**Cause:** the latest deploy.\n\nRoll back.")


class Reports:
    """The receiver of reports."""

    def __init__(self) -> None:
        self.delivered: dict[str, list[str]] = defaultdict(list)
        """Message ids, by workflow id."""
        self.without_model_call = set[str]()
        """Workflow ids of runs whose alerts resolved while they waited in the queue."""
        self.paging = set[str]()
        """Workflow ids of runs whose report says that a page is sent with it."""
        self.endpoint = FakeServer(Starlette(routes=[Route("/", self._receive, methods=["POST"])]))
        self._arrived = asyncio.Condition()

    async def _receive(self, request: Request) -> JSONResponse:
        report = await request.json()
        self.delivered[report["workflow_id"]].append(request.headers["webhook-id"])
        if "while this run waited in the queue" in report["report"]["body"]:
            self.without_model_call.add(report["workflow_id"])
        if "A page is sent with this report: critical: " in report["report"]["body"]:
            self.paging.add(report["workflow_id"])
        async with self._arrived:
            self._arrived.notify_all()
        return JSONResponse({})

    async def wait_for(self, group: Group) -> None:
        """Wait for the report on a group."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: group.workflow_id in self.delivered)


class Site:
    """The processes, and methods to kill and restart them."""

    def __init__(self, temporal: TemporalServer, program: Program, url: str) -> None:
        self.temporal = temporal
        self.url = url
        """URL of the intake; the same after a restart."""
        self.world: World
        self.model = ScriptedModel(scripted_reply, key=KEY)
        self.reports = Reports()
        self.killed: list[str] = []
        self._program = program
        self._intake: Running | None = None
        self._workers: list[Running] = []

    async def start_intake(self, **environment: str) -> None:
        """Start the intake; ``environment``: more environment variables."""
        variables = {"TEMPORAL_ADDRESS": self.temporal.address, **environment}
        self._intake = await self._program.begin("intake", **variables)
        await self._intake.says("listening at")

    async def start_worker(self) -> None:
        """Start one more worker."""
        worker = await self._program.begin("worker", TEMPORAL_ADDRESS=self.temporal.address)
        self._workers.append(worker)
        await worker.says("working on the task queue")

    async def kill_intake(self) -> None:
        """Kill the intake."""
        assert self._intake is not None
        await _kill(self._intake)
        self._intake = None

    async def kill_worker(self) -> None:
        """Kill the oldest worker."""
        await _kill(self._workers.pop(0))

    async def inject_faults(self, progress: Callable[[], float], times: int) -> None:
        """Kill and restart the intake, a worker and Temporal in turn, ``times`` in all, during the storm.

        ``progress``: returns the completed share of the storm, 0 to 1.
        """
        faults: list[tuple[str, Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = [
            ("intake", self.kill_intake, self.start_intake),
            ("worker", self.kill_worker, self.start_worker),
            ("Temporal", self.temporal.kill, self.temporal.start),
        ]
        for number in range(times):
            while progress() < (number + 0.5) / times:
                await asyncio.sleep(0.02)
            name, kill, start = faults[number % len(faults)]
            await kill()
            self.killed.append(f"{name} at {progress():.0%}")
            await asyncio.sleep(DEAD_SECONDS)
            await start()

    async def end(self) -> None:
        """Kill all remaining processes."""
        while self._workers:
            await self.kill_worker()
        if self._intake is not None:
            await self.kill_intake()


async def _kill(program: Running) -> None:
    if program.process.returncode is None:
        program.send(signal.SIGKILL)
    await program.end()


@asynccontextmanager
async def run_site(directory: Path, patience: float = IntakeSettings().patience) -> AsyncIterator[Site]:
    """Set up a site whose intake and workers are not running yet; ``patience``: of the intake, in seconds."""
    port = free_port()
    async with run_server() as temporal, World.running() as world:
        site = Site(temporal, Program(directory), f"http://{HOST}:{port}")
        site.world = world
        async with site.model.serve() as model, serve(site.reports.endpoint) as reports:
            settings = _SETTINGS.format(
                model=model,
                key=KEY,
                service=SERVICE,
                routing_key=world.routing_keys[SERVICE],
                prometheus=world.urls.prometheus_url,
                pagerduty=world.urls.pagerduty_events_url,
                reports=reports,
                port=port,
                source=SOURCE,
                list_source=LIST_SOURCE,
                patience=patience,
            )
            (directory / "watchkeeper.toml").write_text(settings)
            try:
                yield site
            finally:
                await site.end()
