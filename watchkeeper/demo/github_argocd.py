"""The simulated GitHub Deployments API and the simulated Argo CD, over the releases of the scenario.

Every service is a repository ``acme/<service>``; ``search`` is also an Argo CD application.
"""

from __future__ import annotations

from zlib import crc32

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.scenario import Release, Scenario, utc_text

OWNER = "acme"
ENVIRONMENT = "production"
ARGOCD_APPLICATIONS = ("search",)


def github_app(scenario: Scenario, token: str) -> Starlette:
    """Build the server. It answers without a token, as for public repositories, and refuses a wrong one."""

    def releases_of(request: Request) -> list[Release]:
        authorization = request.headers.get("authorization")
        if authorization is not None and authorization not in (f"Bearer {token}", f"token {token}"):
            raise HTTPException(401, "Bad credentials")
        releases = scenario.releases(request.path_params["repo"])
        if request.path_params["owner"] != OWNER or not releases:
            raise HTTPException(404, "Not Found")
        return releases

    async def deployments(request: Request) -> Response:
        parameters = request.query_params
        found = [_deployment(request, release) for release in releases_of(request)]
        for name in ("environment", "ref", "sha", "task"):
            found = [item for item in found if parameters.get(name) in (None, item[name])]
        size, page = _number(parameters.get("per_page"), 30, 100), _number(parameters.get("page"), 1, 1_000_000)
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


def _deployment(request: Request, release: Release) -> JsonObject:
    base = f"{request.base_url}repos/{OWNER}/{release.service}"
    return {
        "url": f"{base}/deployments/{_id(release)}",
        "id": _id(release),
        "task": "deploy",
        "environment": ENVIRONMENT,
        "original_environment": ENVIRONMENT,
        "description": f"{release.version}: {release.text}",
        "created_at": utc_text(release.at),
        "updated_at": utc_text(release.at + 40),
        "statuses_url": f"{base}/deployments/{_id(release)}/statuses",
        "repository_url": base,
        "creator": {"login": release.by, "type": "User"},
        "sha": _sha(release),
        "ref": release.version,
        "payload": {"version": release.version, "deployed_at": utc_text(release.at)},
        "transient_environment": False,
        "production_environment": True,
    }


def _statuses(request: Request, release: Release, newer: Release | None) -> list[JsonObject]:
    """Return the statuses of a deployment, newest first. A newer deployment makes it inactive."""
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
            "created_at": utc_text(at),
            "updated_at": utc_text(at),
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
    """Build the server. It refuses requests without its token."""

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
                    "deployStartedAt": utc_text(release.at - 20),
                    "deployedAt": utc_text(release.at),
                    "source": {**source, "targetRevision": release.version},
                    "initiatedBy": {"username": release.by},
                }
                for i, release in enumerate(reversed(releases))
            ],
            "operationState": {
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "startedAt": utc_text(live.at - 20),
                "finishedAt": utc_text(live.at),
                "syncResult": {"revision": live.version, "source": source},
            },
            "summary": {"images": [f"registry.acme.example/{live.service}:{live.version}"]},
        },
    }


def _argocd_error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"error": message, "code": code, "message": message}, status)


def _number(text: str | None, default: int, maximum: int) -> int:
    return min(int(text), maximum) if text and text.isdigit() and int(text) > 0 else default


def _id(release: Release) -> int:
    return 100_000_000 + crc32(f"{release.service} {release.version} {release.text}".encode()) % 800_000_000


def _sha(release: Release) -> str:
    return "".join(f"{crc32(f'{release.service} {release.version} {i}'.encode()):08x}" for i in range(5))
