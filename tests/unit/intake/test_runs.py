"""Runs over HTTP: start, idempotency keys, show and list."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from temporalio.client import Client

from tests.support.harness import Harness, model_text, run_harness
from tests.support.intake_harness import OTHER, TOKEN, Dispatcher, bearer, running_intake, settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject, Report
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.testing.scripts import says

ADA = bearer(TOKEN)
SERVICES = {"checkout": {"team": "checkout"}, "payments": {"team": "payments"}}


def on(harness: Harness, **tables: Any) -> Settings:
    return settings(worker={"task_queue": harness.settings.worker.task_queue}, **tables)


async def start(http: AsyncClient, key: str | None = None, headers: dict[str, str] = ADA, **fields: Any) -> Response:
    keyed = {"idempotency-key": key} if key is not None else {}
    return await http.post("/runs", json={"text": "Is checkout well?", **fields}, headers=headers | keyed)


async def test_a_run_is_started_shown_and_listed(client: Client) -> None:
    async with (
        run_harness(client, [says("All is well.")]) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        answer = await start(http, service="checkout", severity="high", limits={"rounds": 3}, tool_choice="none")
        run = answer.json()["run"]
        await client.get_workflow_handle(run).result()
        response = await http.get(answer.headers["location"], headers=ADA)
        expected = run_json(await read_run(client, run))
        listed = await http.get("/runs", params={"service": "checkout", "limit": 1}, headers=ADA)
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.headers["location"]) == ("running", f"/runs/{run}")
    assert (answer.json()["text"], answer.json()["service"]) == ("Is checkout well?", "checkout")
    assert response.json() == expected
    assert (response.json()["status"], response.json()["limits"]["rounds"]) == ("concluded", 3)
    assert model_text(Report.model_validate(response.json()["report"])) == "All is well."
    (one,) = listed.json()["runs"]
    assert (one["run"], one["severity"], one["status"]) == (run, "high", "concluded")
    assert harness.model.requests[0].json().get("tool_choice", "none") == "none"


async def test_an_idempotency_key_starts_one_run(client: Client) -> None:
    async with (
        run_harness(client, [says("All is well.")]) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        key = harness.settings.worker.task_queue
        together = await asyncio.gather(*(start(http, key) for _ in range(5)))
        run = together[0].json()["run"]
        await client.get_workflow_handle(run).result()
        later = await start(http, key)
        of_somebody_else = await start(http, key, headers=bearer(OTHER))
        without = await start(http)
    answers = [*together, later]
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["run"] for answer in answers} == {run}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert later.json()["status"] == "concluded"
    assert len({run, of_somebody_else.json()["run"], without.json()["run"]}) == 3


async def test_an_idempotency_key_belongs_to_one_request_body(client: Client) -> None:
    async with (
        run_harness(client, [says("All is well.")]) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        key = harness.settings.worker.task_queue
        run = (await start(http, key)).json()["run"]
        others: tuple[JsonObject, ...] = ({"text": "Another?"}, {"service": "checkout"}, {"limits": {"rounds": 1}})
        for other in others:
            answer = await start(http, key, **other)
            assert (answer.status_code, run in answer.json()["error"]) == (409, True)


WRONG: list[tuple[JsonObject, str]] = [
    ({"text": None}, "text"),
    ({"text": ""}, "text"),
    ({"text": " \n\t "}, "text"),
    ({"text": "x" * 100_001}, "100,001 characters are too many"),
    ({"service": "x" * 151}, "service"),
    ({"service": "nobody"}, "no service 'nobody' in the catalogue; known: checkout, payments"),
    ({"limits": {"rounds": 0}}, "limits.rounds"),
    ({"limits": {"rounds": "5"}}, "limits.rounds"),
    ({"limits": {"cost": True}}, "limits.cost"),
    ({"limits": {"turns": 5}}, "limits.turns"),
    ({"tool_choice": "two words"}, "tool_choice"),
    ({"sevirity": "high"}, "sevirity"),
    ({"origin": {"source": "prom", "kind": "alertmanager", "group": "g"}}, "origin"),
]


async def test_the_response_says_where_a_request_is_invalid(client: Client) -> None:
    chosen = settings(services=SERVICES)
    async with running_intake(client, Dispatcher().dispatch, chosen) as http:
        for fields, wrong in WRONG:
            answer = await start(http, **fields)
            assert (answer.status_code, wrong in answer.json()["error"]) == (400, True), answer.text
        broken = await http.post("/runs", content=b'{"text": ', headers={**ADA, "content-type": "application/json"})
        no_object = await http.post("/runs", json=["Why?"], headers=ADA)
        keys = [await start(http, key) for key in ("", "k" * 256)]
    assert (broken.status_code, "the body at byte 9" in broken.json()["error"]) == (400, True), broken.text
    assert (no_object.status_code, "the body" in no_object.json()["error"]) == (400, True), no_object.text
    assert [key.status_code for key in keys] == [400, 400]


async def test_characters_that_cannot_be_stored_are_replaced(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.post(
            "/runs",
            content=rb'{"text": "Why \ud800 \u0000?", "severity": "\u0000\udfff"}',
            headers={**ADA, "content-type": "application/json; charset=utf-8"},
        )
        assert (answer.status_code, answer.json()["text"]) == (201, "Why \ufffd \ufffd?"), answer.text
        await client.get_workflow_handle(answer.json()["run"]).terminate()


async def test_an_unknown_run_is_named(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.get("/runs/incident-nobody", headers=ADA)
        longest = await http.get(f"/runs/{'x' * 1_001}", headers=ADA)
    assert (answer.status_code, longest.status_code) == (404, 400)
    assert "no run 'incident-nobody'" in answer.json()["error"]


async def test_the_list_can_be_limited_to_open_runs(client: Client) -> None:
    service = "listed-by-this-test"
    async with (
        run_harness(client, [says("Fine.")], services={service: {"team": "any"}}) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        over = (await start(http, service=service)).json()["run"]
        await client.get_workflow_handle(over).result()
    async with running_intake(client, Dispatcher().dispatch, on(harness)) as http:  # no worker goes on with this one
        still = (await start(http, service=service)).json()["run"]

        async def listed(**query: Any) -> list[str]:
            answer = await http.get("/runs", params={"service": service, **query}, headers=ADA)
            return [run["run"] for run in answer.json()["runs"]]

        async with asyncio.timeout(10):
            while len(await listed()) < 2 or await listed(open=True) != [still]:
                await asyncio.sleep(0.1)
        assert await listed() == [still, over]
        assert await listed(limit=1) == [still]
        wrong = [await http.get("/runs", params=query, headers=ADA) for query in ({"limit": 0}, {"open": "perhaps"})]
        await client.get_workflow_handle(still).terminate()
    assert [(answer.status_code, answer.json()["error"][:5]) for answer in wrong] == [(400, "query")] * 2


@pytest.mark.parametrize("path", ["/runs/", "/runs/a/", "/runs/a/restart"])
async def test_paths_are_not_normalized(client: Client, path: str) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.post(path, json={"text": "Why?"}, headers=ADA)
    assert answer.status_code in (404, 405)
    assert "error" in answer.json()
