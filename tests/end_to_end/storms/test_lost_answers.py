"""Alerts that Temporal has taken although their sender was told no, or nothing at all: they are sent again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.end_to_end.chaos.tcp_relay import run_relay
from tests.end_to_end.storms.counts import executions
from tests.end_to_end.storms.groups import SOURCE, Group, groups
from tests.end_to_end.storms.sender import sending
from tests.end_to_end.storms.site import site
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.registry import make_source
from watchkeeper.alerts.source import WebhookRequest
from watchkeeper.config.alert_source import SourceSection

UNDER_WAY = 0.5
"""Seconds that an answer of Temporal is under way: time to lose it in."""

PATIENCE = 3.0


def run_of(group: Group) -> str:
    """Name the run of a group before the intake does."""
    source = make_source(SOURCE, SourceSection.model_validate({"kind": "alertmanager", "unauthenticated": True}))
    (alert,) = source.parse(WebhookRequest({}, group.notification("firing"), time.time())).alerts
    return workflow_id(alert)


async def until_taken(client: Client, run: str) -> str:
    """Return the run id as soon as Temporal has a run."""
    while True:
        try:
            return (await client.get_workflow_handle(run).describe()).run_id
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("dies", [True, False], ids=["the intake is killed", "the answer comes too late"])
async def test_what_temporal_took_without_a_word_is_one_run(tmp_path: Path, *, dies: bool) -> None:
    (group,) = groups(1)
    async with (
        site(tmp_path, PATIENCE) as place,
        run_relay(place.temporal.address, delay=UNDER_WAY) as relay,
        sending(place.url, 1) as sender,
    ):
        await place.start_intake(TEMPORAL_ADDRESS=relay.address)
        telling = asyncio.create_task(sender.tell(group))
        run_id = await until_taken(place.temporal.client, run_of(group))
        relay.cut(silently=True)
        assert sender.statuses.total() == 0
        if dies:
            await place.kill_intake()
        while not sender.statuses:
            await asyncio.sleep(0.01)
        relay.restore()
        if dies:
            await place.start_intake()
        await telling
        while run_of(group) not in (listed := await executions(place.temporal.client)):
            await asyncio.sleep(0.05)
    assert sender.statuses.keys() == {0 if dies else 503, 200}
    assert group.executions == {run_id}
    assert {run: [execution.run_id for execution in chain] for run, chain in listed.items()} == {
        run_of(group): [run_id]
    }
