"""The deploys that a run found, read out of what ``get_deploys`` gave it (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import AwareDatetime, BaseModel, ValidationError

from watchkeeper.run_view.entries import Call

TOOL = "get_deploys"
"""The tool whose results are deploys; an operator may have put their own in its place."""


class Deploy(BaseModel):
    """One version that was put into service."""

    version: str
    deployed_at: AwareDatetime
    state: str = ""
    by: str | None = None


class _Found(BaseModel):
    service: str
    deploys: list[Deploy]


def deploys(calls: Iterable[Call]) -> list[tuple[str, Deploy]]:
    """Return every deploy once, with its service, in the order in which they took place."""
    found: dict[tuple[str, str, float], tuple[str, Deploy]] = {}
    for call in calls:
        if call.name != TOOL or call.status != "ok" or call.result is None:
            continue
        try:
            given = _Found.model_validate_json(call.result)
        except ValidationError:  # cut short, or of a tool that answers otherwise
            continue
        for deploy in given.deploys:
            found[given.service, deploy.version, deploy.deployed_at.timestamp()] = (given.service, deploy)
    return sorted(found.values(), key=lambda one: one[1].deployed_at)
