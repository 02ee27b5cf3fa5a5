"""What became of a run: its history and what its hosts saw, held against what may have happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowFailureError

from tests.end_to_end.chaos.player import Play
from watchkeeper.contracts import Report, RunResult
from workflows.tool_calls import UNCERTAIN

_OVER = {
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
    """Attempts that were begun, as far as the history knows."""
    at: float
    """When it was recorded."""


@dataclass
class Verdict:
    """What is wrong with a run, in words; nothing, if all is well."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        return iter([*self.lost, *self.repeated, *self.doubled])


async def judge(play: Play, expected: RunResult, *, late: bool = True) -> Verdict:
    """Judge a play by its undisturbed result.

    ``late``: whether what arrives after it was recorded must be a repetition. It need not be one where a frozen host
    reads late what was sent in time, or a network delivers late an attempt that was given up.
    """
    verdict = Verdict()
    if not play.following.closed:
        verdict.lost.append(f"not over after {len(play.following.events)} events")
        return verdict
    closed = _activities(play.following.executions)
    _judge_calls(verdict, play, closed, late=late)
    _judge_effects(verdict, play, closed)
    try:
        result = await play.run.result()
    except WorkflowFailureError as error:
        verdict.lost.append(f"it failed: {error.cause}")
    else:
        _judge_result(verdict, play, closed, result, expected)
    return verdict


def _activities(executions: list[list[HistoryEvent]]) -> list[Activity]:
    found = []
    for events in executions:
        for event in events:
            if (name := _OVER.get(event.event_type)) is None:
                continue
            over = getattr(event, name)
            begun = events[over.started_event_id - 1].activity_task_started_event_attributes
            scheduled = events[over.scheduled_event_id - 1].activity_task_scheduled_event_attributes
            found.append(
                Activity(
                    "report" if scheduled.activity_id == REPORT else scheduled.activity_id,
                    event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
                    begun.attempt if over.started_event_id else 0,
                    event.event_time.ToNanoseconds() / 1e9,
                )
            )
    return found


def _judge_calls(verdict: Verdict, play: Play, closed: list[Activity], *, late: bool) -> None:
    """A recorded result is never computed again, and an attempt is made once."""
    for call, times in Counter(activity.call for activity in closed).items():
        if times > 1 and call != "carry":
            verdict.repeated.append(f"{call} was scheduled {times} times")
    recorded = {activity.call: activity for activity in closed}
    for call, count in Counter(arrival.call for arrival in play.arrivals).items():
        arrivals = [arrival for arrival in play.arrivals if arrival.call == call]
        activity = recorded.get(call)
        if activity is None:
            verdict.repeated.append(f"{call} arrived and is not in the history")
            continue
        if count > activity.attempts:
            verdict.repeated.append(f"{call} arrived {count} times in {activity.attempts} attempts")
        told = [arrival.attempt for arrival in arrivals if arrival.attempt]
        if len(told) > len(set(told)):
            verdict.repeated.append(f"an attempt of {call} arrived twice: {told}")
        if late and activity.completed and any(arrival.at > activity.at for arrival in arrivals):
            verdict.repeated.append(f"{call} arrived after it was recorded")
    for call in play.incident.calls:
        if call in recorded and recorded[call].completed and call not in {arrival.call for arrival in play.arrivals}:
            verdict.lost.append(f"{call} is recorded and never arrived")


def _judge_effects(verdict: Verdict, play: Play, closed: list[Activity]) -> None:
    """A host that honours a key takes it once; one that knows none takes every arrival."""
    once = play.incident.once
    keys: dict[str, set[str]] = {}
    for arrival in play.arrivals:
        if arrival.key and arrival.call != once:
            keys.setdefault(arrival.call, set()).add(arrival.key)
    verdict.doubled += [f"{call} has the keys {sorted(known)}" for call, known in keys.items() if len(known) > 1]
    if once and (times := [arrival.call for arrival in play.arrivals].count(once)) > 1:
        verdict.doubled.append(f"{once} took effect {times} times")


def _judge_result(verdict: Verdict, play: Play, closed: list[Activity], result: RunResult, expected: RunResult) -> None:
    once = play.incident.once
    uncertain = any(activity.call == once and not activity.completed for activity in closed)
    told = any(UNCERTAIN in text for arrival in play.arrivals for text in arrival.told)
    if told != uncertain:
        verdict.lost.append(f"{once} {'was' if uncertain else 'was not'} lost; told of it: {told}")
    evidence = [item for item in expected.report.evidence if not (uncertain and item.call == once)]
    report = expected.report.model_copy(update={"evidence": evidence})
    for name in ("status", "reason", "rounds", "tool_calls", "undelivered"):
        if getattr(result, name) != getattr(expected, name):
            verdict.lost.append(f"{name}: {getattr(result, name)!r}, not {getattr(expected, name)!r}")
    if (found := _anonymous(play, result.report)) != report:
        verdict.lost.append(f"another report: {found!r}, not {report!r}")
    if not any(arrival.what == "report" for arrival in play.arrivals):
        verdict.lost.append("its report was not delivered")


async def undisturbed(play: Play) -> RunResult:
    """Play it to its end with one worker and nothing in its way."""
    await play.work("first")
    await play.begin()
    assert await play.until_over(), "an undisturbed run is not over"
    result = await play.run.result()
    result = result.model_copy(update={"report": _anonymous(play, result.report)})
    if problems := list(await judge(play, result)):
        raise AssertionError(problems)
    return result


def _anonymous(play: Play, report: Report) -> Report:
    """Take the name of the run out of its report."""
    return Report.model_validate_json(report.model_dump_json().replace(play.name, "RUN"))


def steps_after(play: Play, by: str) -> Iterator[float]:
    """When another worker than one that was killed did something for the run."""
    for arrival in play.arrivals:
        if arrival.at > play.killed_at and arrival.worker != by:
            yield arrival.at
    for event in play.following.events:
        at = event.event_time.ToNanoseconds() / 1e9
        if at > play.killed_at and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            yield at


def around_the_kill(play: Play) -> list[str]:
    """Tell the history from two seconds before a kill to ten after it: when, by the kill, and what."""
    told = []
    for event in play.following.events:
        after = event.event_time.ToNanoseconds() / 1e9 - play.killed_at
        if -2 < after < 10:
            told.append(
                f"{after:+.2f} s  {event.event_id} {EventType.Name(event.event_type).removeprefix('EVENT_TYPE_')}"
            )
    return told
