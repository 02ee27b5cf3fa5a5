from datetime import datetime
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from watchkeeper.demo.world import World


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def deployments(http: AsyncClient, world: World, repository: str, **query: str) -> Any:
    answer = await http.get(f"{world.urls.github_url}/repos/{repository}/deployments", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_latest_release_and_the_one_before(http: AsyncClient, world: World) -> None:
    newest, before = await deployments(http, world, "acme/checkout", environment="production", per_page="100")
    assert (newest["ref"], before["ref"]) == ("v2.4.1", "v2.4.0")
    assert newest["description"] == "v2.4.1: Apply promotion codes in one step"
    assert newest["created_at"] == newest["payload"]["deployed_at"]
    assert at(newest["created_at"]) == world.scenario.deployed_at
    assert at(newest["created_at"]) - at(before["created_at"]) == 77_400


async def test_statuses_show_the_live_deployment(http: AsyncClient, world: World) -> None:
    newest, before = await deployments(http, world, "acme/checkout")
    states = [[status["state"] for status in (await http.get(one["statuses_url"])).json()] for one in (newest, before)]
    assert states == [["success", "in_progress"], ["inactive", "success", "in_progress"]]


async def test_every_deployment_has_a_unique_id(http: AsyncClient, world: World) -> None:
    world.scenario.recover()
    found = [
        one for name in ("checkout", "payments", "search") for one in await deployments(http, world, f"acme/{name}")
    ]
    assert len({one["id"] for one in found}) == len(found) == 7


async def test_filters_and_pages(http: AsyncClient, world: World) -> None:
    assert await deployments(http, world, "acme/payments", environment="staging") == []
    (found,) = await deployments(http, world, "acme/payments", ref="v3.11.1")
    assert found["ref"] == "v3.11.1"
    (first,) = await deployments(http, world, "acme/payments", per_page="1")
    (second,) = await deployments(http, world, "acme/payments", per_page="1", page="2")
    assert (first["ref"], second["ref"]) == ("v3.11.2", "v3.11.1")


async def test_a_rollback_is_a_deployment(http: AsyncClient, world: World) -> None:
    world.scenario.recover()
    found = await deployments(http, world, "acme/checkout")
    assert [one["ref"] for one in found] == ["v2.4.0", "v2.4.1", "v2.4.0"]
    statuses = (await http.get(found[1]["statuses_url"])).json()
    assert statuses[0]["state"] == "inactive"


@pytest.mark.parametrize("path", ["acme/billing/deployments", "other/checkout/deployments"])
async def test_an_unknown_repository_is_not_found(http: AsyncClient, world: World, path: str) -> None:
    answer = await http.get(f"{world.urls.github_url}/repos/{path}")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found"


async def test_an_unknown_deployment_has_no_statuses(http: AsyncClient, world: World) -> None:
    answer = await http.get(f"{world.urls.github_url}/repos/acme/checkout/deployments/1/statuses")
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


async def test_github_accepts_no_token_and_refuses_a_wrong_one(http: AsyncClient, world: World) -> None:
    url = f"{world.urls.github_url}/repos/acme/checkout/deployments"
    right = await http.get(url, headers={"authorization": f"Bearer {world.github_token}"})
    wrong = await http.get(url, headers={"authorization": "Bearer wrong"})
    assert right.status_code == 200
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Bad credentials")


async def application(http: AsyncClient, world: World, name: str, token: str | None) -> Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await http.get(f"{world.urls.argocd_url}/api/v1/applications/{name}", headers=headers)


async def test_the_application_search(http: AsyncClient, world: World) -> None:
    status = (await application(http, world, "search", world.argocd_token)).json()["status"]
    assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
    assert status["operationState"]["phase"] == "Succeeded"
    assert [entry["revision"] for entry in status["history"]] == ["v1.9.2", "v1.9.3"]
    assert at(status["history"][1]["deployedAt"]) == world.scenario.releases("search")[0].at


async def test_argo_cd_refuses_a_wrong_token_and_an_unknown_application(http: AsyncClient, world: World) -> None:
    unknown = await application(http, world, "checkout", world.argocd_token)
    assert (unknown.status_code, unknown.json()["code"]) == (404, 5)
    for token in (None, "wrong"):
        answer = await application(http, world, "search", token)
        assert (answer.status_code, answer.json()["error"]) == (401, "no session information")
