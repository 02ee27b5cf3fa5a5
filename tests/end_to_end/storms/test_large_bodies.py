"""Storms in one request: a group of 2,000 alerts is one run, and each of 500 groups in one body is one."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from httpx2 import AsyncClient, HTTPError

from tests.end_to_end.storms.counts import count_storm, list_executions, wait_until_closed
from tests.end_to_end.storms.groups import LIST_SOURCE, Group, list_of_groups, make_groups
from tests.end_to_end.storms.sender import alert_sender
from tests.end_to_end.storms.site import Site, run_site
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.mapped_json import MappedSection
from watchkeeper.alerts.registry import make_source, read_section
from watchkeeper.alerts.source import WebhookRequest

ALERTS = 2_000
GROUPS = 500
REPORTED = 20
"""Groups whose report comes before the resolve."""


@pytest.mark.timeout(300)
async def test_a_group_of_two_thousand_alerts_is_one_run(tmp_path: Path) -> None:
    (group,) = groups = make_groups(1, size=ALERTS)
    async with run_site(tmp_path) as site, alert_sender(site.url, 4) as sender:
        await asyncio.gather(site.start_intake(), site.start_worker())
        await asyncio.gather(*(sender.deliver(group) for _ in range(3)))
        await site.reports.wait_for(group)
        messages = site.model.requests[0].json()["messages"]
        while not await sender.post(group, group.notification("resolved", still_firing=ALERTS - 1)):
            await asyncio.sleep(0.5)
        await asyncio.sleep(2)
        chains = await list_executions(site.temporal.client)
        assert chains[group.workflow_id][0].close_time is None, "its last alert fires"
        await sender.deliver(group, "resolved")
        await wait_until_closed(site.temporal.client, groups)
        counted = await count_storm(site, groups)
    sender.print_summary(counted)
    assert counted.problems == []
    assert counted.repeated_model_calls == counted.repeated_reports == 0
    assert f"(and {ALERTS - 1} more)" in messages[1]["content"]
    note = f"one notification held {ALERTS} alerts of the group, {ALERTS} of them firing"
    assert any(note in message["content"] for message in messages[1:])


def name_runs(groups: list[Group]) -> None:
    """Set the workflow id of each group, before the intake has named it."""
    section = read_section({"kind": "generic", "alerts": "items", "unauthenticated": True})
    assert isinstance(section, MappedSection)
    parsed = make_source(LIST_SOURCE, section).parse(WebhookRequest({}, list_of_groups(groups, "firing"), 1e10))
    for group, alert in zip(groups, parsed.alerts, strict=True):
        group.workflow_id = workflow_id(alert)


async def deliver_list(
    site: Site, groups: list[Group], status: Literal["firing", "resolved"], *, kill: bool
) -> Counter[int]:
    """Post all groups in one body until it is accepted; return the answers by HTTP status. 0: no answer.

    ``kill``: kill the intake after its first answer.
    """
    body, statuses = list_of_groups(groups, status), Counter[int]()
    names = {group.workflow_id: group for group in groups}
    async with AsyncClient(base_url=site.url, timeout=20, trust_env=False) as http:
        while not statuses[200]:
            try:
                answer = await http.post(f"/alerts/{LIST_SOURCE}", content=body)
            except HTTPError:
                statuses[0] += 1
            else:
                statuses[answer.status_code] += 1
                for run in [*answer.json().get("runs", ()), *answer.json().get("accepted", ())]:
                    names[run["run"]].executions.add(run["run_id"])
            if kill and statuses.total() == 1:
                await site.kill_intake()
                await site.start_intake()
            await asyncio.sleep(1)
    return statuses


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kill", [False, True], ids=["whole", "the intake is killed"])
async def test_each_of_five_hundred_groups_in_one_body_is_one_run(tmp_path: Path, *, kill: bool) -> None:
    groups = make_groups(GROUPS)
    name_runs(groups)
    async with run_site(tmp_path) as site:
        await asyncio.gather(site.start_intake(), site.start_worker(), site.start_worker())
        fired = await deliver_list(site, groups, "firing", kill=kill)
        listed = await list_executions(site.temporal.client)
        while listed.keys() != {group.workflow_id for group in groups}:
            await asyncio.sleep(0.5)
            listed = await list_executions(site.temporal.client)
        while len(site.reports.delivered) < REPORTED:
            await asyncio.sleep(0.5)
        resolved = await deliver_list(site, groups, "resolved", kill=False)
        await wait_until_closed(site.temporal.client, groups, 400)
        counted = await count_storm(site, groups)
    sys.stdout.write(f"\nfired: {dict(fired)}; resolved: {dict(resolved)}; {counted}\n")
    assert counted.problems == []
    assert counted.conversations + counted.without_model_call == GROUPS
    assert fired.keys() | resolved.keys() <= {0, 200, 503}
    assert fired.total() < 40
