"""The simulated back ends as one process, and the alert that the demo sends."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.alerts.registry import make_source, source_class
from watchkeeper.alerts.source import WebhookRequest
from watchkeeper.demo.alert import AlertNotAccepted, notification, send_alert
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.demo.standalone import MODEL_KEY, PROGRAM_TOKEN, SOURCE_TOKEN, share_secrets, standalone_app
from watchkeeper.demo.world import World
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.scripted_model import ScriptedModel

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve(standalone_app(World(), ScriptedModel(on_call_engineer, key="key"))) as url:
        yield url


async def test_every_back_end_has_its_own_path(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/prometheus/-/ready")).status_code == 200
        deployments = (await http.get("/github/repos/acme/checkout/deployments")).json()
        assert deployments[0]["statuses_url"].startswith(f"{url}/github/repos/acme/checkout/deployments/")
        assert (await http.get("/pagerduty/incidents")).status_code == 401
        assert (await http.get("/model/v1/models")).status_code == 401
        models = await http.get("/model/v1/models", headers={"authorization": "Bearer key"})
        assert models.json()["data"]


def test_secrets_survive_a_restart(tmp_path: Path) -> None:
    first = dict(share_secrets(tmp_path, World()))
    assert share_secrets(tmp_path, World()) == first
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == first
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    drawn = {first[name] for name in (MODEL_KEY, PROGRAM_TOKEN, SOURCE_TOKEN)}
    assert len(drawn) == 3
    assert all(len(secret) == 32 for secret in drawn)


def test_two_demos_have_different_random_secrets(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert share_secrets(one, World())[SOURCE_TOKEN] != share_secrets(other, World())[SOURCE_TOKEN]


def test_the_alert_is_one_that_alertmanager_could_have_sent() -> None:
    source = make_source("prod", source_class("alertmanager").Section(kind="alertmanager", unauthenticated=True))
    body = JSONResponse(notification(NOW)).body
    (alert,) = source.parse(WebhookRequest({}, bytes(body), NOW.timestamp())).alerts
    assert (alert.title, alert.severity) == ("HighErrorRate: checkout fails 18.2% of requests", "critical")
    assert alert.labels["service"] == "checkout"


async def test_an_alert_that_is_not_accepted_is_an_error(url: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AlertNotAccepted, match=f"POST {nobody}/alerts/prod was not answered: "):
        await asyncio.to_thread(send_alert, nobody, "prod", "token", notification(NOW))
    with pytest.raises(AlertNotAccepted, match=f"POST {url}/alerts/prod answered 404: "):
        await asyncio.to_thread(send_alert, url, "prod", "token", notification(NOW))


async def test_an_alert_that_starts_no_run_is_an_error() -> None:
    async def ignore(request: Request) -> Response:
        return JSONResponse({"status": "ignored", "ignored": []}, 202)

    async with serve(Starlette(routes=[Route("/alerts/prod", ignore, methods=["POST"])])) as url:
        with pytest.raises(AlertNotAccepted, match="concerns no run: "):
            await asyncio.to_thread(send_alert, url, "prod", "token", notification(NOW))
