"""Runs for the Temporal UI: the scenes of the demo, on a Temporal server with its UI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from tests.support.paths import PAYLOADS
from tests.support.settings import build_settings
from watchkeeper.cli.intake import serve_local_intake
from watchkeeper.cli.temporal_ui import guarded_ui
from watchkeeper.config.sections import ApprovalSettings, ModelProfile, Prices, WatchdogSettings, WorkerSettings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject, LimitChanges, RunInput, StopRequest, ToolChoice
from watchkeeper.demo import demo_settings
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.demo.world import World
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.client import RunInfo
from watchkeeper.temporal.dev_server import DevServer, dev_server
from watchkeeper.testing.scripted_model import ScriptedModel
from worker import run_worker

KEY = "scene-key"
SECONDS = 60.0

FINISHED = "incident-checkout-orders"
WAITING = "incident-checkout-page"
LIMITED = "incident-search-slow"
STOPPED = "incident-payments-drill"

PRICES = Prices(input=0.95, cached_input=0.16, output=4.0)
"""US dollars per million tokens, so that runs have a cost."""

_FEW = LimitChanges(tokens=400)
"""A limit that the first round reaches."""

_PAYLOAD = PAYLOADS / "alertmanager-grouped.json"
_ALERTMANAGER = "prometheus"


@dataclass(frozen=True)
class Scene:
    """A server with finished and open runs, and the workers."""

    server: DevServer
    workers: AsyncExitStack
    alerted: str
    """The run that an alert started; it stays open after its report."""

    def page(self, run: str, tab: str = "") -> str:
        """Return the URL of a run's latest execution in the UI, or of one of its tabs."""
        return f"{self.runs}/{run}{f'/{tab}' if tab else ''}"

    @property
    def runs(self) -> str:
        """URL of the list of runs."""
        return f"{self.server.ui}/namespaces/{self.server.client.namespace}/workflows"

    async def stop_workers(self) -> None:
        """Stop the workers."""
        await self.workers.aclose()


@asynccontextmanager
async def scene(directory: Path, pace: float = 0.0) -> AsyncIterator[Scene]:
    """Start the runs and wait until each is in the state to show.

    Args:
        directory: Holds the watchdog's journal.
        pace: Seconds that the model takes to answer.
    """
    model = ScriptedModel(on_call_engineer, key=KEY, pace=pace)
    async with (
        World.running() as world,
        model.serve() as url,
        dev_server(ui_guard=guarded_ui) as server,
        AsyncExitStack() as workers,
    ):
        profile = demo_settings.scripted_profile(url, KEY).model_copy(update={"prices": PRICES})
        plain = _settings(world, profile, "on-call", directory)
        asking = _settings(world, profile, "asks-first", directory, ApprovalSettings(tools=["page_engineer"]))
        for settings in (plain, asking):
            await workers.enter_async_context(run_worker(server.client, settings))
        async with serve_local_intake(server.client, plain, 0) as intake:
            alerted = await _post_alert(intake)
            await _wait_for(server, alerted, _open)
        await _start_runs(server, plain, asking)
        yield Scene(server, workers, alerted)


async def _start_runs(server: DevServer, plain: Settings, asking: Settings) -> None:
    """Start one run after the other, so that their order is always the same."""
    client = server.client
    incident = RunInput(text=demo_settings.INCIDENT, service="checkout", severity="critical")
    await runs_client.start_run(client, incident, plain, FINISHED)
    await _wait_for(server, FINISHED, _closed)
    slow = RunInput(text="Search is slow. Find out why.", service="search", severity="error", limits=_FEW)
    await runs_client.start_run(client, slow, plain, LIMITED)
    await _wait_for(server, LIMITED, _closed)
    forced = ToolChoice(mode="named", function="page_engineer")
    drill = RunInput(text="Page the payments on-call engineer: a drill.", service="payments", tool_choice=forced)
    await runs_client.start_run(client, drill, asking, STOPPED)
    await _wait_for(server, STOPPED, _waits)
    await client.get_workflow_handle(STOPPED).execute_update("stop", StopRequest(by="ada", reason="The drill is over."))
    await _wait_for(server, STOPPED, _closed)
    await runs_client.start_run(client, incident, asking, WAITING)
    await _wait_for(server, WAITING, _waits)


def _closed(run: RunInfo) -> bool:
    return run.closed_at is not None


def _waits(run: RunInfo) -> bool:
    return run.waiting_for == "approval"


def _open(run: RunInfo) -> bool:
    return run.phase == "open"


async def _post_alert(intake: str) -> str:
    """Post an Alertmanager notification that fires now. Return the run that it starts."""
    body: JsonObject = json.loads(_PAYLOAD.read_text())
    for alert in body["alerts"]:
        alert["startsAt"] = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{intake}/alerts/{_ALERTMANAGER}", json=body)
    assert answer.status_code == 200, answer.text
    (admitted,) = answer.json()["runs"]
    return str(admitted["run"])


async def _wait_for(server: DevServer, run: str, condition: Callable[[RunInfo], bool]) -> None:
    """Wait until a run meets a condition."""
    async with asyncio.timeout(SECONDS):
        while not condition(await runs_client.find_run(server.client, run)):
            await asyncio.sleep(0.1)


def _settings(
    world: World, profile: ModelProfile, queue: str, directory: Path, approval: ApprovalSettings | None = None
) -> Settings:
    changes = {
        "worker": WorkerSettings(task_queue=queue, shutdown_seconds=1),
        "approval": approval or ApprovalSettings(),
        "watchdog": WatchdogSettings(journal=directory / "watchdog.db"),
        "sources": build_settings(sources={_ALERTMANAGER: {"kind": "alertmanager", "unauthenticated": True}}).sources,
    }
    return demo_settings.settings_for(world, [profile]).model_copy(update=changes)
