"""A run as JSON, for scripts and the HTTP API: whole (``show --json``) or as an entry of a list (``list --json``)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from watchkeeper.contracts import AlertState, JsonObject
from watchkeeper.run_view.entries import Call, FollowUp, PersonAction
from watchkeeper.run_view.model import RunView
from watchkeeper.runs.client import RunInfo


def run_json(view: RunView) -> JsonObject:
    """Return a run as JSON: times in ISO 8601 (UTC), durations in seconds, sizes in bytes, money in US dollars."""
    request = view.run_input
    return {
        "run": view.workflow_id,
        "workflow_id": view.workflow_id,
        "run_id": view.run_id,
        "first_run_id": view.first_run_id,
        "status": view.status,
        "reason": view.reason,
        "problem": view.problem or None,
        "text": request.text if request else None,
        "service": request.service if request else None,
        "severity": request.severity if request else None,
        "report": view.report.model_dump(mode="json") if view.report else None,
        "rounds": view.rounds_completed,
        "tool_calls": [_call(call) for call in view.calls.values()],
        "usage": view.usage.model_dump(mode="json"),
        "limits": view.limits.model_dump(mode="json") if view.limits else None,
        "models": view.models,
        "acts": [_action(action) for action in view.actions],
        "origin": request.origin.model_dump(mode="json") if request and request.origin else None,
        "alerts": [_alert(state) for state in view.episode.states],
        "open": view.is_open,
        "delivering": sorted(set(view.deliveries.values())),
        "undelivered": view.undelivered,
        "follow_ups": [_follow_up(follow_up) for follow_up in view.follow_ups],
        "started_at": iso(view.started_at),
        "closed_at": iso(view.closed_at),
    }


def list_row_json(run: RunInfo) -> JsonObject:
    """Return a run as an entry of a list: times in ISO 8601 (UTC), money in US dollars."""
    return {
        "run": run.workflow_id,
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "status": run.status,
        "service": run.service,
        "severity": run.severity,
        "team": run.team,
        "source": run.source,
        "phase": run.phase,
        "waiting_for": run.waiting_for,
        "waits_for": run.waits_for,
        "waits_until": iso(run.waits_until),
        "rounds": run.rounds,
        "cost_usd": run.cost,
        "text": run.text,
        "summary": run.report,
        "started_at": iso(run.started_at),
        "closed_at": iso(run.closed_at),
        "unsupported": run.unsupported,
        "undelivered": run.undelivered,
        "paused": run.paused,
        "problem": run.problem,
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


def _follow_up(follow_up: FollowUp) -> JsonObject:
    return {
        "number": follow_up.number,
        "question": follow_up.question,
        "status": follow_up.status,
        "report": follow_up.report.model_dump(mode="json"),
        "at": iso(follow_up.at),
    }


def _action(action: PersonAction) -> JsonObject:
    return {
        "act": action.kind,
        "at": iso(action.at),
        "by": action.by or None,
        "text": action.text or None,
        "call": action.call,
        "approved": action.approved,
        "extended": action.extended.model_dump(mode="json", exclude_none=True) if action.extended else None,
    }


def _value(text: str) -> object:
    """Parse JSON text. Return text that is not JSON as it is: a model wrote it, or it was cut."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds between two times; None if one is missing."""
    return round((end - start).total_seconds(), 3) if start and end else None


def iso(at: datetime | None) -> str | None:
    """Write a time in ISO 8601, UTC."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
