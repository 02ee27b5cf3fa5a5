"""The scripted incidents of the matrix: model replies, human actions and tools. All calls use real sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from tests.support.settings import build_settings
from watchkeeper.backend import fetch
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Decision, RunResult, StopRequest
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool import Arguments, Service, Team, Tool, ToolContext, tool
from workflows.incident import IncidentWorkflow

KEY = "chaos-key"
HOST_TIMEOUT = timedelta(seconds=3)
"""How long a tool call or a model call waits for a host that does not answer."""

RunHandle = WorkflowHandle[IncidentWorkflow, RunResult]


class Look(Arguments):
    service: Service


class Page(Arguments):
    team: Team


class Note(Arguments):
    text: str


async def _call_back_end(name: str, context: ToolContext) -> Any:
    config = context.settings.tools["chaos"]
    call = context.call
    call_info = {"run": call.run, "call": call.key, "key": context.idempotency_key, "attempt": context.attempt}
    headers = {"x-hold": "yes"} if config["hold"] == call.key else {}
    body = {**call_info, "worker": config["worker"]}
    return await fetch(context.http, "POST", f"{config['url']}/{name}", json=body, headers=headers)


@tool(effect="read", timeout=HOST_TIMEOUT)
async def look(args: Look, context: ToolContext) -> Any:
    """Look at a service."""
    return await _call_back_end("look", context)


@tool(effect="keyed", key=("team",), timeout=HOST_TIMEOUT)
async def page(args: Page, context: ToolContext) -> Any:
    """Page a team."""
    return await _call_back_end("page", context)


@tool(effect="once", timeout=HOST_TIMEOUT)
async def note(args: Note, context: ToolContext) -> Any:
    """Write a note into the incident's channel, which has no idempotency key."""
    return await _call_back_end("note", context)


@tool(effect="keyed", approval=True, timeout=HOST_TIMEOUT)
async def restart(args: Look, context: ToolContext) -> Any:
    """Restart a service."""
    return await _call_back_end("restart", context)


TOOLS: Mapping[str, Tool[Any]] = {each.name: each for each in (look, page, note, restart)}


async def approve(run: RunHandle) -> None:
    await _decide(run, Decision(call="r3.0", approved=True, by="ada"))


async def deny(run: RunHandle) -> None:
    await _decide(run, Decision(call="r2.0", approved=False, by="ada"))


async def stop(run: RunHandle) -> None:
    await run.execute_update(IncidentWorkflow.stop, StopRequest(by="ada", reason="it was a drill"), id="stop")


async def _decide(run: RunHandle, decision: Decision) -> None:
    await run.execute_update(IncidentWorkflow.decide, decision, id=f"decide-{decision.call}")


@dataclass(frozen=True)
class Incident:
    """A scripted incident."""

    name: str
    turns: Sequence[ScriptedReply]
    human_actions: Sequence[Any]
    """Actions of a person, in order. Each is taken when the run starts to wait for a person."""
    once: str = ""
    """Key of the call whose effect is ``once``; empty if the incident has none."""

    @property
    def calls(self) -> list[str]:
        """Keys of all calls to a host: model calls, tool calls and the report."""
        model_calls = [f"r{number}" for number in range(1, len(self.turns) + 1)]
        tool_calls = [
            f"r{number}.{position}"
            for number, turn in enumerate(self.turns, 1)
            for position in range(len(turn.message.get("tool_calls") or ()))
        ]
        return [*model_calls, *tool_calls, "report"]


FULL = Incident(
    "full",
    [
        calls(("look", {"service": "checkout"}), ("look", {"service": "payments"}), ("look", {"service": "search"})),
        calls(("page", {"team": "checkout"}), ("note", {"text": "rolling back"})),
        calls(("restart", {"service": "checkout"})),
        calls(("look", {"service": "checkout"})),
        says("**Checkout is back.** It was restarted [r3.0]."),
    ],
    [approve],
    once="r2.1",
)

STOPPED = Incident(
    "stopped",
    [
        calls(("look", {"service": "checkout"}), ("page", {"team": "payments"})),
        calls(("restart", {"service": "checkout"})),
        calls(("restart", {"service": "payments"})),
    ],
    [deny, stop],
)

INCIDENTS = {incident.name: incident for incident in (FULL, STOPPED)}


def alert_text(incident: Incident, run: str) -> str:
    """Return the alert text. It names the incident for the scripted model and the run for the arrivals."""
    return f"[{incident.name}] {run}"


def worker_settings(queue: str, worker: str, *, model: str, back_ends: str, hold: str = "") -> Settings:
    """Return the settings of one worker. Its requests carry its name.

    ``hold``: key of the call that the hosts answer late.
    """
    return build_settings(
        model={
            "base_url": f"{model}/v1",
            "name": f"{worker} {hold}".strip(),
            "api_key": KEY,
            "deadline": HOST_TIMEOUT.total_seconds(),
        },
        services={name: {"team": name} for name in ("checkout", "payments", "search")},
        reports={"webhook_url": f"{back_ends}/report/{worker}{'/hold' if hold == 'report' else ''}"},
        tools={"chaos": {"url": back_ends, "worker": worker, "hold": hold}},
        worker={"task_queue": queue, "shutdown_seconds": 2},
    )
