"""Alerts that Temporal has accepted although their sender got an error or no answer. The sender sends them again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.end_to_end.chaos.tcp_relay import run_relay
from tests.end_to_end.storms.counts import list_executions
from tests.end_to_end.storms.groups import SOURCE, Group, make_groups
from tests.end_to_end.storms.sender import alert_sender
from tests.end_to_end.storms.site import run_site
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.registry import make_source
from watchkeeper.alerts.source import WebhookRequest
from watchkeeper.config.alert_source import SourceSection

ANSWER_DELAY = 0.5
"""Seconds by which an answer of Temporal is delayed: the time in which a test can lose it."""

TEMPORAL_TIMEOUT = 3.0


def workflow_id_of(group: Group) -> str:
    """Return the workflow id of a group before the intake has derived it."""
    source = make_source(SOURCE, SourceSection.model_validate({"kind": "alertmanager", "unauthenticated": True}))
    (alert,) = source.parse(WebhookRequest({}, group.notification("firing"), time.time())).alerts
    return workflow_id(alert)


async def wait_for_run(client: Client, run: str) -> str:
    """Wait until Temporal has the run; return its run id."""
    while True:
        try:
            return (await client.get_workflow_handle(run).describe()).run_id
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("kill", [True, False], ids=["the intake is killed", "the answer comes too late"])
async def test_an_alert_accepted_without_an_answer_is_one_run(tmp_path: Path, *, kill: bool) -> None:
    (group,) = make_groups(1)
    async with (
        run_site(tmp_path, TEMPORAL_TIMEOUT) as site,
        run_relay(site.temporal.address, delay=ANSWER_DELAY) as relay,
        alert_sender(site.url, 1) as sender,
    ):
        await site.start_intake(TEMPORAL_ADDRESS=relay.address)
        delivery = asyncio.create_task(sender.deliver(group))
        run_id = await wait_for_run(site.temporal.client, workflow_id_of(group))
        relay.cut(silently=True)
        assert sender.statuses.total() == 0
        if kill:
            await site.kill_intake()
        while not sender.statuses:
            await asyncio.sleep(0.01)
        relay.restore()
        if kill:
            await site.start_intake()
        await delivery
        while workflow_id_of(group) not in (listed := await list_executions(site.temporal.client)):
            await asyncio.sleep(0.05)
    assert sender.statuses.keys() == {0 if kill else 503, 200}
    assert group.executions == {run_id}
    assert {run: [execution.run_id for execution in chain] for run, chain in listed.items()} == {
        workflow_id_of(group): [run_id]
    }
