"""Signals that a person sends by hand: none ends a run or the queue of a team, and none breaks a view of the run."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateFailedError

from tests.support.alert_sender import Sender, is_open, until_reported
from tests.support.harness import LOOK, concludes, run_harness, until_waiting
from tests.support.malformed_signals import ARGUMENTS, hostile_alerts
from tests.support.queue_team import Team
from watchkeeper.contracts import Decision
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.temporal import queue_history
from watchkeeper.testing.scripts import calls, count_replies, says
from workflows.incident import IncidentWorkflow

SIGNALS = ("alert", "admit", "no-such-signal")


async def send_all(run: WorkflowHandle[Any, Any], *signals: str) -> None:
    """Send every malformed argument to each signal."""
    await asyncio.gather(*(run.signal(name, args=arguments) for name in signals for arguments in ARGUMENTS.values()))


async def test_no_malformed_signal_ends_a_run_or_breaks_its_view(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"}), LOOK), says("**Fine.**\n\nRead: [r1.1].")]
    async with run_harness(client, script) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        await send_all(run, *SIGNALS)
        view = await read_run(client, run.id)
        json.dumps(run_json(view))
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True))
        result = await run.result()
        json.dumps(run_json(await read_run(client, run.id)))
    assert result.status == "concluded"
    assert view.episode.states == []


async def test_no_hostile_alert_ends_a_run_or_breaks_its_view(client: Client) -> None:
    async with run_harness(client, lambda request: concludes()[min(count_replies(request), 1)]) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await until_reported(run)
        await asyncio.gather(*(run.signal("alert", notification) for notification in hostile_alerts(100_000).values()))
        await run.query(IncidentWorkflow.progress)
        view = await read_run(client, run.id)
        json.dumps(run_json(view))
        assert await is_open(run)
        assert len(view.episode.states) > 5
        await run.terminate()


@pytest.mark.parametrize("kind", ["tell", "stop", "extend", "decide", "no-such-update"])
async def test_malformed_updates_are_rejected_and_queries_fail_alone(client: Client, kind: str) -> None:
    valid_to_stop = {
        "an empty object",
        "wrong fields",
        "wrong types",
    }  # a reason is optional, unknown fields are ignored
    arguments = [a for name, a in ARGUMENTS.items() if kind != "stop" or name not in valid_to_stop]
    async with run_harness(client, [calls(("restart", {"service": "checkout"})), says("Fine.")]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        for few in (arguments[n : n + 5] for n in range(0, len(arguments), 5)):
            answers = await asyncio.gather(
                *(run.execute_update(kind, args=each) for each in few),
                *(run.query("no-such-query", args=each) for each in few),
                return_exceptions=True,
            )
            assert {type(answer) for answer in answers} == {WorkflowUpdateFailedError, WorkflowQueryFailedError}
        assert (await read_run(client, run.id)).actions == []
        await run.terminate()


async def test_no_malformed_signal_blocks_the_queue_of_a_team(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        await team.start("a")
        await team.until_investigating("a")
        await send_all(team.queue, "enter", "leave", "no-such-signal")
        for wrong in ({"workflow_id": ""}, {"workflow_id": "w" * 2_000}, {"run": ""}, {"places": 10**30}):
            entry = {"queue": "q", "run": "r", "workflow_id": "w", "priority": 1, "at": 0, "sent": 0, "places": 3}
            await team.queue.signal("enter", {**entry, **wrong})
        await team.start("b")
        await team.until_investigating("a", "b")
        state = await queue_history.read_queue(client, team.queue.id, "")
        assert len(state.holding) == 2
