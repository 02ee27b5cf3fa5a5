"""Counting a storm from end to end: the runs in Temporal, what the model was asked, what was delivered."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from tests.end_to_end.chaos.run_follower import RunFollower
from tests.end_to_end.storms.groups import Group, named_in
from tests.end_to_end.storms.site import Site
from watchkeeper.runs.client import WORKFLOW
from watchkeeper.testing.scripts import count_replies, text_of

_AT_ONCE = 8
_SETTLED_SECONDS = 60.0


@dataclass
class Count:
    """What was found, and what of it should not be."""

    problems: list[str] = field(default_factory=list)
    repeated_reports: int = 0
    """Deliveries of a report that its receiver had, under the same id."""
    repeated_questions: int = 0
    """Questions put to the model again, as a worker died before the answer was recorded."""
    executions: int = 0
    conversations: int = 0
    unasked: int = 0
    """Runs whose alerts were over before their turn came, so that nothing had to be asked."""


async def until_closed(client: Client, there: Sequence[Group]) -> None:
    """Return when the runs of all the groups, and any others, are over, as the lists of Temporal have it."""
    wanted = {group.workflow_id for group in there}
    until = time.monotonic() + _SETTLED_SECONDS
    while missing := _not_over(listed := await executions(client)) | (wanted - listed.keys()):
        assert time.monotonic() < until, f"these are not over: {sorted(missing)}"
        await asyncio.sleep(0.2)


def _not_over(listed: Mapping[str, Sequence[WorkflowExecution]]) -> set[str]:
    return {run for run, chain in listed.items() if _open(chain)}


def _open(chain: Sequence[WorkflowExecution]) -> bool:
    return any(execution.status == WorkflowExecutionStatus.RUNNING for execution in chain)


async def executions(client: Client) -> dict[str, list[WorkflowExecution]]:
    """List the executions of all runs by workflow id, those that continued as new included."""
    found = defaultdict[str, list[WorkflowExecution]](list)
    async for execution in client.list_workflows(f"WorkflowType = '{WORKFLOW}'"):
        found[execution.id].append(execution)
    return dict(found)


async def count(site: Site, there: Sequence[Group]) -> Count:
    """Count what came of groups whose runs are over."""
    counted = Count(unasked=len(site.reports.unasked))
    listed = await executions(site.temporal.client)
    asked = _asked(site)
    counted.conversations = len(asked)
    strangers = listed.keys() - {group.workflow_id for group in there}
    counted.problems += [f"a run of no group: {workflow_id}" for workflow_id in strangers]
    counted.problems += [f"the model was told of no group of this storm: {name}" for name in _unknown(asked, there)]
    counted.problems += [f"people were paged: {page}" for page in site.world.pagerduty_events.requests]
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(group: Group) -> None:
        async with places:
            chain = listed.get(group.workflow_id, [])
            counted.executions += len(chain)
            found = _of_reports(group, site, counted)
            if len(group.executions) == 1:
                events = await _history(site.temporal.client, group)
                found += _of_runs(chain, events) + _of_questions(events, asked.get(group.name, {}), counted)
                if bool(asked.get(group.name)) == (group.workflow_id in site.reports.unasked):
                    found.append("the model is to be asked, unless the alerts were over before it was the run's turn")
            else:
                found.append(f"one run is wanted, its sender was told of {sorted(group.executions)}")
            counted.problems += [f"{group.name}: {problem}" for problem in found]

    await asyncio.gather(*map(one, there))
    return counted


def _of_runs(chain: Sequence[WorkflowExecution], events: Sequence[HistoryEvent]) -> list[str]:
    """Compare the executions that are listed with those that the first one led to."""
    began = [event.workflow_execution_started_event_attributes for event in events]
    led_to = {started.original_execution_run_id for started in began if started.original_execution_run_id}
    strangers = {execution.run_id for execution in chain} - led_to
    problems = [f"there is another run of it: {run_id}" for run_id in strangers]
    ends = [e.status for e in chain if e.status != WorkflowExecutionStatus.CONTINUED_AS_NEW]
    if ends != [WorkflowExecutionStatus.COMPLETED]:
        problems.append(f"it should have concluded once, its ends are {ends}")
    return problems


def _of_reports(group: Group, site: Site, counted: Count) -> list[str]:
    delivered = site.reports.delivered[group.workflow_id]
    counted.repeated_reports += len(delivered) - len(set(delivered))
    return [] if len(set(delivered)) == 1 else [f"one report is wanted, delivered were {sorted(set(delivered))}"]


def _of_questions(events: Sequence[HistoryEvent], asked: Mapping[int, list[float]], counted: Count) -> list[str]:
    """Find what was asked of the model although its answer was recorded, and answers to what it was never asked."""
    recorded = _recorded(events)
    counted.repeated_questions += sum(len(times) - 1 for times in asked.values())
    problems = [
        f"round {number} was asked again after its answer was recorded"
        for number, times in sorted(asked.items())
        if number <= len(recorded) and max(times) > recorded[number - 1]
    ]
    if sorted(asked) != list(range(1, len(recorded) + 1)):
        problems.append(f"{len(recorded)} answers are recorded, asked were the rounds {sorted(asked)}")
    return problems


def _asked(site: Site) -> dict[str, dict[int, list[float]]]:
    """When the model was asked, by group and round."""
    asked = defaultdict[str, dict[int, list[float]]](lambda: defaultdict(list))
    for received in site.model.requests:
        request = received.json()
        opening = next(text_of(message) for message in request["messages"] if message["role"] == "user")
        (name,) = set(named_in(opening))
        asked[name][count_replies(request) + 1].append(received.at)
    return asked


def _unknown(asked: Mapping[str, object], there: Sequence[Group]) -> set[str]:
    return asked.keys() - {group.name for group in there}


async def _history(client: Client, group: Group) -> list[HistoryEvent]:
    (run_id,) = group.executions
    following = RunFollower(client, group.workflow_id, run_id)
    await following.follow()
    return following.events


def _recorded(events: Sequence[HistoryEvent]) -> list[float]:
    """When each answer of the model was recorded; an execution begins to count its events anew."""
    asking, recorded = set[int](), list[float]()
    for event in events:
        if event.HasField("workflow_execution_started_event_attributes"):
            asking.clear()
        if event.activity_task_scheduled_event_attributes.activity_type.name == "ask":
            asking.add(event.event_id)
        if event.activity_task_completed_event_attributes.scheduled_event_id in asking:
            recorded.append(event.event_time.ToNanoseconds() / 1e9)
    return recorded
