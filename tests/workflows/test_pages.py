"""Who is woken by a run, and when: code decides it from the records and the service catalogue."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from pydantic import Field
from temporalio.client import Client, WorkflowFailureError

from tests.support.alert_sender import Sender
from tests.support.harness import Run, look, refusing, run_harness, until_asked, until_waiting
from tests.support.settings import paging_tables
from watchkeeper.contracts import CallRecord, Decision, LimitChanges, PageRecord, StopRequest, ToolChoice
from watchkeeper.demo.world import World
from watchkeeper.prompts import prompt
from watchkeeper.testing.scripts import ScriptedCall, ScriptedReply, calls, says
from watchkeeper.tool import Arguments, Team, Tool, ToolContext, tool
from watchkeeper.tool_calling.catalogue import discover_tools
from workflows.incident import IncidentWorkflow

REPORT = "Error rate is 18.2 %."
DONE = "The owners know now."
"""A report without a figure, for runs that read nothing."""

LOOK: ScriptedCall = ("look", {"service": "checkout"})
ONE_ROUND = LimitChanges(tokens=1)


class Wait(Arguments):
    service: str = Field(description="Service to look at.")


class Gate:
    """A read that ends when the test opens the gate."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered = asyncio.Event()

        @tool(effect="read")
        async def slow_look(args: Wait, context: ToolContext) -> dict[str, Any]:
            """Look slowly."""
            self.entered.set()
            await self.opened.wait()
            return {"error_rate": 0.5}

        self.tool = slow_look


class Wake(Arguments):
    team: Team = Field(description="Team to wake.")


@tool(effect="once", pages=True)
async def wake(args: Wake, context: ToolContext) -> dict[str, Any]:
    """Wake a team."""
    assert context.incident is not None
    return {"team": args.team, "incident": 12, "title": context.incident.title}


TOOLS: dict[str, Tool[Any]] = {
    "look": look,
    "refusing": refusing,
    "wake": wake,
    "page_engineer": discover_tools()["page_engineer"],
}


def page(service: str = "checkout", summary: str = "Orders fail.") -> ScriptedCall:
    return ("page_engineer", {"service": service, "summary": summary})


def tables(world: World) -> dict[str, Any]:
    services = {"checkout": {"team": "checkout", "depends_on": ["search"]}}
    services |= {name: {"team": name} for name in ("payments", "search")}
    return {**paging_tables(world), "services": services}


async def records(run: Run) -> dict[str, CallRecord]:
    return {call.key: call for call in (await run.query(IncidentWorkflow.progress)).calls}


def paged(world: World) -> list[str]:
    return [incident.team for incident in world.pages.incidents]


