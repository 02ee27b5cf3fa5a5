"""Delivery of the report to a directory, a webhook and the people on call, once each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.deliver import DeliverActivities
from tests.support.harness import Nothing, Run, failure, look, model_text, run_harness
from tests.support.settings import build_settings, paging_tables
from watchkeeper.contracts import AlertOrigin, Destination, LimitChanges, Report, ReportDelivery, RunStatus, StopRequest
from watchkeeper.demo.world import World
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import drop_connection, fault, hang, lose_reply, redirect
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import ToolContext, tool
from watchkeeper.tool_calling.catalogue import discover_tools
from workflows.incident import IncidentWorkflow

REPORT = "**Checkout** is fine again."
TOOLS = {"look": look, "page_engineer": discover_tools()["page_engineer"]}
LOOK = ("look", {"service": "checkout"})
DELIVERY = ReportDelivery(
    destination="log",
    run="run-1",
    workflow_id="incident-1",
    status="concluded",
    report=Report(summary="Checkout is fine.", body="All of **checkout** is fine: 0 % errors, é…"),
    service="checkout",
)


class Inbox(FakeServer):
    """Return a webhook that accepts every request."""

    url: str

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Inbox]:
        inbox = cls(Starlette(routes=[Route("/hook", _take, methods=["POST"])]))
        async with serve(inbox) as url:
            inbox.url = f"{url}/hook"
            yield inbox


async def _take(request: Request) -> Response:
    return Response(status_code=204)


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with Inbox.open() as inbox:
        yield inbox


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def deliver(delivery: ReportDelivery, destination: Destination, **reports: Any) -> None:
    """Deliver as the worker does, in one attempt."""
    async with AsyncClient(timeout=5) as http:
        activities = DeliverActivities(build_settings(reports=reports), http)
        chosen = delivery.model_copy(update={"destination": destination})
        await ActivityEnvironment().run(activities.deliver, chosen)


# --- one attempt --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", ["log", "directory", "webhook", "page"])
async def test_a_destination_that_is_not_configured_has_nothing_to_do(destination: Destination, inbox: Inbox) -> None:
    await deliver(DELIVERY, destination)
    assert inbox.requests == []


async def test_a_report_becomes_a_file(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "down"
    await deliver(DELIVERY, "directory", directory=directory)
    await deliver(DELIVERY, "directory", directory=directory)
    assert names(directory) == ["incident-1.md"]
    assert (directory / "incident-1.md").read_text() == (
        "# Checkout is fine.\n\n- Run: incident-1\n- Status: concluded\n- Service: checkout\n\n"
        "All of **checkout** is fine: 0 % errors, é…\n"
    )


@pytest.mark.parametrize("workflow_id", ["../../etc/passwd", "a/b", "alert é…", ".."])
async def test_no_workflow_id_writes_outside_the_directory(tmp_path: Path, workflow_id: str) -> None:
    directory = tmp_path / "reports"
    await deliver(DELIVERY.model_copy(update={"workflow_id": workflow_id}), "directory", directory=directory)
    assert names(tmp_path) == ["reports"]
    (written,) = names(directory)
    assert workflow_id in (directory / written).read_text()


async def test_the_complete_report_is_posted(inbox: Inbox) -> None:
    await deliver(DELIVERY, "webhook", webhook_url=inbox.url)
    (request,) = inbox.requests
    assert ReportDelivery.model_validate({**request.json(), "destination": "log"}) == DELIVERY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "run-1/report"


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(ApplicationError) as failed:
        await deliver(DELIVERY, "directory", directory=path)
    assert (failed.value.type, failed.value.non_retryable) == ("ReportUndelivered", False)
    assert str(path) in failed.value.message


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        (fault(404), "ReportRefused", "the webhook answered 404"),
        (redirect("http://elsewhere.example/"), "ReportRefused", "the webhook answered 301"),
        (drop_connection(), "ReportUndelivered", "the webhook cannot be reached: "),
        (fault(500), "ReportUndelivered", "the webhook answered 500"),
    ],
)
async def test_the_error_of_a_webhook_does_not_contain_its_url(
    inbox: Inbox, trouble: Any, kind: str, message: str
) -> None:
    inbox.faults.append(trouble)
    with pytest.raises(ApplicationError) as failed:
        await deliver(DELIVERY, "webhook", webhook_url=inbox.url)
    assert message in failed.value.message
    assert "hook?" not in failed.value.message
    assert inbox.url not in failed.value.message
    assert (failed.value.type, failed.value.non_retryable) == (kind, kind == "ReportRefused")


# --- the report of a run ------------------------------------------------------------------------------------------


ONE_ROUND = LimitChanges(tokens=1)
"""Ends a run after its first round."""

ORIGIN = AlertOrigin(source="prod", kind="alertmanager", group="g")
"""Alerts started the run: people are paged if a limit ends it."""


async def ended(run: Run) -> RunStatus:
    """Wait for the end of a run. Return how it ended."""
    with suppress(WorkflowFailureError):
        await run.result()
    return (await run.query(IncidentWorkflow.progress)).status


async def test_a_run_ended_by_a_limit_pages_the_owners_once(client: Client, world: World) -> None:
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **paging_tables(world)) as harness:
        run = await harness.start(service="payments", limits=ONE_ROUND, origin=ORIGIN)
        assert await ended(run) == "limit_reached"
        first = run.first_execution_run_id
    (page,) = world.pages.incidents
    assert (page.team, page.alerts, page.key) == ("payments", 1, f"{first}/page_engineer/payments")
    assert page.title.startswith("Checkout fails. · payments · no conclusion: stopped after ")
    assert world.pages.events[0].severity == "error"


async def test_a_run_that_failed_pages_the_owners_once(client: Client, world: World) -> None:
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **paging_tables(world)) as harness:
        harness.model.faults.append(fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}))
        assert await ended(await harness.start(service="checkout")) == "failed"
    (page,) = world.pages.incidents
    assert (page.team, page.alerts) == ("checkout", 1)
    assert "Incorrect API key" in page.title


async def test_a_concluded_or_stopped_run_pages_no_one(client: Client, world: World) -> None:
    async with run_harness(client, [says(REPORT)], tools=TOOLS, **paging_tables(world, team="payments")) as harness:
        concluded = await harness.start(service="checkout")
        assert await ended(concluded) == "concluded"
        harness.model.faults.extend([hang(30), hang(30)])
        stopped = await harness.start(service="checkout")
        await stopped.execute_update(IncidentWorkflow.stop, StopRequest(reason="false alarm"))
        assert await ended(stopped) == "stopped"
        cancelled = await harness.start(service="checkout")
        await cancelled.cancel()  # during the activity brief
        assert await ended(cancelled) == "stopped"
        assert (await cancelled.describe()).status == WorkflowExecutionStatus.CANCELED
    assert world.pages.events == []


async def test_a_team_paged_by_the_model_is_not_paged_again(client: Client, world: World) -> None:
    paged = calls(LOOK, ("page_engineer", {"service": "checkout", "summary": "Orders fail."}))
    async with run_harness(client, [paged], tools=TOOLS, **paging_tables(world)) as harness:
        assert await ended(await harness.start(service="checkout", limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    (page,) = world.pages.incidents
    assert (page.team, page.alerts) == ("checkout", 2)
    assert page.title.endswith(" · the model: Orders fail.")


async def test_the_owners_are_paged_even_if_the_model_paged_another_team(client: Client, world: World) -> None:
    paged = calls(LOOK, ("page_engineer", {"service": "search", "summary": "Is it you?"}))
    settings = paging_tables(world)
    settings["services"] = {"checkout": {"team": "checkout", "depends_on": ["search"]}, "search": {"team": "search"}}
    async with run_harness(client, [paged], tools=TOOLS, **settings) as harness:
        assert await ended(await harness.start(service="checkout", limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    assert [page.team for page in world.pages.incidents] == ["search", "checkout"]


async def test_a_run_without_a_service_pages_the_configured_team(client: Client, world: World) -> None:
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **paging_tables(world, team="search")) as harness:
        assert await ended(await harness.start(limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    assert [page.team for page in world.pages.incidents] == ["search"]


@pytest.mark.parametrize("service", [None, "checkout"])
async def test_the_common_routing_key_is_used_if_no_team_can_be_paged(
    client: Client, world: World, service: str | None
) -> None:
    settings = {**paging_tables(world), "teams": {}}
    settings["pagerduty"] |= {"routing_key": world.routing_keys["payments"]}
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **settings) as harness:
        assert await ended(await harness.start(service=service, limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    assert [page.team for page in world.pages.incidents] == ["payments"]


async def test_the_fallback_team_is_paged_if_the_owners_cannot_be(client: Client, world: World) -> None:
    settings = paging_tables(world, team="night-watch")
    settings["teams"] = {"night-watch": {"routing_key": world.routing_keys["search"]}}
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **settings) as harness:
        assert await ended(await harness.start(service="checkout", limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    assert [page.team for page in world.pages.incidents] == ["search"]


@pytest.mark.parametrize(
    ("service", "why"),
    [(None, "no service is named"), ("checkout", "no team of 'checkout' has a routing key")],
)
async def test_a_hand_off_that_could_page_no_one_says_so(
    client: Client, world: World, service: str | None, why: str
) -> None:
    settings = paging_tables(world)
    del settings["teams"]["checkout"]
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **settings) as harness:
        _, _, hand_off = await failure(await harness.start(service=service, limits=ONE_ROUND, origin=ORIGIN))
    assert hand_off.undelivered == [
        f"page: no one was paged: {why}, and no fallback exists; set reports.team or pagerduty.routing_key"
    ]
    assert world.pages.events == []


@pytest.mark.parametrize(
    ("service", "changes"),
    [
        (None, {}),
        ("checkout", {"reports": {"page_on_hand_off": False}}),
        ("checkout", {"teams": {}}),
    ],
    ids=["no service, no team", "disabled", "no routing key"],
)
async def test_a_hand_off_that_pages_no_one(
    client: Client, world: World, tmp_path: Path, service: str | None, changes: dict[str, Any]
) -> None:
    settings = {**paging_tables(world, directory=tmp_path), **changes}
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **settings) as harness:
        assert await ended(await harness.start(service=service, limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    assert world.pages.events == []


async def test_a_delivered_report_is_recognised_on_a_retry(
    client: Client, world: World, inbox: Inbox, tmp_path: Path
) -> None:
    inbox.faults.extend([fault(503), fault(503)])
    reports = paging_tables(world, directory=tmp_path, webhook_url=inbox.url)
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **reports) as harness:
        run = await harness.start(service="checkout", limits=ONE_ROUND, origin=ORIGIN)
        assert await ended(run) == "limit_reached"
        delivered = await destinations(client, run)
    assert delivered == ["directory", "log", "page", "webhook"]
    assert len(inbox.requests) == 3
    assert {request.headers["webhook-id"] for request in inbox.requests} == {f"{run.first_execution_run_id}/report"}
    assert len({request.body for request in inbox.requests}) == 1
    assert inbox.requests[0].json()["status"] == "limit_reached"
    assert names(tmp_path) == [f"{run.id}.{run.first_execution_run_id}.md"]
    assert len(world.pages.incidents) == 1


async def test_a_page_is_retried_until_it_is_accepted(client: Client, world: World) -> None:
    world.pagerduty_events.faults.extend([fault(503), lose_reply()])
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **paging_tables(world)) as harness:
        assert await ended(await harness.start(service="checkout", limits=ONE_ROUND, origin=ORIGIN)) == "limit_reached"
    assert len(world.pagerduty_events.requests) == 3
    (page,) = world.pages.incidents
    assert page.alerts == 2  # the page whose answer was lost had arrived


async def destinations(client: Client, run: Run) -> list[str]:
    """Return the destinations of a run's report, from its history and from that of a late delivery."""
    scheduled: dict[int, str] = {}
    reached: list[str] = []
    histories = [run.fetch_history_events()]
    for events in histories:
        async for event in events:
            if event.HasField("activity_task_scheduled_event_attributes"):
                scheduled[event.event_id] = event.activity_task_scheduled_event_attributes.activity_id
            delivered_id = scheduled.get(event.activity_task_completed_event_attributes.scheduled_event_id, "")
            if delivered_id.startswith("deliver-"):
                reached.append(delivered_id.removeprefix("deliver-"))
            late = event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id
            if late:  # on a slow machine the second attempt comes after the run ended
                handle = client.get_workflow_handle(late)
                await handle.result()
                histories.append(handle.fetch_history_events())
    return sorted(reached)


