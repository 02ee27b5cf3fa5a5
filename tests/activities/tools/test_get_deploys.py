from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.activities.tools.conftest import ToolHarness
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.faults import fault
from watchkeeper.tool import ToolUnavailable


def deployment(at: str, number: int = 1, **more: Any) -> JsonObject:
    return {"id": number, "ref": f"v{number}", "sha": "0" * 40, "created_at": at, **more}


def replace(harness: ToolHarness, deployments: list[JsonObject], statuses: Sequence[JsonObject] = ()) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = list(statuses) if scope["path"].endswith("/statuses") else deployments
        await fault(200, json.dumps(body))(app)(scope, receive, send)

    harness.world.github.outage = lambda _: app


async def test_the_seed_incident(harness: ToolHarness) -> None:
    found = await harness.ok("get_deploys", service="checkout")
    new, old = found["deploys"]
    assert (new["version"], new["state"], new["by"]) == ("v2.4.1", "success", "dana")
    assert (old["version"], old["state"]) == ("v2.4.0", "inactive")
    assert new["description"].startswith("v2.4.1: ")
    assert new["deployed_at"] > old["deployed_at"]
    assert found["note"] == "All deploys in the last 24 hours."


async def test_the_last_one_before_is_named(harness: ToolHarness) -> None:
    found = await harness.ok("get_deploys", service="payments", hours=1)
    assert found["deploys"] == []
    assert "The last one before was v3.11.2 at 20" in found["note"]
    assert not any(request.path.endswith("/statuses") for request in harness.world.github.requests)


async def test_argocd_and_github_together(harness: ToolHarness) -> None:
    found = await harness.ok("get_deploys", service="search", hours=700)
    assert [(deploy["version"], deploy["source"]) for deploy in found["deploys"]] == [
        ("v1.9.3", "github"),
        ("v1.9.3", "argocd"),
        ("v1.9.2", "github"),
        ("v1.9.2", "argocd"),
    ]
    assert "Argo CD reports search as Synced and Healthy." in found["note"]


async def test_argocd_alone(harness: ToolHarness) -> None:
    harness.set_service("search", github=None)
    found = await harness.ok("get_deploys", service="search", hours=700)
    assert [(d["version"], d["state"], d["by"]) for d in found["deploys"]] == [
        ("v1.9.3", "success", "tomas"),
        ("v1.9.2", "inactive", "tomas"),
    ]
    assert harness.world.github.requests == []


async def test_argocd_out_of_sync_and_failing(harness: ToolHarness) -> None:
    harness.set_service("search", github=None)
    status = {
        "sync": {"status": "OutOfSync"},
        "health": {"status": "Degraded"},
        "history": [
            {"deployedAt": "2020-01-01T00:00:00Z", "revision": "a" * 40, "source": {"targetRevision": "main"}},
            {"deployedAt": "2020-01-02T00:00:00Z", "revisions": ["b" * 40, "1.2.3"]},
        ],
        "operationState": {"phase": "Failed", "message": "one or more objects failed to apply"},
    }
    harness.world.argocd.outage = fault(200, {"status": status})
    note = (await harness.ok("get_deploys", service="search"))["note"]
    assert f"was {'b' * 12}, 1.2.3 at 2020-01-02T00:00:00Z" in note
    assert "as OutOfSync and Degraded. Its last operation: Failed: one or more objects failed to apply" in note


async def test_an_application_never_synced(harness: ToolHarness) -> None:
    harness.set_service("search", github=None)
    harness.world.argocd.outage = fault(200, {"status": {}})
    found = await harness.ok("get_deploys", service="search")
    assert found["note"] == (
        "No deploy in the last 24 hours. No earlier one is known. Argo CD reports search as Unknown and Unknown."
    )


async def test_only_the_newest_are_shown_and_the_total_is_given(harness: ToolHarness) -> None:
    recent = harness.at.isoformat()
    replace(harness, [deployment(recent, n) for n in range(1, 13)])
    found = await harness.ok("get_deploys", service="checkout")
    assert len(found["deploys"]) == 10
    assert found["note"].startswith("The newest 10 of 12 deploys")
    assert {deploy["state"] for deploy in found["deploys"]} == {"pending"}
    assert sum(request.path.endswith("/statuses") for request in harness.world.github.requests) == 10


async def test_a_full_page_may_not_be_all(harness: ToolHarness) -> None:
    replace(harness, [deployment(harness.at.isoformat(), n) for n in range(1, 101)])
    assert "of 100 or more deploys" in (await harness.ok("get_deploys", service="checkout"))["note"]


async def test_deploys_after_the_call_are_not_shown(harness: ToolHarness) -> None:
    replace(harness, [deployment("2999-01-01T00:00:00Z"), deployment(harness.at.isoformat(), 2)])
    assert [d["version"] for d in (await harness.ok("get_deploys", service="checkout"))["deploys"]] == ["v2"]


async def test_the_latest_state_is_shown_with_its_description(harness: ToolHarness) -> None:
    states = [
        {"state": "in_progress", "created_at": "2020-01-01T00:00:00Z"},
        {"state": "failure", "created_at": "2020-01-01T00:01:00Z", "description": "health check failed"},
    ]
    replace(harness, [deployment(harness.at.isoformat(), ref="c" * 40, description="canary", creator=None)], states)
    (deploy,) = (await harness.ok("get_deploys", service="checkout"))["deploys"]
    assert (deploy["state"], deploy["description"]) == ("failure", "canary; health check failed")
    assert deploy["version"] == "c" * 12
    assert "by" not in deploy


async def test_environment_and_headers_are_sent(harness: ToolHarness) -> None:
    await harness.ok("get_deploys", service="checkout")
    first = harness.world.github.requests[0]
    assert dict(first.query) == {"per_page": "100", "environment": "production"}
    assert first.headers["authorization"] == "Bearer demo-github-token"
    assert first.headers["accept"] == "application/vnd.github+json"


async def test_if_one_source_refuses_the_other_is_used(harness: ToolHarness) -> None:
    harness.set_service("search", github="acme/lost")
    found = await harness.ok("get_deploys", service="search", hours=700)
    assert {deploy["source"] for deploy in found["deploys"]} == {"argocd"}
    assert "The other source refused to answer" in found["note"]
    assert "answered 404" in found["note"]


async def test_both_sources_refuse(harness: ToolHarness) -> None:
    harness.set_service("search", github="acme/lost", argocd="lost")
    assert "answered 404" in await harness.error("get_deploys", service="search")


async def test_an_outage_of_one_source_is_retryable(harness: ToolHarness) -> None:
    harness.world.argocd.fail_next(502, "bad gateway")
    with pytest.raises(ToolUnavailable, match="bad gateway"):
        await harness.call("get_deploys", service="search")


async def test_no_source_configured(harness: ToolHarness) -> None:
    harness.set_service("checkout", github=None)
    error = await harness.error("get_deploys", service="checkout")
    assert "services.checkout.github or services.checkout.argocd" in error


async def test_argocd_without_address(harness: ToolHarness) -> None:
    harness.set_service("search", github=None)
    harness.set(argocd={"url": None})
    assert "WATCHKEEPER_ARGOCD__URL" in await harness.error("get_deploys", service="search")
