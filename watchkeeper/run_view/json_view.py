"""The one JSON object of a run that people's scripts read: what ``show --json`` and ``run --json`` print (pure)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from watchkeeper.contracts import AlertState, JsonObject
from watchkeeper.run_view.entries import Call, FollowUp, PersonAction
from watchkeeper.run_view.model import RunView


def run_json(view: RunView) -> JsonObject:
    """Return a run as JSON: times in ISO 8601 (UTC), durations in seconds, sizes in bytes, money in US dollars."""
    given = view.run_input
    return {
        "run": view.workflow_id,
        "workflow_id": view.workflow_id,
        "run_id": view.run_id,
        "first_run_id": view.first_run_id,
        "status": view.status,
        "reason": view.reason,
        "text": given.text if given else None,
        "service": given.service if given else None,
        "severity": given.severity if given else None,
        "report": view.report.model_dump(mode="json") if view.report else None,
        "rounds": view.rounds_completed,
        "tool_calls": [_call(call) for call in view.calls.values()],
        "usage": view.usage.model_dump(mode="json"),
        "limits": view.limits.model_dump(mode="json") if view.limits else None,
        "models": view.models,
        "acts": [_act(act) for act in view.actions],
        "origin": given.origin.model_dump(mode="json") if given and given.origin else None,
        "alerts": [_alert(state) for state in view.episode.states],
        "open": view.is_open,
        "follow_ups": [_follow_up(answered) for answered in view.follow_ups],
        "started_at": iso(view.started_at),
        "closed_at": iso(view.closed_at),
    }


def _call(call: Call) -> JsonObject:
    approval = call.approval
    return {
        "key": call.key,
        "round": call.round,
        "name": call.name,
        "arguments": _value(call.arguments),
        "status": call.status,
        "approval": approval
        and {
            "status": approval.status,
            "by": approval.by or None,
            "note": approval.note or None,
            "expires_at": iso(approval.expires_at),
        },
        "result": None if call.result is None else _value(call.result),
        "bytes": None if call.result is None else len(call.result.encode()),
        "cut": call.cut,
        "attempts": call.attempts,
        "retried": call.last_failure or None,
        "same_as": call.same_as,
        "started_at": iso(call.started_at),
        "seconds": seconds(call.started_at, call.ended_at),
    }


def _alert(state: AlertState) -> JsonObject:
    times = {"starts_at": state.starts_at, "ends_at": state.ends_at}
    at = {name: iso(None if time is None else datetime.fromtimestamp(time, UTC)) for name, time in times.items()}
    return {
        "fingerprint": state.fingerprint,
        "title": state.title,
        "severity": state.severity,
        "status": state.status,
        **at,
        "again": state.again,
    }


def _follow_up(answered: FollowUp) -> JsonObject:
    return {
        "number": answered.number,
        "question": answered.question,
        "status": answered.status,
        "report": answered.report.model_dump(mode="json"),
        "at": iso(answered.at),
    }


def _act(act: PersonAction) -> JsonObject:
    return {
        "act": act.kind,
        "at": iso(act.at),
        "by": act.by or None,
        "text": act.text or None,
        "call": act.call,
        "approved": act.approved,
        "extended": act.extended.model_dump(mode="json", exclude_none=True) if act.extended else None,
    }


def _value(text: str) -> object:
    """Return what a JSON text means, or the text where it is none: a model wrote it, or a cap cut it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return how long something took, if it has begun and ended."""
    return round((end - start).total_seconds(), 3) if start and end else None


def iso(at: datetime | None) -> str | None:
    """Write a time in ISO 8601, UTC."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