async def test_a_run_cancelled_while_it_reports_still_reports(client: Client, inbox: Inbox) -> None:
    inbox.outage = fault(503)
    async with run_harness(client, [says(REPORT)], reports={"webhook_url": inbox.url}) as harness:
        run = await harness.start()
        while not inbox.requests:
            await asyncio.sleep(0.05)
        await run.cancel()
        inbox.outage = None
        result = await run.result()
    assert result.status == "concluded"
    delivered = Report.model_validate(inbox.requests[-1].json()["report"])
    assert model_text(delivered) == REPORT


async def test_the_error_of_a_tool_contains_no_secret(client: Client) -> None:
    @tool(effect="read", attempts=1)
    async def leaky(args: Nothing, context: ToolContext) -> None:
        """Fail with a secret in the message."""
        raise KeyError(f"token {context.settings.pagerduty.api_token.get_secret_value()}")  # type: ignore[union-attr]

    script = [calls(("leaky", {})), says(REPORT)]
    async with run_harness(
        client, script, tools={"leaky": leaky}, pagerduty={"api_token": "very-secret-token"}
    ) as harness:
        run = await harness.start()
        await run.result()
        history = (await run.fetch_history()).to_json()
    assert "very-secret-token" not in history
    assert "KeyError" in harness.results()[0]


async def test_a_missing_destination_does_not_prevent_the_page(client: Client, world: World, inbox: Inbox) -> None:
    inbox.outage = fault(404)
    reports = paging_tables(world, webhook_url=inbox.url)
    async with run_harness(client, [calls(LOOK)], tools=TOOLS, **reports) as harness:
        run = await harness.start(service="checkout", limits=ONE_ROUND, origin=ORIGIN)
        assert await ended(run) == "limit_reached"
        reached = await destinations(client, run)
    assert reached == ["log", "page"]
    assert len(inbox.requests) == 1
    assert len(world.pages.events) == 1


async def test_a_conclusion_that_reaches_no_destination_pages_people(
    client: Client, world: World, inbox: Inbox
) -> None:
    inbox.outage = fault(404)
    async with run_harness(
        client, [says(REPORT)], tools=TOOLS, **paging_tables(world, webhook_url=inbox.url)
    ) as harness:
        result = await (await harness.start(service="checkout")).result()
    assert result.status == "concluded"
    assert result.undelivered == ["webhook: the webhook answered 404"]
    assert len(world.pages.incidents) == 1
