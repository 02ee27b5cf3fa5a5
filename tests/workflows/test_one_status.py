"""One status in every view of a run: while its report is delivered, while it stays open, and after it has closed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from rich.console import Console
from temporalio.client import Client

from tests.activities.conftest import CHANNEL, connected
from tests.activities.test_deliver import Inbox
from tests.support.alert_sender import Sender
from tests.support.cli_desk import address_of, write_config
from tests.support.harness import Harness, Run, run_harness, until_waiting
from tests.support.intake_harness import TOKEN, Dispatcher, bearer, running_intake
from tests.support.intake_harness import settings as intake_settings
from tests.support.program import Program
from watchkeeper.cli.list_runs import short_status
from watchkeeper.cli.watch.renderer import TerminalRenderer
from watchkeeper.contracts import JsonObject, LimitChanges, RunInput, RunMemo, RunStatus, StopRequest
from watchkeeper.demo.world import World
from watchkeeper.report_page.html_report import html_report
from watchkeeper.report_page.markdown_report import markdown_report
from watchkeeper.report_page.report_data import read_report_data
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

LOOK, RESTART = ("look", {"service": "checkout"}), ("restart", {"service": "checkout"})
REPORT = "Verdict: diagnosed\n\nThe error rate of checkout is 18.2 % [r1.0]."
SCRIPTS = {
    "concluded": [calls(LOOK), says(REPORT)],
    "limit_reached": [calls(LOOK) for _ in range(40)],
    "failed": [calls(LOOK)],
    "stopped": [calls(RESTART)],
}
OUTCOMES: tuple[RunStatus, ...] = ("concluded", "limit_reached", "failed", "stopped")
WEBHOOKS = {"accepts": None, "is down": fault(503), "refuses": fault(404)}
STARTERS = ("alert", "person")

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Reported:
    """A run whose report is written, and where to look at it."""

    harness: Harness
    world: World
    webhook: Inbox
    run: Run
    intake: AsyncClient

    async def json(self) -> JsonObject:
        """Return the run as ``GET /runs/{run}`` does."""
        answer = await self.intake.get(f"/runs/{self.run.id}", headers=bearer(TOKEN))
        found: JsonObject = answer.json()
        return found


async def start(harness: Harness, outcome: RunStatus, starter: str) -> Run:
    """Start a run that ends with this outcome."""
    if outcome == "failed":
        harness.model.outage = fault(401)
    if starter == "alert":
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
    else:
        run_input = RunInput(text="Checkout fails.", service="checkout", limits=LimitChanges(rounds=3))
        found = await runs_client.start_run(harness.client, run_input, harness.settings)
        run = harness.client.get_workflow_handle_for(IncidentWorkflow.run, found.workflow_id)
    if outcome == "stopped":
        await until_waiting(run, "r1.0")
        await run.execute_update(IncidentWorkflow.stop, StopRequest(reason="false alarm", by="ada"))
    return run


@asynccontextmanager
async def reported(
    client: Client, world: World, outcome: RunStatus, webhook: str, starter: str
) -> AsyncIterator[Reported]:
    """Start a run and wait until its report is delivered, or until only the webhook has not taken it."""
    async with Inbox.open() as inbox:
        inbox.outage = WEBHOOKS[webhook]
        tables = connected(world, reports={"webhook_url": inbox.url, "page_on_hand_off": False})
        async with (
            run_harness(client, SCRIPTS[outcome], limits={"rounds": 3}, **tables) as harness,
            running_intake(client, Dispatcher().dispatch, intake_settings()) as intake,
        ):
            case = Reported(harness, world, inbox, await start(harness, outcome, starter), intake)
            expected = ["webhook"] if webhook == "is down" else []
            stays = webhook == "is down" or (outcome == "concluded" and starter == "alert")
            while (shown := await case.json())["report"] is None or shown["delivering"] != expected:
                await asyncio.sleep(0.05)
            while not stays and (await case.json())["closed_at"] is None:
                await asyncio.sleep(0.05)
            yield case


async def views(case: Reported) -> dict[str, str]:
    """Return the status in each view, as the view writes it."""
    client, run = case.harness.client, case.run.id
    described, data = await case.run.describe(), await read_report_data(client, run)
    info, console = await runs_client.find_run(client, run), Console(file=StringIO(), width=200)
    projection = RunProjection(client.data_converter)
    renderer = TerminalRenderer(projection.view, console)
    await read_run(client, run, renderer.show_change, projection)
    renderer.show_undelivered_report()
    assert isinstance(console.file, StringIO)
    pill = re.search(r'<span class="pill (\w+)">([\w ]+)', html_report(data, None))
    label = re.search(r"^\*\*([\w ]+)(?:: \w+)?\*\*", markdown_report(data, None), re.MULTILINE)
    terminal = re.findall(r"^(concluded|limit reached|failed|stopped|running)\b", console.file.getvalue(), re.MULTILINE)
    assert pill and label
    return {
        "show": ", ".join(terminal),
        "GET /runs/{run}": (await case.json())["status"],
        "GET /runs": await _listed(case),
        "list": short_status(info).plain.partition(",")[0],
        "list --json": info.status,
        "report --html": pill[2],
        "the color of report --html": pill[1],
        "report --md": label[1],
        "the query progress": (await case.run.query(IncidentWorkflow.progress)).status,
        "the attribute Outcome": described.typed_search_attributes.get(search_attributes.OUTCOME) or "",
        "the memo": _status_of((await described.memo_value("now", type_hint=RunMemo)).doing),
        "the webhook": case.webhook.requests[0].json()["status"],
        "the Slack message": _status_of(await _slack_status(case)),
    }


def _status_of(text: str) -> str:
    """Return the status at the beginning of a text, without its verdict and the current step."""
    return re.split("[:,]", text)[0]


async def _listed(case: Reported) -> str:
    """Return the status in the list, which is updated with a short delay."""
    while True:
        answer = await case.intake.get("/runs", headers=bearer(TOKEN), params={"service": "checkout"})
        found = [entry for entry in answer.json()["runs"] if entry["run"] == case.run.id]
        if found and found[0]["phase"] not in ("starting", "investigating"):
            return str(found[0]["status"])
        await asyncio.sleep(0.1)


async def _slack_status(case: Reported) -> str:
    """Return the status in the message of the run, which is updated with a short delay."""
    while True:
        posts = case.world.channels.history(CHANNEL)  # a call that waits for approval has another message
        (message,) = [post for post in posts if (post.metadata or {}).get("event_type") == "watchkeeper_run"]
        status = re.sub(r"^.*checkout fails\.?: ", "", message.text, flags=re.IGNORECASE)
        if status.startswith(tuple(map(words, OUTCOMES))):
            return status
        await asyncio.sleep(0.1)


def words(status: str) -> str:
    return status.replace("_", " ").lower()


@pytest.mark.parametrize(("outcome", "webhook", "starter"), list(product(OUTCOMES, WEBHOOKS, STARTERS)))
async def test_every_view_shows_the_same_status(
    client: Client, world: World, outcome: RunStatus, webhook: str, starter: str
) -> None:
    async with reported(client, world, outcome, webhook, starter) as case:
        shown = await views(case)
    assert {view: words(status) for view, status in shown.items()} == dict.fromkeys(shown, words(outcome))


async def test_a_hand_off_that_is_being_delivered_says_so(client: Client, world: World) -> None:
    async with reported(client, world, "limit_reached", "is down", "person") as case:
        run, now = case.run.id, await case.json()
        data = await read_report_data(client, run)
        info = await runs_client.find_run(client, run)
        described = await case.run.describe()
        terminal = Console(file=StringIO(), width=200)
        renderer = TerminalRenderer(data.run, terminal)
        renderer.show_change(data.run)
        renderer.show_undelivered_report()
        slack = await _slack_status(case)
    step, why = "delivering the report to webhook", "stopped after 3 rounds without a conclusion"
    assert isinstance(terminal.file, StringIO)
    assert f"\nlimit reached, {step}: {why}\n" in terminal.file.getvalue()
    assert f", {step}: {why}" in markdown_report(data, None) and f", {step}: {why}" in html_report(data, None)
    assert short_status(info).plain == "limit_reached, delivering"
    assert (await described.memo_value("now", type_hint=RunMemo)).doing == "limit reached, delivering the report"
    assert slack == "limit reached, delivering the report"
    assert (now["open"], now["delivering"], now["reason"]) == (False, ["webhook"], why)


@pytest.mark.parametrize("starter", STARTERS)
async def test_a_run_that_is_terminated_after_its_report_keeps_its_status(
    client: Client, world: World, starter: str
) -> None:
    async with reported(client, world, "concluded", "is down", starter) as case:
        await case.run.terminate(reason="maintenance")
        shown, data = await case.json(), await read_report_data(client, case.run.id)
        info = await runs_client.find_run(client, case.run.id)
    assert (shown["status"], shown["reason"], shown["delivering"]) == (
        "concluded",
        "terminated in Temporal: maintenance",
        [],
    )
    assert (info.status, short_status(info).plain) == ("concluded", "concluded")
    assert re.search(r"^\*\*Concluded(: \w+)?\*\* after", markdown_report(data, None), re.MULTILINE)


@pytest.mark.parametrize(("outcome", "exit_code"), [("concluded", 6), ("limit_reached", 3), ("failed", 4)])
async def test_a_person_gets_the_report_while_it_is_delivered(
    client: Client, world: World, tmp_path: Path, outcome: RunStatus, exit_code: int
) -> None:
    program = Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(client)})
    async with reported(client, world, outcome, "is down", "person") as case:
        write_config(program, case.harness.settings.worker.task_queue)
        watched = await program("watch", case.run.id)
    assert watched.code == exit_code
    assert re.search(f"^{words(outcome)}(: \\w+)?, delivering the report to webhook", watched.out, re.MULTILINE)
    assert (REPORT if outcome == "concluded" else "**No conclusion:**") in watched.out