async def test_the_model_looks_before_it_pages(client: Client, world: World) -> None:
    script = [calls(page()), calls(LOOK), calls(page()), says(REPORT)]
    async with run_harness(client, script, tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        result = await run.result()
        calls_of_run = await records(run)
    assert (result.status, paged(world)) == ("concluded", ["checkout"])
    refused, sent = calls_of_run["r1.0"], calls_of_run["r3.0"]
    assert (refused.status, refused.page) == ("rejected", None)
    assert prompt("look_first") in harness.results(1)[0].replace("\\n", "\n")
    assert (sent.status, sent.page) == ("ok", PageRecord(team="checkout"))


@pytest.mark.parametrize("order", [(page(), LOOK), (LOOK, page())], ids=["page first", "read first"])
async def test_a_page_waits_for_the_reads_beside_it(
    client: Client, world: World, order: tuple[ScriptedCall, ...]
) -> None:
    async with run_harness(client, [calls(*order), says(REPORT)], tools=TOOLS, **tables(world)) as harness:
        await (await harness.start("Orders fail.", service="checkout")).result()
    (sent,) = world.pages.events
    assert sent.summary == (
        "Orders fail. · checkout · measured: look: service checkout, error_rate 0.182 · the model: Orders fail."
    )
    assert sent.severity == "error"


async def test_a_page_goes_out_as_soon_as_one_read_has_succeeded(client: Client, world: World) -> None:
    slow = Gate()
    script = [calls(("slow_look", {"service": "checkout"}), page(), LOOK), says(REPORT)]
    tools = {**TOOLS, "slow_look": slow.tool}
    async with run_harness(client, script, tools=tools, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        while not world.pages.events:
            await asyncio.sleep(0.02)
        slow.opened.set()
        assert (await run.result()).status == "concluded"


async def test_a_page_is_refused_if_the_reads_beside_it_fail(client: Client, world: World) -> None:
    script = [calls(page(), ("refusing", {})), says(DONE)]
    async with run_harness(client, script, tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        await run.result()
        assert (await records(run))["r1.0"].status == "rejected"
    assert world.pages.events == []


async def test_a_page_that_waits_is_not_sent_after_a_stop(client: Client, world: World) -> None:
    slow = Gate()
    script = [calls(page(), ("slow_look", {"service": "checkout"})), says(REPORT)]
    tools = {**TOOLS, "slow_look": slow.tool}
    async with run_harness(client, script, tools=tools, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        await slow.entered.wait()
        await run.execute_update(IncidentWorkflow.stop, StopRequest(reason="false alarm"))
        assert (await run.result()).status == "stopped"
        assert (await records(run))["r1.0"].status == "denied"
    assert world.pages.events == []


@pytest.mark.parametrize("service", ["checkout", None])
async def test_a_person_may_force_a_page(client: Client, world: World, service: str | None) -> None:
    forced = ToolChoice(mode="named", function="page_engineer")
    async with run_harness(client, [calls(page()), says(DONE)], tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service=service, tool_choice=forced)
        assert (await run.result()).status == "concluded"
    assert paged(world) == ["checkout"]


async def test_a_forced_page_to_another_team_still_needs_approval(client: Client, world: World) -> None:
    forced = ToolChoice(mode="named", function="page_engineer")
    async with run_harness(client, [calls(page("payments")), says(DONE)], tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service="checkout", tool_choice=forced)
        await until_waiting(run, "r1.0")
        await run.execute_update(IncidentWorkflow.stop, StopRequest())
        await run.result()
    assert world.pages.events == []


# --- whom ---------------------------------------------------------------------------------------------------------


async def test_a_related_team_needs_no_approval(client: Client, world: World) -> None:
    async with run_harness(
        client, [calls(LOOK, page("search")), says(REPORT)], tools=TOOLS, **tables(world)
    ) as harness:
        await (await harness.start(service="checkout")).result()
    assert paged(world) == ["search"]


@pytest.mark.parametrize("approved", [True, False])
async def test_a_page_to_another_team_waits_for_approval(client: Client, world: World, approved: bool) -> None:
    script = [calls(LOOK), calls(page("payments")), says(REPORT)]
    async with run_harness(client, script, tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        await until_waiting(run, "r2.0")
        why = (await records(run))["r2.0"].finding
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r2.0", approved=approved, by="ada"))
        await until_asked(harness, 3)
        call = (await records(run))["r2.0"]
        with suppress(WorkflowFailureError):
            await run.result()
    assert why == "team payments is not a team of this incident, so a person must approve the page"
    assert call.status == ("ok" if approved else "denied")
    # The page that the model wanted was denied, so the run is handed off to the owner.
    assert paged(world) == (["payments"] if approved else ["checkout"])


async def test_an_approval_of_a_page_expires(client: Client, world: World) -> None:
    script = [calls(LOOK), calls(page("payments")), says(REPORT)]
    async with run_harness(client, script, tools=TOOLS, approval={"timeout": 0.3}, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        with pytest.raises(WorkflowFailureError):
            await run.result()
        assert (await records(run))["r2.0"].status == "expired"
    assert paged(world) == ["checkout"]


async def test_a_page_needs_one_approval_if_the_tool_always_needs_it(client: Client, world: World) -> None:
    script = [calls(LOOK), calls(page("payments")), says(REPORT)]
    approval = {"tools": ["page_engineer"]}
    async with run_harness(client, script, tools=TOOLS, approval=approval, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        await until_waiting(run, "r2.0")
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r2.0", approved=True, by="ada"))
        await run.result()
    assert paged(world) == ["payments"]


async def test_without_a_service_the_owner_of_what_was_read_is_paged(client: Client, world: World) -> None:
    script = [calls(LOOK, page("checkout"), page("payments")), says(REPORT)]
    async with run_harness(client, script, tools=TOOLS, **tables(world)) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.2")
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.2", approved=True, by="ada"))
        await run.result()
    assert paged(world) == ["checkout", "payments"]


async def test_a_team_instead_of_a_service_is_accepted(client: Client, world: World) -> None:
    old = ("page_engineer", {"team": "search", "summary": "x", "severity": "critical"})
    async with run_harness(client, [calls(LOOK, old), says(REPORT)], tools=TOOLS, **tables(world)) as harness:
        await (await harness.start(service="checkout", severity="warning")).result()
    assert [(event.team, event.severity) for event in world.pages.events] == [("search", "warning")]


async def test_the_rules_apply_to_every_tool_that_pages(client: Client, world: World) -> None:
    script = [calls(("wake", {"team": "checkout"})), calls(LOOK, ("wake", {"team": "checkout"})), says(REPORT)]
    async with run_harness(client, script, tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service="checkout")
        await run.result()
        calls_of_run = await records(run)
    assert calls_of_run["r1.0"].status == "rejected"
    assert calls_of_run["r2.1"].page == PageRecord(team="checkout", incident="12")


# --- what the page says -------------------------------------------------------------------------------------------


def _alerted(*more: ScriptedReply) -> list[ScriptedReply]:
    return [calls(LOOK), calls(page()), *more]


async def test_a_page_has_the_severity_and_the_links_of_the_worst_alert(client: Client, world: World) -> None:
    settings = tables(world)
    settings["reports"] |= {"run_url": "https://ui.example/{run}"}
    async with run_harness(client, _alerted(says(REPORT)), tools=TOOLS, **settings) as harness:
        sender = Sender.on(harness)
        minor = sender.alert("Latency", severity="warning", links={"runbook": "https://wiki.example/latency"})
        links = {"runbook": "https://wiki.example/errors", "silence": "https://am.example/#/silences/new?filter=x"}
        worst = sender.alert(severity="error", links=links)
        dispatched = await sender.tell(minor, worst)
        while not world.pages.events:
            await asyncio.sleep(0.02)
        await sender.run(dispatched).execute_update(IncidentWorkflow.stop, StopRequest())
    sent = world.pages.events[0]
    run = sender.run(dispatched)
    assert (sent.team, sent.severity) == ("checkout", "error")
    assert sent.summary is not None
    assert sent.summary.startswith("HighErrorRate: checkout fails · checkout · error · measured: look: ")
    assert sent.event["client_url"] == f"https://ui.example/{run.id}"
    addresses = {link["text"]: link["href"] for link in sent.event["links"]}
    assert addresses == {
        "Run": f"https://ui.example/{run.id}",
        "Runbook": "https://wiki.example/errors",
        "Silence": "https://am.example/#/silences/new?filter=x",
    }
    assert sent.event["payload"]["custom_details"]["show"] == f"watchkeeper show {run.id}"


@pytest.mark.parametrize("severity", ["critical", "error"])
async def test_a_hand_off_page_follows_the_alert(client: Client, world: World, severity: str) -> None:
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, limits={"rounds": 1}, **tables(world)) as harness:
        sender = Sender.on(harness)
        dispatched = await sender.fire(severity=severity)
        with pytest.raises(WorkflowFailureError):
            await sender.run(dispatched).result()
    (sent,) = world.pages.events
    assert (sent.team, sent.severity) == ("checkout", severity)


async def test_a_persons_question_that_reaches_a_limit_pages_no_one(client: Client, world: World) -> None:
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **tables(world)) as harness:
        run = await harness.start(service="checkout", limits=ONE_ROUND)
        with pytest.raises(WorkflowFailureError):
            await run.result()
    assert world.pages.events == []


# --- an incident that the alerting system has opened --------------------------------------------------------------


@pytest.mark.parametrize("joins", [None, True, False])
@pytest.mark.parametrize("is_open", [True, False])
async def test_a_page_joins_the_incident_of_the_alerting_system(
    client: Client, world: World, joins: bool | None, is_open: bool
) -> None:
    settings = tables(world)
    settings["pagerduty"]["api_token"] = world.pagerduty_token
    if is_open:
        world.pages.accept(
            {
                "routing_key": world.routing_keys["checkout"],
                "event_action": "trigger",
                "dedup_key": "their-key",
                "payload": {"summary": "HighErrorRate", "source": "prometheus", "severity": "critical"},
            }
        )
    async with run_harness(client, _alerted(says(REPORT)), tools=TOOLS, **settings) as harness:
        sender = Sender.on(harness, joins_pagerduty=joins)
        dispatched = await sender.tell(sender.alert(), opened_key="their-key")
        while len(world.pages.events) == int(is_open):
            await asyncio.sleep(0.02)
        await sender.run(dispatched).execute_update(IncidentWorkflow.stop, StopRequest())
        opening = harness.messages(0)[1]["content"]
    keys = [incident.key for incident in world.pages.incidents]
    own = f"{dispatched.run_id}/page_engineer/checkout"
    expected = {
        (None, True): ["their-key"],
        (None, False): [own],
        (True, True): ["their-key"],
        (True, False): ["their-key"],
        (False, True): ["their-key", own],
        (False, False): [own],
    }
    assert keys == expected[joins, is_open]
    assert ("INC-4827 is open in PagerDuty" in opening) == (is_open and joins is not False)
