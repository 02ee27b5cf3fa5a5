"""Firings and their ends through the real intake and Temporal: reopened, replayed and raised alerts of real senders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response
from temporalio.client import Client

from tests.conftest import Record
from tests.support.alert_sender import Run, is_open, until_reported
from tests.support.alert_vendors import ENDED, FIRST, REPEATED, SECOND, SECOND_ENDED, VENDORS, Message, Vendor
from tests.support.harness import Harness, concludes, run_harness, until_asked
from tests.support.intake_harness import running_intake
from tests.support.settings import KEY
from watchkeeper.contracts import JsonObject
from watchkeeper.runs.dispatch import dispatch_alerts
from watchkeeper.testing.scripted_model import ScriptedModel
from workflows.incident import IncidentWorkflow

REPORT = "**Cause:** the latest deploy.\n\nRoll back."


@dataclass(frozen=True)
class Post:
    """Posts the messages of a vendor to an intake."""

    http: AsyncClient
    vendor: Vendor
    name: str
    harness: Harness

    async def __call__(self, message: Message, **headers: str) -> JsonObject:
        """Post a message; ``headers`` replace those of the vendor. Returns what happened to its group."""
        sent = {**self.vendor.headers(message), **headers}
        sent = {name.replace("_", "-"): value for name, value in sent.items()}
        answer: Response = await self.http.post(f"/alerts/{self.name}", json=self.vendor.body(message), headers=sent)
        assert answer.status_code in (200, 202), answer.text
        content: JsonObject = answer.json()
        group: JsonObject = next(iter(content.get("runs", [])), content)
        return group

    def run(self, answer: JsonObject) -> Run:
        """Return the run of an answer."""
        return self.harness.client.get_workflow_handle_for(
            IncidentWorkflow.run, answer["run"], first_execution_run_id=answer["run_id"]
        )


@asynccontextmanager
async def posting(client: Client, vendor: Vendor, model: ScriptedModel) -> AsyncIterator[Post]:
    name = f"s-{uuid4().hex[:8]}"
    source: dict[str, Any] = {"kind": vendor.kind, "unauthenticated": True, **vendor.section}
    intake = {"patience": 20.0}
    async with (
        run_harness(client, model, sources={name: source}, intake=intake) as harness,
        running_intake(client, dispatch_alerts, harness.settings) as http,
    ):
        yield Post(http, vendor, name, harness)


async def test_an_incident_that_is_reopened_during_its_run_still_fires(client: Client, record: Record) -> None:
    async with posting(client, VENDORS["pagerduty"], ScriptedModel(concludes(REPORT), key=KEY, pace=0.5)) as post:
        run = post.run(await post(FIRST))
        await until_asked(post.harness, 1)
        for message in (ENDED, SECOND, ENDED):
            assert (await post(message))["outcome"] == "joined"
        await until_reported(run)
        progress = await run.query(IncidentWorkflow.progress)
        assert progress.report is not None
        assert not progress.report.summary.startswith("Recovered")
        assert "1 end of earlier firings ignored" in progress.report.body
        assert "an end of" in post.harness.messages()[-1]["content"], "the model reads that an end was ignored"
        assert await is_open(run)
        await post(SECOND_ENDED)
        assert (await run.result()).status == "concluded"
        await record(run, "alert-reopened")


@pytest.mark.parametrize("name", ["sentry, issues", "generic, `starts_at` always the same"])
async def test_the_next_run_ignores_the_end_of_the_last_one_that_is_sent_again(client: Client, name: str) -> None:
    async with posting(client, VENDORS[name], ScriptedModel(concludes(REPORT, REPORT), key=KEY)) as post:
        first = post.run(await post(FIRST))
        await until_reported(first)
        await post(ENDED)
        await first.result()
        again = await post(SECOND)
        assert again["outcome"] == "started"
        second = post.run(again)
        await until_reported(second)
        # The header is not signed: who sends a body again may write another time.
        assert (await post(ENDED, sentry_hook_timestamp="1795350000"))["outcome"] == "joined"
        await post(REPEATED)
        assert await is_open(second)
        await post(SECOND_ENDED)
        assert (await second.result()).status == "concluded"


async def test_a_priority_that_is_raised_across_the_filter_starts_a_run(client: Client) -> None:
    warned = replace(FIRST, severity="warning")
    async with posting(client, VENDORS["opsgenie"], ScriptedModel(concludes(REPORT), key=KEY)) as post:
        ignored = await post(warned)
        assert ignored["ignored"] == [{"reason": "its severity starts no run", "alerts": 1}]
        raised = await post(REPEATED)
        assert raised["outcome"] == "started"
        run = post.run(raised)
        await until_reported(run)
        assert (await post(replace(REPEATED, at=20, severity="warning")))["outcome"] == "joined"
        assert await is_open(run)
        await post(ENDED)
        assert (await run.result()).status == "concluded"
