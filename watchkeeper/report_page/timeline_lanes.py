"""What the picture shows, lane by lane: alerts, deploys, rounds, each tool's calls, people, reports (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchkeeper.console import arguments, count, duration, one_line
from watchkeeper.contracts import CallStatus
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.deploys import deploys
from watchkeeper.run_view.action_text import action_phrase
from watchkeeper.run_view.entries import Call, Round

Look = CallStatus | Literal["asks", "failed", "firing", "resolved", "deploy", "act", "report", "waited"]
"""What a mark looks like: its colour, and its shape for whom colours say nothing."""

LANES = 14
"""Tools with a lane of their own; the calls of all others share one."""

_WHY = 120
"""Characters of why an attempt came to nothing."""

_EARLIER = 5
"""Deploys from before the run that are drawn, the latest ones."""


@dataclass(frozen=True)
class Mark:
    """One thing with a beginning and an end in Unix seconds; a moment where these are the same."""

    begin: float
    end: float
    look: Look
    title: str
    """All that is to say of it."""
    label: str = ""
    """What stands beside it where there is room."""


@dataclass(frozen=True)
class Lane:
    """Things of one kind."""

    name: str
    marks: list[Mark]


def lanes(account: Account) -> list[Lane]:
    """Return the lanes that have anything to show, from the causes to the outcome."""
    named = [
        Lane("alerts", list(_alerts(account))),
        Lane("deploys", list(_deploys(account))),
        Lane("model", [_round(round, account) for round in account.story.rounds]),
        *_tools(account),
        Lane("people", list(_people(account))),
        Lane("reports", list(_reports(account))),
    ]
    return [lane for lane in named if lane.marks]


def wait_of(call: Call, account: Account) -> tuple[float, float] | None:
    """Return from when to when a call waited for a person, in Unix seconds; None if it never did."""
    if call.approval is None:
        return None
    asked = next((r.answered_at for r in account.story.rounds if r.number == call.round), None)
    decided = (act.at for act in account.story.actions if act.kind == "decide" and act.call == call.key)
    end = next(decided, None) or (call.ended_at if call.status == "expired" else None) or account.until
    return (asked.timestamp(), max(asked, end).timestamp()) if asked else None


def _alerts(account: Account) -> Iterator[Mark]:
    until = account.until.timestamp()
    for firing in account.firings:
        over = firing.ended is not None
        end = firing.ended if firing.ended is not None else max(until, firing.began)
        bad = f" ({firing.severity})" if firing.severity else ""
        title = f"{firing.title}{bad}: fired for {duration(end - firing.began)}{'' if over else ' and still does'}"
        yield Mark(firing.began, end, "resolved" if over else "firing", title, firing.title)


def _deploys(account: Account) -> Iterator[Mark]:
    found = deploys(account.story.calls.values())
    begun = account.story.started_at or account.at
    before = [one for one in found if one[1].deployed_at < begun]
    for service, deploy in [*before[-_EARLIER:], *found[len(before) :]]:
        at = deploy.deployed_at.timestamp()
        by = f" by {deploy.by}" if deploy.by else ""
        yield Mark(at, at, "deploy", f"{service} {deploy.version}{by}: {deploy.state}", f"{service} {deploy.version}")


def _round(round: Round, account: Account) -> Mark:
    begin, end = round.asked_at, round.answered_at or account.until
    reply = round.reply
    look: Look = "asks"
    if round.failure is not None:
        look, said = "failed", f"gave no answer: {round.failure}"
    elif reply is None:
        look, said = "running", "is being asked"
    else:
        asked = f"asks for {count(len(reply.calls), 'call')}"
        said = {"final": "answers", "empty": "says nothing usable"}.get(reply.kind, asked)
    took = f"{duration((end - begin).total_seconds())}{_tried(round)}"
    return _span(begin, end, look, f"round {round.number}: the model {said} ({took})", str(round.number))


def _tools(account: Account) -> Iterator[Lane]:
    by_tool: dict[str, list[Mark]] = {}
    for call in account.story.calls.values():
        by_tool.setdefault(call.name, []).extend(_call(call, account))
    names = list(by_tool)
    own = names if len(names) <= LANES else names[: LANES - 1]
    yield from (Lane(name, by_tool[name]) for name in own)
    if rest := names[len(own) :]:
        yield Lane(f"{len(rest)} other tools", [mark for name in rest for mark in by_tool[name]])


def _call(call: Call, account: Account) -> Iterator[Mark]:
    given = f"{call.key} {call.name} {one_line(arguments(call.arguments), 160)}".rstrip()
    if wait := wait_of(call, account):
        look: Look = "waiting" if call.status == "waiting" else "waited"
        took = duration(wait[1] - wait[0])
        title = f"{given}: {'waits' if look == 'waiting' else 'waited'} {took} for a person"
        yield Mark(*wait, look, title, call.key)
    if call.started_at is not None:
        end = call.ended_at or account.until
        took = f"{duration((end - call.started_at).total_seconds())}{_tried(call)}"
        title = f"{given}: {call.status} ({took})"
        yield _span(call.started_at, end, call.status, title, call.key)
    elif call.status not in ("waiting", "running"):
        answered = next((r.answered_at for r in account.story.rounds if r.number == call.round), None)
        at = wait[1] if wait else answered.timestamp() if answered else None
        if at is not None:
            yield Mark(at, at, call.status, f"{given}: {call.status}, never run", call.key)


def _tried(what: Round | Call) -> str:
    """Say what took more than one attempt, and why the last but one came to nothing."""
    why = f": {one_line(what.last_failure, _WHY)}" if what.last_failure else ""
    return f", {what.attempts} attempts{why}" if what.attempts > 1 else ""


def _people(account: Account) -> Iterator[Mark]:
    for act in account.story.actions:
        at = act.at.timestamp()
        who = act.by or "somebody"
        yield Mark(
            at, at, "act", f"{who} {action_phrase(act)}", f"{who} {action_phrase(act).split(maxsplit=1)[0].rstrip(':')}"
        )


def _reports(account: Account) -> Iterator[Mark]:
    story = account.story
    reported = account.reported_at or story.closed_at
    if reported is not None and story.report is not None:
        at = reported.timestamp()
        yield Mark(at, at, "report", f"report: {story.report.summary}", "report")
    for answered in story.follow_ups:
        at = answered.at.timestamp()
        number = answered.number
        yield Mark(at, at, "report", f"follow-up {number}: {answered.report.summary}", f"follow-up {number}")


def _span(begin: datetime, end: datetime, look: Look, title: str, label: str) -> Mark:
    return Mark(begin.timestamp(), max(begin, end).timestamp(), look, title, label)
