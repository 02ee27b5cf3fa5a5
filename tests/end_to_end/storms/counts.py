"""Count a storm from end to end: runs in Temporal, model calls and delivered reports."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from tests.end_to_end.chaos.run_follower import RunFollower
from tests.end_to_end.storms.groups import Group, group_names
from tests.end_to_end.storms.site import Site
from watchkeeper.runs.client import WORKFLOW
from watchkeeper.testing.scripts import count_replies, text_of

STILL_FIRES = ", and no one was paged"
"""End of the reason for which a report pages people although its run concluded: its alerts are critical."""

_PARALLEL_READS = 8
_SETTLED_SECONDS = 60.0


@dataclass
class StormCount:
    """The counts of one storm, and its problems."""

    problems: list[str] = field(default_factory=list)
    repeated_reports: int = 0
    """Deliveries of a report that its receiver already had under the same id."""
    repeated_model_calls: int = 0
    """Model calls that were repeated because a worker died before the reply was recorded."""
    executions: int = 0
    conversations: int = 0
    without_model_call: int = 0
    """Runs whose alerts resolved before they left the queue, so that they needed no model call."""


async def wait_until_closed(client: Client, groups: Sequence[Group], seconds: float = _SETTLED_SECONDS) -> None:
    """Wait until Temporal lists the runs of all groups, and any other run, as closed."""
    workflow_ids = {group.workflow_id for group in groups}
    until = time.monotonic() + seconds
    while missing := _open_runs(listed := await list_executions(client)) | (workflow_ids - listed.keys()):
        assert time.monotonic() < until, f"these runs are not closed: {sorted(missing)}"
        await asyncio.sleep(0.2)


def _open_runs(listed: Mapping[str, Sequence[WorkflowExecution]]) -> set[str]:
    return {run for run, chain in listed.items() if _open(chain)}


def _open(chain: Sequence[WorkflowExecution]) -> bool:
    return any(execution.status == WorkflowExecutionStatus.RUNNING for execution in chain)


async def list_executions(client: Client) -> dict[str, list[WorkflowExecution]]:
    """List the executions of all runs by workflow id, including executions that continued as new."""
    found = defaultdict[str, list[WorkflowExecution]](list)
    async for execution in client.list_workflows(f"WorkflowType = '{WORKFLOW}'"):
        found[execution.id].append(execution)
    return dict(found)


async def count_storm(site: Site, groups: Sequence[Group]) -> StormCount:
    """Count and check the results of groups whose runs have closed."""
    storm = StormCount(without_model_call=len(site.reports.without_model_call))
    listed = await list_executions(site.temporal.client)
    model_calls = _model_calls(site)
    storm.conversations = len(model_calls)
    unexpected = listed.keys() - {group.workflow_id for group in groups}
    storm.problems += [f"a run without a group: {workflow_id}" for workflow_id in unexpected]
    storm.problems += [
        f"the model was asked about an unknown group: {name}" for name in _unknown_groups(model_calls, groups)
    ]
    storm.problems += _check_pages(site)
    slots = asyncio.Semaphore(_PARALLEL_READS)

    async def check_group(group: Group) -> None:
        async with slots:
            chain = listed.get(group.workflow_id, [])
            storm.executions += len(chain)
            found = _check_reports(group, site, storm)
            if len(group.executions) == 1:
                events = await _history(site.temporal.client, group)
                found += _check_executions(chain, events) + _check_model_calls(
                    events, model_calls.get(group.name, {}), storm
                )
                if bool(model_calls.get(group.name)) == (group.workflow_id in site.reports.without_model_call):
                    found.append("the model must be called, unless the alerts resolved while the run was queued")
            else:
                found.append(f"expected one run, the intake named {sorted(group.executions)}")
            storm.problems += [f"{group.name}: {problem}" for problem in found]

    await asyncio.gather(*map(check_group, groups))
    return storm


def _check_pages(site: Site) -> list[str]:
    """Find pages by anything but a report that says so, and such reports without a page."""
    pages = [event.event["payload"]["custom_details"] for event in site.world.pages.events]
    by_report = [page for page in pages if page.get("reason", "").endswith(STILL_FIRES)]
    runs = {page["run"] for page in by_report}
    problems = [f"people were paged: {page}" for page in pages if page not in by_report]
    problems += [f"a page that the report does not mention: {run}" for run in sorted(runs - site.reports.paging)]
    return problems + [f"a report without its page: {run}" for run in sorted(site.reports.paging - runs)]


def _check_executions(chain: Sequence[WorkflowExecution], events: Sequence[HistoryEvent]) -> list[str]:
    """Compare the listed executions with the chain of the first execution."""
    starts = [event.workflow_execution_started_event_attributes for event in events]
    expected_run_ids = {started.original_execution_run_id for started in starts if started.original_execution_run_id}
    unexpected = {execution.run_id for execution in chain} - expected_run_ids
    problems = [f"unexpected execution: {run_id}" for run_id in unexpected]
    end_statuses = [e.status for e in chain if e.status != WorkflowExecutionStatus.CONTINUED_AS_NEW]
    if end_statuses != [WorkflowExecutionStatus.COMPLETED]:
        problems.append(f"expected one completed execution, found {end_statuses}")
    return problems


def _check_reports(group: Group, site: Site, storm: StormCount) -> list[str]:
    delivered = site.reports.delivered[group.workflow_id]
    storm.repeated_reports += len(delivered) - len(set(delivered))
    return [] if len(set(delivered)) == 1 else [f"expected one report, delivered: {sorted(set(delivered))}"]


def _check_model_calls(
    events: Sequence[HistoryEvent], model_calls: Mapping[int, list[float]], storm: StormCount
) -> list[str]:
    """Find model calls after their reply was recorded, and recorded replies without a call."""
    recorded = _reply_times(events)
    storm.repeated_model_calls += sum(len(times) - 1 for times in model_calls.values())
    problems = [
        f"round {number} was called again after its reply was recorded"
        for number, times in sorted(model_calls.items())
        if number <= len(recorded) and max(times) > recorded[number - 1]
    ]
    if sorted(model_calls) != list(range(1, len(recorded) + 1)):
        problems.append(f"{len(recorded)} replies are recorded, called were the rounds {sorted(model_calls)}")
    return problems


def _model_calls(site: Site) -> dict[str, dict[int, list[float]]]:
    """Return the times of model calls by group and round, in Unix seconds."""
    model_calls = defaultdict[str, dict[int, list[float]]](lambda: defaultdict(list))
    for received in site.model.requests:
        request = received.json()
        alert_text = next(text_of(message) for message in request["messages"] if message["role"] == "user")
        (name,) = set(group_names(alert_text))
        model_calls[name][count_replies(request) + 1].append(received.at)
    return model_calls


def _unknown_groups(model_calls: Mapping[str, object], groups: Sequence[Group]) -> set[str]:
    return model_calls.keys() - {group.name for group in groups}


async def _history(client: Client, group: Group) -> list[HistoryEvent]:
    (run_id,) = group.executions
    follower = RunFollower(client, group.workflow_id, run_id)
    await follower.follow()
    return follower.events


def _reply_times(events: Sequence[HistoryEvent]) -> list[float]:
    """Return when each model reply was recorded. Event ids start again with each execution."""
    scheduled_ids, recorded = set[int](), list[float]()
    for event in events:
        if event.HasField("workflow_execution_started_event_attributes"):
            scheduled_ids.clear()
        if event.activity_task_scheduled_event_attributes.activity_type.name == "ask":
            scheduled_ids.add(event.event_id)
        if event.activity_task_completed_event_attributes.scheduled_event_id in scheduled_ids:
            recorded.append(event.event_time.ToNanoseconds() / 1e9)
    return recorded
