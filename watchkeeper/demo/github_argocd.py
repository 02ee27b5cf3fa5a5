"""The simulated GitHub Deployments API and the simulated Argo CD, over the releases of the scenario.

Every service is a repository ``acme/<service>``; ``search`` is an Argo CD application besides. Both vendors tell
times in UTC; the description of a deployment tells the same time in the world's own zone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zlib import crc32

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.scenario import Release, Scenario

OWNER = "acme"
ENVIRONMENT = "production"
ARGOCD_APPLICATIONS = ("search",)


def github_app(scenario: Scenario, token: str) -> Starlette:
    """Build the server; without a token it answers as for public repositories, a wrong token is refused."""

    def releases_of(request: Request) -> list[Release]:
        authorization = request.headers.get("authorization")
        if authorization is not None and authorization not in (f"Bearer {token}", f"token {token}"):
            raise HTTPException(401, "Bad credentials")
        releases = scenario.releases(request.path_params["repo"])
        if request.path_params["owner"] != OWNER or not releases:
            raise HTTPException(404, "Not Found")
        return releases

    async def deployments(request: Request) -> Response:
        asked = request.query_params
        found = [_deployment(request, scenario, release) for release in releases_of(request)]
        for name in ("environment", "ref", "sha", "task"):
            found = [item for item in found if asked.get(name) in (None, item[name])]
        size, page = _number(asked.get("per_page"), 30, 100), _number(asked.get("page"), 1, 1_000_000)
        return JSONResponse(found[(page - 1) * size : page * size])

    async def statuses(request: Request) -> Response:
        releases = releases_of(request)
        for release, newer in zip(releases, [None, *releases], strict=False):
            if _id(release) == request.path_params["id"]:
                return JSONResponse(_statuses(request, release, newer))
        raise HTTPException(404, "Not Found")

    return Starlette(
        routes=[
            Route("/repos/{owner}/{repo}/deployments", deployments),
            Route("/repos/{owner}/{repo}/deployments/{id:int}/statuses", statuses),
        ],
        exception_handlers={HTTPException: _github_error},
    )


def _deployment(request: Request, scenario: Scenario, release: Release) -> JsonObject:
    base = f"{request.base_url}repos/{OWNER}/{release.service}"
    local = scenario.local(release.at)
    return {
        "url": f"{base}/deployments/{_id(release)}",
        "id": _id(release),
        "task": "deploy",
        "environment": ENVIRONMENT,
        "original_environment": ENVIRONMENT,
        "description": f"{release.version} at {local:%H:%M} ({local:%Z}): {release.text}",
        "created_at": _utc(release.at),
        "updated_at": _utc(release.at + 40),
        "statuses_url": f"{base}/deployments/{_id(release)}/statuses",
        "repository_url": base,
        "creator": {"login": release.by, "type": "User"},
        "sha": _sha(release),
        "ref": release.version,
        "payload": {"version": release.version, "deployed_at": local.isoformat()},
        "transient_environment": False,
        "production_environment": True,
    }


def _statuses(request: Request, release: Release, newer: Release | None) -> list[JsonObject]:
    """Return the states of a deployment, newest first: a newer deployment makes it inactive."""
    states = [("success", release.at + 40), ("in_progress", release.at + 5)]
    if newer is not None:
        states.insert(0, ("inactive", newer.at + 40))
    deployment = f"{request.base_url}repos/{OWNER}/{release.service}/deployments/{_id(release)}"
    return [
        {
            "url": f"{deployment}/statuses/{_id(release) * 10 + i}",
            "id": _id(release) * 10 + i,
            "state": state,
            "description": "",
            "environment": ENVIRONMENT,
            "creator": {"login": release.by, "type": "User"},
            "created_at": _utc(at),
            "updated_at": _utc(at),
            "deployment_url": deployment,
        }
        for i, (state, at) in enumerate(states)
    ]


async def _github_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {
        "message": error.detail,
        "documentation_url": "https://docs.github.com/rest",
        "status": f"{error.status_code}",
    }
    return JSONResponse(body, error.status_code)


def argocd_app(scenario: Scenario, token: str) -> Starlette:
    """Build the server; it wants its token."""

    async def application(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {token}":
            return _argocd_error(401, 16, "no session information")
        name = request.path_params["name"]
        if name not in ARGOCD_APPLICATIONS:
            return _argocd_error(404, 5, f'applications.argoproj.io "{name}" not found')
        return JSONResponse(_application(scenario.releases(name)))

    return Starlette(routes=[Route("/api/v1/applications/{name}", application)])


def _application(releases: list[Release]) -> JsonObject:
    live = releases[0]
    source = {"repoURL": "https://charts.acme.example", "chart": live.service, "targetRevision": live.version}
    return {
        "metadata": {"name": live.service, "namespace": "argocd"},
        "spec": {"source": source, "destination": {"namespace": live.service}, "project": "default"},
        "status": {
            "sync": {"status": "Synced", "revision": live.version},
            "health": {"status": "Healthy"},
            "history": [
                {
                    "id": i,
                    "revision": release.version,
                    "deployStartedAt": _utc(release.at - 20),
                    "deployedAt": _utc(release.at),
                    "source": {**source, "targetRevision": release.version},
                    "initiatedBy": {"username": release.by},
                }
                for i, release in enumerate(reversed(releases))
            ],
            "operationState": {
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "startedAt": _utc(live.at - 20),
                "finishedAt": _utc(live.at),
                "syncResult": {"revision": live.version, "source": source},
            },
            "summary": {"images": [f"registry.acme.example/{live.service}:{live.version}"]},
        },
    }


def _argocd_error(status: int, code: int, said: str) -> Response:
    return JSONResponse({"error": said, "code": code, "message": said}, status)


def _number(text: str | None, default: int, most: int) -> int:
    return min(int(text), most) if text and text.isdigit() and int(text) > 0 else default


def _id(release: Release) -> int:
    return 100_000_000 + crc32(f"{release.service} {release.version} {release.text}".encode()) % 800_000_000


def _sha(release: Release) -> str:
    return "".join(f"{crc32(f'{release.service} {release.version} {i}'.encode()):08x}" for i in range(5))


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
