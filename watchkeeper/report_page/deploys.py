"""The deploys that a run found, from the results of ``get_deploys`` (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import AwareDatetime, BaseModel, ValidationError

from watchkeeper.run_view.entries import Call

TOOL = "get_deploys"
"""The tool that finds deploys. An operator may have replaced it with a tool of the same name."""


class FoundDeploy(BaseModel):
    """One deploy of a service."""

    version: str
    deployed_at: AwareDatetime
    state: str = ""
    by: str | None = None


class _DeploysResult(BaseModel):
    service: str
    deploys: list[FoundDeploy]


def deploys(calls: Iterable[Call]) -> list[tuple[str, FoundDeploy]]:
    """Return each deploy once, with its service, oldest first."""
    found: dict[tuple[str, str, float], tuple[str, FoundDeploy]] = {}
    for call in calls:
        if call.name != TOOL or call.status != "ok" or call.result is None:
            continue
        try:
            result = _DeploysResult.model_validate_json(call.result)
        except ValidationError:  # The result was cut, or is from another tool of this name.
            continue
        for deploy in result.deploys:
            found[result.service, deploy.version, deploy.deployed_at.timestamp()] = (result.service, deploy)
    return sorted(found.values(), key=lambda item: item[1].deployed_at)
