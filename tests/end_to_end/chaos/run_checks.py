"""Checks of a finished run: compare its history with the requests that its hosts received."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowFailureError

from tests.end_to_end.chaos.scripted_run import ScriptedRun
from watchkeeper.contracts import Report, RunResult
from watchkeeper.incident.phrases import CHECK_FIRST
from workflows.tool_calls import UNCERTAIN

_CLOSE_ATTRIBUTES = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
REPORT = "deliver-webhook"


@dataclass(frozen=True)
class Activity:
    """A closed activity."""

    call: str
    completed: bool
    attempts: int
    """Started attempts, according to the history."""
    at: float
    """When the server recorded the result, in Unix seconds."""


@dataclass
class Verdict:
    """Messages about what is wrong with a run; empty if the run is correct."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        return iter([*self.lost, *self.repeated, *self.duplicated])


async def check_run(run: ScriptedRun, expected: RunResult, *, late: bool = True) -> Verdict:
    """Compare a run with the result of the same incident without a fault.

    ``late``: whether a request that arrives after its result was recorded counts as a repetition. It does not if a
    frozen host reads an earlier request late, or if a cut network delivers an abandoned attempt late.
    """
    verdict = Verdict()
    if not run.follower.closed:
        verdict.lost.append(f"not closed after {len(run.follower.events)} events")
        return verdict
    closed = _activities(run.follower.executions)
    _check_calls(verdict, run, closed, late=late)
    _check_effects(verdict, run, closed)
    try:
        result = await run.handle.result()
    except WorkflowFailureError as error:
        verdict.lost.append(f"it failed: {error.cause}")
    else:
        _check_result(verdict, run, closed, result, expected)
    return verdict


def _activities(executions: list[list[HistoryEvent]]) -> list[Activity]:
    found = []
    for events in executions:
        for event in events:
            if (name := _CLOSE_ATTRIBUTES.get(event.event_type)) is None:
                continue
            attributes = getattr(event, name)
            started = events[attributes.started_event_id - 1].activity_task_started_event_attributes
            scheduled = events[attributes.scheduled_event_id - 1].activity_task_scheduled_event_attributes
            found.append(
                Activity(
                    "report" if scheduled.activity_id == REPORT else scheduled.activity_id,
                    event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
                    started.attempt if attributes.started_event_id else 0,
                    event.event_time.ToNanoseconds() / 1e9,
                )
            )
    return found


def _check_calls(verdict: Verdict, run: ScriptedRun, closed: list[Activity], *, late: bool) -> None:
    """Check that no recorded result was computed again and that each attempt reached its host once."""
    for call, times in Counter(activity.call for activity in closed).items():
        if times > 1 and call != "carry":
            verdict.repeated.append(f"{call} was scheduled {times} times")
    recorded = {activity.call: activity for activity in closed}
    for call, count in Counter(arrival.call for arrival in run.arrivals).items():
        arrivals = [arrival for arrival in run.arrivals if arrival.call == call]
        activity = recorded.get(call)
        if activity is None:
            verdict.repeated.append(f"{call} arrived and is not in the history")
            continue
        if count > activity.attempts:
            verdict.repeated.append(f"{call} arrived {count} times in {activity.attempts} attempts")
        numbers = [arrival.attempt for arrival in arrivals if arrival.attempt]
        if len(numbers) > len(set(numbers)):
            verdict.repeated.append(f"an attempt of {call} arrived twice: {numbers}")
        if late and activity.completed and any(arrival.at > activity.at for arrival in arrivals):
            verdict.repeated.append(f"{call} arrived after it was recorded")
    for call in run.incident.calls:
        if call in recorded and recorded[call].completed and call not in {arrival.call for arrival in run.arrivals}:
            verdict.lost.append(f"{call} is recorded and never arrived")


def _check_effects(verdict: Verdict, run: ScriptedRun, closed: list[Activity]) -> None:
    """Check that each call used one idempotency key and that the ``once`` call took effect at most once."""
    once = run.incident.once
    keys: dict[str, set[str]] = {}
    for arrival in run.arrivals:
        if arrival.key and arrival.call != once:
            keys.setdefault(arrival.call, set()).add(arrival.key)
    verdict.duplicated += [f"{call} has the keys {sorted(known)}" for call, known in keys.items() if len(known) > 1]
    if once and (times := [arrival.call for arrival in run.arrivals].count(once)) > 1:
        verdict.duplicated.append(f"{once} took effect {times} times")


def _check_result(
    verdict: Verdict, run: ScriptedRun, closed: list[Activity], result: RunResult, expected: RunResult
) -> None:
    once = run.incident.once
    uncertain = any(activity.call == once and not activity.completed for activity in closed)
    reported = any(UNCERTAIN in text for arrival in run.arrivals for text in arrival.tool_results)
    if reported != uncertain:
        verdict.lost.append(f"{once} {'was' if uncertain else 'was not'} lost; reported to the model: {reported}")
    evidence = [item for item in expected.report.evidence if not (uncertain and item.call == once)]
    body = expected.report.body
    if uncertain:
        body = re.sub(
            rf"^- Done: (`{re.escape(once)}` .*)\.$", rf"- Unclear: \1 {CHECK_FIRST}.", body, flags=re.MULTILINE
        )
    report = expected.report.model_copy(update={"evidence": evidence, "body": body})
    for name in ("status", "reason", "rounds", "tool_calls", "undelivered"):
        if getattr(result, name) != getattr(expected, name):
            verdict.lost.append(f"{name}: {getattr(result, name)!r}, not {getattr(expected, name)!r}")
    if (found := _without_run_name(run, result.report)) != report:
        verdict.lost.append(f"another report: {found!r}, not {report!r}")
    if not any(arrival.kind == "report" for arrival in run.arrivals):
        verdict.lost.append("its report was not delivered")


async def run_baseline(run: ScriptedRun) -> RunResult:
    """Follow a run to its end with one worker and without a fault. Raises AssertionError."""
    await run.start_worker("first")
    await run.start()
    assert await run.wait_for_end(), "an undisturbed run did not end"
    result = await run.handle.result()
    result = result.model_copy(update={"report": _without_run_name(run, result.report)})
    if problems := list(await check_run(run, result)):
        raise AssertionError(problems)
    return result


def _without_run_name(run: ScriptedRun, report: Report) -> Report:
    """Replace the run's name in its report by a constant."""
    return Report.model_validate_json(report.model_dump_json().replace(run.name, "RUN"))


def step_times_after(run: ScriptedRun, killed_worker: str) -> Iterator[float]:
    """Yield the times after the kill at which another worker worked on the run, in Unix seconds."""
    for arrival in run.arrivals:
        if arrival.at > run.killed_at and arrival.worker != killed_worker:
            yield arrival.at
    for event in run.follower.events:
        at = event.event_time.ToNanoseconds() / 1e9
        if at > run.killed_at and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            yield at


def history_around_kill(run: ScriptedRun) -> list[str]:
    """List the events from 2 seconds before a kill to 10 seconds after it, with their times relative to the kill."""
    lines = []
    for event in run.follower.events:
        after = event.event_time.ToNanoseconds() / 1e9 - run.killed_at
        if -2 < after < 10:
            lines.append(
                f"{after:+.2f} s  {event.event_id} {EventType.Name(event.event_type).removeprefix('EVENT_TYPE_')}"
            )
    return lines
