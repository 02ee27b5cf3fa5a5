"""What the timeline shows, lane by lane: alerts, deploys, rounds, the calls of each tool, people, reports (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchkeeper.contracts import CallStatus
from watchkeeper.report_page.deploys import deploys
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.run_view.entries import Call, Round
from watchkeeper.run_view.run_phrases import action_phrase, attempt_phrases, person, round_phrase
from watchkeeper.text import arguments_text, duration, one_line

MarkStyle = (
    CallStatus | Literal["model", "model-failed", "firing", "resolved", "deploy", "person", "report", "approval-wait"]
)

MAX_TOOL_LANES = 14
"""If a run used more tools, the last ones share one lane."""

_RETRY_REASON_LENGTH = 120
_MAX_EARLIER_DEPLOYS = 3


@dataclass(frozen=True)
class Mark:
    """One event in a lane; it is a moment if ``begin`` and ``end`` are equal."""

    begin: datetime
    end: datetime
    style: MarkStyle
    title: str
    """Full description: the tooltip, and the text in the list of events."""
    label: str
    """Short text to draw where there is room."""


@dataclass(frozen=True)
class Lane:
    """Events of one kind."""

    name: str
    marks: list[Mark]


def timeline_lanes(data: ReportData) -> list[Lane]:
    """Return all lanes that have events, causes first."""
    lanes = [
        Lane("alerts", list(_alerts(data))),
        Lane("deploys", list(_deploys(data))),
        Lane("model", [_round(round, data) for round in data.run.rounds]),
        *_tools(data),
        Lane("people", list(_people(data))),
        Lane("reports", list(_reports(data))),
    ]
    return [lane for lane in lanes if lane.marks]


def approval_wait(call: Call, data: ReportData) -> tuple[datetime, datetime] | None:
    """Return when a call began and ended to wait for approval; None if it needed no approval."""
    asked_at = _requested_at(call, data)
    if call.approval is None or asked_at is None:
        return None
    decisions = (act.at for act in data.run.actions if act.kind == "decide" and act.call == call.key)
    end = next(decisions, None) or (call.ended_at if call.status == "expired" else None) or data.until
    return asked_at, max(asked_at, end)


def _requested_at(call: Call, data: ReportData) -> datetime | None:
    """Return when the model requested a call."""
    return next((round.answered_at for round in data.run.rounds if round.number == call.round), None)


def _alerts(data: ReportData) -> Iterator[Mark]:
    for firing in data.firings:
        end = firing.end or max(data.until, firing.begin)
        severity = f" ({firing.severity})" if firing.severity else ""
        fired = f"fired for {duration((end - firing.begin).total_seconds())}"
        title = f"{firing.title}{severity}: {fired}{'' if firing.end else ' and is still firing'}"
        yield Mark(firing.begin, end, "resolved" if firing.end else "firing", title, firing.title)


def _deploys(data: ReportData) -> Iterator[Mark]:
    found = deploys(data.run.calls.values())
    earlier = [item for item in found if item[1].deployed_at < (data.run.started_at or data.as_of)]
    for service, deploy in [*earlier[-_MAX_EARLIER_DEPLOYS:], *found[len(earlier) :]]:
        by = f" by {deploy.by}" if deploy.by else ""
        title = f"{service} {deploy.version}{by}: {deploy.state}"
        yield Mark(deploy.deployed_at, deploy.deployed_at, "deploy", title, f"{service} {deploy.version}")


def _round(round: Round, data: ReportData) -> Mark:
    style: MarkStyle = "model-failed" if round.failure is not None else "model" if round.reply else "running"
    end = max(round.asked_at, round.answered_at or data.until)
    title = f"round {round.number}: the model {round_phrase(round)} ({_duration(round.asked_at, end, round)})"
    return Mark(round.asked_at, end, style, title, str(round.number))


def _tools(data: ReportData) -> Iterator[Lane]:
    by_tool: dict[str, list[Mark]] = {}
    for call in data.run.calls.values():
        by_tool.setdefault(call.name, []).extend(_call(call, data))
    names = list(by_tool)
    separate = names if len(names) <= MAX_TOOL_LANES else names[: MAX_TOOL_LANES - 1]
    yield from (Lane(name, by_tool[name]) for name in separate)
    if others := names[len(separate) :]:
        yield Lane(f"{len(others)} other tools", [mark for name in others for mark in by_tool[name]])


def _call(call: Call, data: ReportData) -> Iterator[Mark]:
    text = f"{call.key} {call.name} {one_line(arguments_text(call.arguments), 160)}".rstrip()
    if wait := approval_wait(call, data):
        waits = call.status == "waiting"
        title = f"{text}: {'waits' if waits else 'waited'} {_duration(*wait)} for a person"
        yield Mark(*wait, "waiting" if waits else "approval-wait", title, call.key)
    if call.started_at is not None:
        end = max(call.started_at, call.ended_at or data.until)
        title = f"{text}: {call.status} ({_duration(call.started_at, end, call)})"
        yield Mark(call.started_at, end, call.status, title, call.key)
    elif call.status not in ("waiting", "running") and (at := wait[1] if wait else _requested_at(call, data)):
        yield Mark(at, at, call.status, f"{text}: {call.status}, never run", call.key)


def _duration(begin: datetime, end: datetime, attempted: Round | Call | None = None) -> str:
    """Write a duration; after several attempts also their number and why the last retry was needed."""
    text = duration((end - begin).total_seconds())
    if attempted is None or not (attempts := attempt_phrases(attempted.attempts)):
        return text
    reason = f": {one_line(attempted.last_failure, _RETRY_REASON_LENGTH)}" if attempted.last_failure else ""
    return f"{text}, {attempts[0]}{reason}"


def _people(data: ReportData) -> Iterator[Mark]:
    for act in data.run.actions:
        who, action = person(act), action_phrase(act)
        yield Mark(act.at, act.at, "person", f"{who} {action}", f"{who} {action.split(maxsplit=1)[0].rstrip(':')}")


def _reports(data: ReportData) -> Iterator[Mark]:
    at, report = data.reported_at or data.run.closed_at, data.run.report
    if at is not None and report is not None:
        yield Mark(at, at, "report", f"report: {report.summary}", "report")
    for answer in data.run.follow_ups:
        label = f"follow-up {answer.number}"
        yield Mark(answer.at, answer.at, "report", f"{label}: {answer.report.summary}", label)
