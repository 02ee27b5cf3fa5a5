"""The web address of a run (pure)."""

from __future__ import annotations

from urllib.parse import quote


def run_address(run_url: str | None, workflow_id: str, run: str) -> str | None:
    """Return the URL of a run: the setting ``reports.run_url`` with ``{run}`` and ``{run_id}`` filled in."""
    if run_url is None:
        return None
    return run_url.replace("{run}", quote(workflow_id, safe="")).replace("{run_id}", quote(run, safe=""))
