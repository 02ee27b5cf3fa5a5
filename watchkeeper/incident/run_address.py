"""The web address of a run (pure)."""

from __future__ import annotations

from urllib.parse import quote

from watchkeeper.redaction import public_address


def run_address(run_url: str | None, workflow_id: str, run: str) -> str | None:
    """Return the URL of a run: the setting ``reports.run_url`` with ``{run}`` and ``{run_id}`` filled in.

    It goes to everyone who reads the report, so it has no user and no password.
    """
    if run_url is None:
        return None
    address = public_address(run_url)
    return address.replace("{run}", quote(workflow_id, safe="")).replace("{run_id}", quote(run, safe=""))
