"""One run as lists show it, as JSON: what ``list --json`` prints and ``GET /runs`` answers (pure)."""

from __future__ import annotations

from watchkeeper.contracts import JsonObject
from watchkeeper.run_view.json_view import iso
from watchkeeper.runs.client import RunInfo


def list_row_json(found: RunInfo) -> JsonObject:
    """Return a run in a list as JSON; times in ISO 8601 (UTC)."""
    return {
        "run": found.workflow_id,
        "workflow_id": found.workflow_id,
        "run_id": found.run_id,
        "status": found.status,
        "service": found.service,
        "severity": found.severity,
        "team": found.team,
        "source": found.source,
        "phase": found.phase,
        "waiting_for": found.waiting_for,
        "rounds": found.rounds,
        "cost_usd": found.cost,
        "text": found.text,
        "summary": found.report,
        "started_at": iso(found.started_at),
        "closed_at": iso(found.closed_at),
    }
