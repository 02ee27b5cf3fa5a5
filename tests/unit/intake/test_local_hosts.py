"""`dev` serves this machine: no path answers a web page of another host."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import TOKEN, Dispatcher, bearer, running_intake, settings
from tests.unit.intake.test_alerts import STARTED
from tests.unit.intake.test_authentication import GUARDED, PUBLIC
from watchkeeper.config.settings import Settings

FIRING = payload("alertmanager-firing")
PATHS = (*GUARDED, *(("GET", path) for path in PUBLIC), ("POST", "/alerts/open"), ("POST", "/slack/interactions"))
STRANGE = (
    {"host": "evil.example"},
    {"host": "127.0.0.1.evil.example:8080"},
    {"host": ""},
    {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1.evil.example"},
    {"origin": "null"},
    {"origin": "http://[bad"},
    {"origin": ""},
)


@pytest.mark.parametrize("headers", STRANGE, ids=str)
@pytest.mark.parametrize("chosen", [settings(), settings(intake={})], ids=["with tokens", "without"])
async def test_no_path_answers_a_page_of_another_host(
    client: Client, headers: dict[str, str], chosen: Settings
) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch, chosen, local_only=True) as http:
        for method, path in PATHS:
            answer = await http.request(method, path, content=FIRING, headers={**bearer(TOKEN), **headers})
            assert (answer.status_code, path) == (403, path)
    assert dispatcher.received == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:1"},
        {"host": "[::1]"},
        {"host": "Tunnel.example"},
        {"origin": "http://localhost:8080"},
        {"origin": "https://tunnel.example"},
    ],
    ids=str,
)
async def test_programs_and_pages_of_this_machine_and_named_hosts_are_served(
    client: Client, headers: dict[str, str]
) -> None:
    chosen = settings(intake={"hosts": ["tunnel.example"]})
    async with running_intake(client, Dispatcher([STARTED]).dispatch, chosen, local_only=True) as http:
        sent = await http.post("/alerts/open", content=FIRING, headers=headers)
        listed = await http.get("/runs", headers=headers)
    assert (sent.status_code, listed.status_code) == (200, 200)


async def test_the_api_without_tokens_rejects_pages_of_another_host(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch, settings(intake={})) as http:
        answer = await http.get("/runs", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
