"""People are asked for a decision, reminded and notified of the outcome, while the run waits for none of it."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.conftest import Record
from tests.support.harness import Run, run_harness, until_waiting
from tests.support.program import Program, Running
from tests.support.settings import KEY
from watchkeeper.contracts import Decision, RunInput, StopRequest
from watchkeeper.demo.slack import slack_error
from watchkeeper.demo.slack_state import SlackPost
from watchkeeper.demo.world import World
from watchkeeper.testing.faults import Fault, delay, fault, lose_reply
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

CHANNEL = "C0INCIDENTS"
RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded."
SCRIPT = [calls(RESTART), says(REPORT)]

pytestmark = pytest.mark.timeout(120)


def slack_table(world: World) -> dict[str, Any]:
    return {"url": world.urls.slack_url, "token": world.slack_token, "channel": CHANNEL, "signing_secret": "secret"}


def notices(world: World) -> dict[str, SlackPost]:
    """Return the messages about approvals, by their part; each part was posted once."""
    marked = [post for post in world.channels.posts if post.metadata]
    found = [post for post in marked if post.metadata and post.metadata["event_type"] == "watchkeeper_approval"]
    parts = [post.metadata["event_payload"]["part"] for post in found if post.metadata]
    assert len(set(parts)) == len(parts), parts
    return dict(zip(parts, found, strict=True))


async def until_noticed(world: World, *parts: str) -> dict[str, SlackPost]:
    """Wait until Slack has these messages."""
    async with asyncio.timeout(60):
        while not notices(world).keys() >= set(parts):
            await asyncio.sleep(0.02)
    return notices(world)


async def scheduled(run: Run) -> list[str]:
    """Return the ids of the activities that notify people, in order."""
    kind = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ids = [
        event.activity_task_scheduled_event_attributes.activity_id
        async for event in run.fetch_history_events()
        if event.event_type == kind
    ]
    return [name for name in ids if name.startswith("announce_approval-")]


async def until_status_posted(run: Run) -> None:
    """Wait until the run knows its status message."""
    status: int | None = None
    async with asyncio.timeout(60):
        async for event in run.fetch_history_events(wait_new_event=True):
            if event.activity_task_scheduled_event_attributes.activity_id == "announce-1":
                status = event.event_id
            if event.activity_task_completed_event_attributes.scheduled_event_id == status:
                return


async def test_a_decision_closes_the_request(client: Client, world: World, record: Record) -> None:
    async with run_harness(client, SCRIPT, slack=slack_table(world)) as harness:
        harness.model.outage = fault(503)
        run = await harness.start("Checkout fails.\nSince ten.", service="checkout")
        await until_status_posted(run)
        harness.model.outage = None
        asked = (await until_noticed(world, "r1.0/request"))["r1.0/request"]
        status = world.channels.posts[0]
        assert (asked.thread_ts, asked.is_broadcast, asked.notified) == (status.ts, True, ["<!channel>"])
        assert "restart (service checkout) waits for approval until <!date^" in asked.text
        assert f"watchkeeper approve {run.id} r1.0" in asked.text
        assert "Checkout fails." in asked.block_text
        assert set(asked.buttons) >= {"Approve", "Deny"}
        (waiting,) = await run.query(IncidentWorkflow.waiting)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        await run.result()
        await record(run, "approval-announced")
    assert harness.effects.restarts == ["checkout"]
    assert waiting.deadline is not None and 0 < waiting.deadline - time.time() <= 900
    assert f"<!date^{int(waiting.deadline)}^" in asked.text or asked.versions == 2
    assert (asked.versions, asked.buttons) == (2, {})
    assert "restart (service checkout): approved by ada" in asked.text
    assert list(notices(world)) == ["r1.0/request"]
    assert await scheduled(run) == ["announce_approval-r1.0-request", "announce_approval-r1.0-outcome"]


async def test_people_are_reminded_at_half_time_and_the_expiry_is_as_loud(
    client: Client, world: World, record: Record
) -> None:
    async with run_harness(client, SCRIPT, slack=slack_table(world), approval={"timeout": 8.0}) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        (waiting,) = await run.query(IncidentWorkflow.waiting)
        result = await run.result()
        await record(run, "approval-expiry-announced")
    found = notices(world)
    assert list(found) == ["r1.0/request", "r1.0/reminder", "r1.0/expired"]
    assert [post.notified for post in found.values()] == [["<!channel>"]] * 3
    assert waiting.deadline is not None
    assert waiting.deadline - 4 <= float(found["r1.0/reminder"].ts) < waiting.deadline
    assert waiting.deadline <= float(found["r1.0/expired"].ts)
    assert "No one decided in time: restart (service checkout) was not run" in found["r1.0/expired"].text
    assert [post.buttons for post in found.values()] == [{}, {}, {}]
    assert harness.effects.restarts == []
    assert result.status == "concluded"
    assert [name.rpartition("-")[2] for name in await scheduled(run)] == ["request", "reminder", "outcome"]


BOTH = [calls(RESTART, ("restart", {"service": "payments"})), says(REPORT)]


async def test_calls_that_wait_at_the_same_time_mention_people_once(client: Client, world: World) -> None:
    async with run_harness(client, BOTH, slack=slack_table(world), approval={"timeout": 8.0}) as harness:
        run = await harness.start()
        await run.result()
    mentions: dict[str, list[str]] = {"r1.0": ["<!channel>"], "r1.1": []}
    expected = {f"{call}/{event}": mentions[call] for call in mentions for event in ("request", "reminder", "expired")}
    assert {part: post.notified for part, post in notices(world).items()} == expected


async def test_the_last_call_that_waits_still_mentions_people(client: Client, world: World) -> None:
    async with run_harness(client, BOTH, slack=slack_table(world), approval={"timeout": 10.0}) as harness:
        run = await harness.start()
        await until_noticed(world, "r1.0/request", "r1.1/request")
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="bob"))
        await run.result()
    found = notices(world)
    assert "r1.0/reminder" not in found
    assert [found[f"r1.1/{event}"].notified for event in ("reminder", "expired")] == [["<!channel>"]] * 2


async def test_every_waiting_call_has_its_own_notices(client: Client, world: World) -> None:
    async with run_harness(client, BOTH, slack=slack_table(world)) as harness:
        run = await harness.start()
        await until_noticed(world, "r1.0/request", "r1.1/request")
        for call, approved in (("r1.1", False), ("r1.0", True)):
            await run.execute_update(IncidentWorkflow.decide, Decision(call=call, approved=approved, by="bob"))
        await run.result()
    found = notices(world)
    assert "approved by bob" in found["r1.0/request"].text
    assert "denied by bob" in found["r1.1/request"].text


@pytest.mark.parametrize("end", ["stop", "cancel"])
async def test_the_request_of_a_run_that_ends_is_closed(client: Client, world: World, end: str) -> None:
    async with run_harness(client, SCRIPT, slack=slack_table(world)) as harness:
        run = await harness.start()
        asked = (await until_noticed(world, "r1.0/request"))["r1.0/request"]
        if end == "stop":
            await run.execute_update(IncidentWorkflow.stop, StopRequest(by="ada"))
        else:
            await run.cancel()
        async with asyncio.timeout(30):
            while asked.versions == 1:
                await asyncio.sleep(0.02)
    assert asked.buttons == {}
    assert "not run, because the investigation ended first" in asked.text
    assert list(notices(world)) == ["r1.0/request"]


@pytest.mark.parametrize("outage", [fault(503), slack_error("channel_not_found"), slack_error("internal_error")])
async def test_an_outage_of_slack_delays_no_decision_and_no_expiry(client: Client, world: World, outage: Fault) -> None:
    world.slack.outage = outage
    table = {**slack_table(world)}
    async with run_harness(client, SCRIPT, slack=table, approval={"timeout": 1.0}) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        began = time.monotonic()
        async with asyncio.timeout(30):
            while (await run.query(IncidentWorkflow.progress)).status == "running":
                await asyncio.sleep(0.05)
        took = time.monotonic() - began
        world.slack.outage = None
        result = await run.result()
    assert "no one decided" in harness.results()[0]
    assert took < 5
    assert result.status == "concluded"
    assert set(notices(world)) <= {"r1.0/request", "r1.0/expired"}
    assert all(post.buttons == {} for post in notices(world).values())


async def test_a_request_whose_answer_is_lost_until_the_decision_is_still_closed(client: Client, world: World) -> None:
    async with run_harness(client, SCRIPT, slack=slack_table(world)) as harness:
        run = await harness.start()
        world.slack.outage = _only_for_requests(lose_reply())
        asked = (await until_noticed(world, "r1.0/request"))["r1.0/request"]
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        world.slack.outage = None
        await run.result()
    assert list(notices(world)) == ["r1.0/request"]
    assert (asked.buttons, "approved by ada" in asked.text) == ({}, True)


async def test_a_decision_while_the_request_is_posted_leaves_no_buttons(client: Client, world: World) -> None:
    async with run_harness(client, SCRIPT, slack=slack_table(world)) as harness:
        run = await harness.start()
        world.slack.outage = _only_for_requests(delay(1.5))
        await until_waiting(run, "r1.0")
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False, by="ada"))
        await run.result()
    found = notices(world)
    assert list(found) in ([], ["r1.0/request"])
    assert all((post.buttons, "denied by ada" in post.text) == ({}, True) for post in found.values())


def _only_for_requests(chosen: Fault) -> Fault:
    """Apply a fault only to messages about approvals that are posted."""

    def choose(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            message = await receive()

            async def again() -> Any:
                nonlocal message
                if message is not None:
                    first, message = message, None  # type: ignore[assignment]
                    return first
                return await receive()

            asks = scope["path"].endswith("postMessage") and b"watchkeeper_approval" in message["body"]
            await (chosen(app) if asks else app)(scope, again, send)

        return answer

    return choose


async def test_without_slack_nothing_is_scheduled(client: Client) -> None:
    async with run_harness(client, SCRIPT, approval={"timeout": 0.5}) as harness:
        run = await harness.start()
        await run.result()
    assert await scheduled(run) == []


async def test_without_slack_a_page_is_opened_and_resolved(client: Client, world: World) -> None:
    pager: dict[str, Any] = {
        "teams": {team: {"routing_key": key} for team, key in world.routing_keys.items()},
        "pagerduty": {"events_url": world.urls.pagerduty_events_url, "api_url": world.urls.pagerduty_api_url},
    }
    async with run_harness(client, SCRIPT, approval={"page": True}, **pager) as harness:
        run = await harness.start(service="checkout")
        async with asyncio.timeout(30):
            while not world.pages.events:
                await asyncio.sleep(0.02)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        await run.result()
    assert [(event.action, event.severity) for event in world.pages.events] == [
        ("trigger", "warning"),
        ("resolve", None),
    ]


# --- workers are killed --------------------------------------------------------------------------------------------


class HeldAnswers:
    """Slack accepts each message about an approval, and holds its answer until the worker is dead."""

    def __init__(self) -> None:
        self.accepted = 0
        self.release = asyncio.Event()

    def fault(self, app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def held(message: Any) -> None:
                await self.release.wait()
                await send(message)

            await app(scope, receive, held)

        return answer


async def start_worker(client: Client, program: Program, model: str, world: World, queue: str) -> Running:
    running = await program.begin(
        "worker",
        TEMPORAL_ADDRESS=client.service_client.config.target_host,
        WATCHKEEPER_MODEL__BASE_URL=model,
        WATCHKEEPER_MODEL__API_KEY=KEY,
        WATCHKEEPER_WORKER__TASK_QUEUE=queue,
        WATCHKEEPER_APPROVAL__TOOLS='["get_deploys"]',
        WATCHKEEPER_APPROVAL__TIMEOUT="40",
        WATCHKEEPER_SLACK__URL=world.urls.slack_url,
        WATCHKEEPER_SLACK__TOKEN=world.slack_token,
        WATCHKEEPER_SLACK__CHANNEL=CHANNEL,
        WATCHKEEPER_SLACK__SIGNING_SECRET="secret",
    )
    await running.says(f"working on the task queue {queue!r}")
    return running


async def announcing(run: Run, workers: list[Running]) -> Running:
    """Return the worker that posts a message about an approval."""
    pending = (await run.describe()).raw_description.pending_activities
    (identity,) = [each.last_worker_identity for each in pending if each.activity_type.name == "announce_approval"]
    (found,) = [worker for worker in workers if identity.startswith(f"{worker.process.pid}@")]
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_worker_that_dies_after_each_message_sends_none_twice(
    client: Client, world: World, tmp_path: Path
) -> None:
    program = Program(tmp_path)
    queue, parts = "killed-between-notices", ("r1.0/request", "r1.0/reminder", "r1.0/expired")
    script = [
        calls(("get_deploys", {"service": "checkout"})),
        says("No one approved the call, so I have read nothing."),
    ]
    async with ScriptedModel(script, key=KEY).serve() as model:
        workers = [await start_worker(client, program, model, world, queue) for _ in range(len(parts) + 1)]
        try:
            run: Run = await client.start_workflow(
                IncidentWorkflow.run, RunInput(text="why?"), id=f"{queue}-{time.time_ns()}", task_queue=queue
            )
            for part in parts:
                answers = HeldAnswers()
                world.slack.outage = _only_for_requests(answers.fault)
                await until_noticed(world, part)
                doomed = await announcing(run, workers)
                doomed.send(signal.SIGKILL)
                await doomed.end()
                workers.remove(doomed)
                answers.release.set()
                world.slack.outage = None
            result = await run.result()
        finally:
            for worker in workers:
                worker.send(signal.SIGKILL)
                await worker.end()
    found = notices(world)
    assert list(found) == list(parts)
    assert all(post.buttons == {} for post in found.values())
    assert result.status == "concluded"
    assert [name.rpartition("-")[2] for name in await scheduled(run)] == ["request", "reminder", "outcome"]
