"""The tool ``get_deploys``: recent deploys of a service, from GitHub and Argo CD."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from watchkeeper.backend import bearer, fetch_as
from watchkeeper.config.settings import env_variable
from watchkeeper.tool import Arguments, Service, ToolContext, ToolError, tool

SHOWN = 10
"""Most deploys in one result, and most concurrent requests to GitHub."""

_PAGE = 100


class GetDeploys(Arguments):
    """Arguments of ``get_deploys``."""

    service: Service = Field(description="Name in the service catalogue.")
    hours: int = Field(default=24, ge=1, le=720, description="How far back to look, in hours.")


class Deploy(BaseModel):
    """One deployed version."""

    version: str
    deployed_at: str
    """ISO 8601, UTC."""
    state: str
    """A state of GitHub deployments, also for Argo CD: success, inactive (replaced), in_progress, failure, ..."""
    source: Literal["github", "argocd"]
    description: str | None = None
    by: str | None = None
    commit: str | None = None


class Deploys(BaseModel):
    """The deploys of a service, newest first."""

    service: str
    deploys: list[Deploy]
    note: str


class _History(NamedTuple):
    """The deploys of one source: the newest within the requested time, their total, and the last one before."""

    deploys: list[Deploy]
    total: int
    before: Deploy | None
    note: str = ""


@tool(effect="read", timeout=timedelta(seconds=20))
async def get_deploys(args: GetDeploys, context: ToolContext) -> Deploys:
    """List the recent deploys of a service, newest first: versions, times, states, authors.

    Use it as soon as a service is in trouble: most incidents begin with a change. Compare the times of the deploys with
    the time of the first failure in the logs: a deploy shortly before it is the first suspect, and the version before
    that one is what to roll back to. If its own deploys explain nothing, ask about the services it depends on.
    """
    service = context.settings.services[args.service]
    sources: list[Awaitable[_History]] = []
    if service.github:
        sources.append(_github(service.github, service.environment, args.hours, context))
    if service.argocd:
        sources.append(_argocd(service.argocd, args.hours, context))
    if not sources:
        raise ToolError(
            f"no source of deploys is configured for {args.service}; the operator can set "
            f"services.{args.service}.github or services.{args.service}.argocd; until then its logs may name versions"
        )
    answers = await asyncio.gather(*map(_history_or_refusal, sources))
    refusals = [answer for answer in answers if isinstance(answer, ToolError)]
    histories = [answer for answer in answers if not isinstance(answer, ToolError)]
    if not histories:
        raise refusals[0]
    found = [deploy for history in histories for deploy in history.deploys]
    shown = sorted(found, key=lambda deploy: deploy.deployed_at, reverse=True)[:SHOWN]
    notes = [_summary(args.hours, len(shown), histories), *(history.note for history in histories)]
    notes += [f"The other source refused to answer: {refusal}" for refusal in refusals]
    return Deploys(service=args.service, deploys=shown, note=" ".join(filter(None, notes)))


async def _history_or_refusal(source: Awaitable[_History]) -> _History | ToolError:
    try:
        return await source
    except ToolError as refusal:
        return refusal


def _summary(hours: int, shown: int, histories: Sequence[_History]) -> str:
    total = sum(history.total for history in histories)
    if total > shown:
        more = "or more " if any(history.total >= _PAGE for history in histories) else ""
        return (
            f"The newest {shown} of {total} {more}deploys in the last {hours} hours; ask about fewer hours to see less."
        )
    if total:
        return f"All deploys in the last {hours} hours."
    before = [history.before for history in histories if history.before]
    last = max(before, key=lambda deploy: deploy.deployed_at, default=None)
    earlier = f"The last one before was {last.version} at {last.deployed_at}." if last else "No earlier one is known."
    return f"No deploy in the last {hours} hours. {earlier}"


class _Dated(BaseModel):
    at: AwareDatetime


D = TypeVar("D", bound=_Dated)


def _split(dated: Sequence[D], hours: int, context: ToolContext) -> tuple[list[D], D | None]:
    """Return the deploys within the requested time, newest first, and the last one before."""
    newest_first = sorted((one for one in dated if one.at <= context.at), key=lambda one: one.at, reverse=True)
    since = context.at - timedelta(hours=hours)
    within = [one for one in newest_first if one.at >= since]
    return within, next(iter(newest_first[len(within) :]), None)


class _Creator(BaseModel):
    login: str


class _Deployment(_Dated):
    at: AwareDatetime = Field(alias="created_at")
    id: int
    ref: str
    sha: str
    description: str | None = None
    creator: _Creator | None = None


class _State(_Dated):
    at: AwareDatetime = Field(alias="created_at")
    state: str
    description: str | None = None


async def _github(repository: str, environment: str | None, hours: int, context: ToolContext) -> _History:
    github = context.settings.github
    place = f"{github.url}/repos/{repository}/deployments"
    accept = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    headers = {**bearer(github.token), **accept}
    params = {"per_page": str(_PAGE), **({"environment": environment} if environment else {})}
    deployments = await fetch_as(
        RootModel[list[_Deployment]], context.http, "GET", place, params=params, headers=headers
    )
    within, before = _split(deployments.root, hours, context)
    states = await asyncio.gather(
        *(
            fetch_as(RootModel[list[_State]], context.http, "GET", f"{place}/{one.id}/statuses", headers=headers)
            for one in within[:SHOWN]
        )
    )
    return _History(
        deploys=[_from_github(one, state.root) for one, state in zip(within, states, strict=False)],
        total=len(within),
        before=_from_github(before, []) if before else None,
    )


def _from_github(deployment: _Deployment, states: Sequence[_State]) -> Deploy:
    last = max(states, key=lambda state: state.at, default=None)
    described = [deployment.description, last.description if last else None]
    return Deploy(
        version=_short(deployment.ref),
        deployed_at=_utc(deployment.at),
        state=last.state if last else "pending",
        source="github",
        description="; ".join(filter(None, described)) or None,
        by=deployment.creator.login if deployment.creator else None,
        commit=_short(deployment.sha),
    )


class _Source(BaseModel):
    targetRevision: str | None = None


class _Initiator(BaseModel):
    username: str | None = None


class _Sync(_Dated):
    at: AwareDatetime = Field(alias="deployedAt")
    revision: str | None = None
    revisions: list[str] = []
    source: _Source | None = None
    initiatedBy: _Initiator | None = None


class _Health(BaseModel):
    status: str = "Unknown"


class _Operation(BaseModel):
    phase: str
    message: str = ""


class _Status(BaseModel):
    sync: _Health = _Health()
    health: _Health = _Health()
    history: list[_Sync] = []
    operationState: _Operation | None = None


class _Application(BaseModel):
    status: _Status


async def _argocd(name: str, hours: int, context: ToolContext) -> _History:
    argocd = context.settings.argocd
    if argocd.url is None:
        raise ToolError(f"no Argo CD is configured; the operator can set argocd.url ({env_variable('argocd', 'url')})")
    place = f"{argocd.url}/api/v1/applications/{quote(name, safe='')}"
    application = await fetch_as(_Application, context.http, "GET", place, headers=bearer(argocd.token))
    status = application.status
    within, before = _split(status.history, hours, context)
    newest = max(status.history, key=lambda sync: sync.at, default=None)
    note = f"Argo CD reports {name} as {status.sync.status} and {status.health.status}."
    if status.operationState and status.operationState.phase != "Succeeded":
        note += f" Its last operation: {status.operationState.phase}: {status.operationState.message}"
    return _History(
        deploys=[_from_argocd(sync, live=sync is newest) for sync in within[:SHOWN]],
        total=len(within),
        before=_from_argocd(before, live=before is newest) if before else None,
        note=note,
    )


def _from_argocd(sync: _Sync, *, live: bool) -> Deploy:
    version = _short(sync.revision or ", ".join(map(_short, sync.revisions)) or "unknown")
    target = sync.source.targetRevision if sync.source else None
    return Deploy(
        version=version,
        deployed_at=_utc(sync.at),
        state="success" if live else "inactive",
        source="argocd",
        description=f"synced to {target}" if target and target != version else None,
        by=sync.initiatedBy.username if sync.initiatedBy else None,
    )


def _short(version: str) -> str:
    return version[:12] if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", version) else version


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
