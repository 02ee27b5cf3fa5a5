"""The incidents that the matrix plays: what the model says, what people do, and the tools, all over real sockets."""

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
PATIENCE = timedelta(seconds=3)
"""Of a tool and of the model, with a host that says nothing."""

Run = WorkflowHandle[IncidentWorkflow, RunResult]


class Look(Arguments):
    service: Service


class Page(Arguments):
    team: Team


class Note(Arguments):
    text: str


async def _act(what: str, context: ToolContext) -> Any:
    place = context.settings.tools["chaos"]
    call = context.call
    facts = {"run": call.run, "call": call.key, "key": context.idempotency_key, "attempt": context.attempt}
    held = {"x-hold": "yes"} if place["hold"] == call.key else {}
    body = {**facts, "worker": place["worker"]}
    return await fetch(context.http, "POST", f"{place['url']}/{what}", json=body, headers=held)


@tool(effect="read", timeout=PATIENCE)
async def look(args: Look, context: ToolContext) -> Any:
    """Look at a service."""
    return await _act("look", context)


@tool(effect="keyed", key=("team",), timeout=PATIENCE)
async def page(args: Page, context: ToolContext) -> Any:
    """Page a team."""
    return await _act("page", context)


@tool(effect="once", timeout=PATIENCE)
async def note(args: Note, context: ToolContext) -> Any:
    """Write into the incident's channel, which knows no key."""
    return await _act("note", context)


@tool(effect="keyed", approval=True, timeout=PATIENCE)
async def restart(args: Look, context: ToolContext) -> Any:
    """Restart a service."""
    return await _act("restart", context)


TOOLS: Mapping[str, Tool[Any]] = {each.name: each for each in (look, page, note, restart)}


async def approve(run: Run) -> None:
    await _decide(run, Decision(call="r3.0", approved=True, by="ada"))


async def deny(run: Run) -> None:
    await _decide(run, Decision(call="r2.0", approved=False, by="ada"))


async def stop(run: Run) -> None:
    await run.execute_update(IncidentWorkflow.stop, StopRequest(by="ada", reason="it was a drill"), id="stop")


async def _decide(run: Run, decision: Decision) -> None:
    await run.execute_update(IncidentWorkflow.decide, decision, id=f"decide-{decision.call}")


@dataclass(frozen=True)
class Incident:
    """A scripted incident."""

    name: str
    turns: Sequence[ScriptedReply]
    acts: Sequence[Any]
    """What a person does, each when the run next begins to wait for one."""
    once: str = ""
    """The call that may happen once, if there is one."""

    @property
    def calls(self) -> list[str]:
        """Where an answer can be lost on its way: the model's, each tool's, the report's."""
        asked = [f"r{number}" for number in range(1, len(self.turns) + 1)]
        run = [
            f"r{number}.{position}"
            for number, turn in enumerate(self.turns, 1)
            for position in range(len(turn.message.get("tool_calls") or ()))
        ]
        return [*asked, *run, "report"]


WHOLE = Incident(
    "whole",
    [
        calls(("look", {"service": "checkout"}), ("look", {"service": "payments"}), ("look", {"service": "search"})),
        calls(("page", {"team": "checkout"}), ("note", {"text": "rolling back"})),
        calls(("restart", {"service": "checkout"})),
        calls(("look", {"service": "checkout"})),
        says("**Checkout is back.** v2.4.1 was rolled back."),
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

INCIDENTS = {incident.name: incident for incident in (WHOLE, STOPPED)}


def opening(incident: Incident, run: str) -> str:
    """Word the alert so that the model knows what to play, and its witness for whom."""
    return f"[{incident.name}] {run}"


def settings_for(queue: str, worker: str, *, model: str, back_ends: str, hold: str = "") -> Settings:
    """Settings of one worker, whose name its requests carry.

    ``hold``: the call whose answer the hosts keep back.
    """
    return build_settings(
        model={
            "base_url": f"{model}/v1",
            "name": f"{worker} {hold}".strip(),
            "api_key": KEY,
            "deadline": PATIENCE.total_seconds(),
        },
        services={name: {"team": name} for name in ("checkout", "payments", "search")},
        reports={"webhook_url": f"{back_ends}/report/{worker}{'/hold' if hold == 'report' else ''}"},
        tools={"chaos": {"url": back_ends, "worker": worker, "hold": hold}},
        worker={"task_queue": queue, "shutdown_seconds": 2},
    )
