"""``POST /runs`` checks what a person asks for, and the paths of runs take every name of a run."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from tests.support.harness import run_harness, until_waiting
from tests.support.intake_harness import TOKEN, Dispatcher, bearer, running_intake, settings
from tests.unit.intake.test_run_updates import act
from tests.unit.intake.test_runs import on, start
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripts import calls, says

ADA = bearer(TOKEN)

WRONG: list[tuple[JsonObject, str]] = [
    ({"service": "chekout"}, "service: no service 'chekout' in the catalogue of the task queue "),
    ({"service": "billing"}, "known: checkout, payments"),
    ({"tool_choice": "lok"}, "tool_choice: no tool 'lok' in the catalogue of the task queue "),
    ({"limits": {"cost": 0.5}}, "limits.cost: a limit on cost needs the prices of every model"),
    ({"severity": "warnign"}, "severity: no severity 'warnign'; did you mean warning?"),
    ({"limits": {"rounds": 100_001}}, "limits.rounds: "),
    ({"limits": {"cost": 0}}, "limits.cost: "),
]


@pytest.mark.parametrize("alive", [True, False], ids=["worker", "no worker"])
async def test_a_mistake_is_answered_400_and_starts_no_run(client: Client, alive: bool) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        chosen = on(harness, services={"billing": {"team": "any"}})
        if alive:
            await check(client, chosen)
    if not alive:
        await check(client, chosen)
    query = f"TaskQueue = '{harness.settings.worker.task_queue}'"
    assert [run.id async for run in client.list_workflows(query)] == []


async def check(client: Client, chosen: object) -> None:
    async with running_intake(client, Dispatcher().dispatch, chosen) as http:  # type: ignore[arg-type]
        for fields, wrong in WRONG:
            answer = await start(http, **fields)
            assert answer.status_code == 400, answer.text
            assert wrong in answer.json()["error"]


async def test_without_a_publication_the_settings_of_the_intake_count(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch, settings()) as http:
        unpriced = await start(http, limits={"cost": 0.5})
        started = await start(http, service="anything", tool_choice="anything")
        await client.get_workflow_handle(started.json()["run"]).terminate()
    assert (unpriced.status_code, unpriced.json()["error"][:12]) == (400, "limits.cost:")
    assert started.status_code == 201


async def test_a_repeated_request_shows_its_run_even_if_the_catalogue_has_changed(client: Client) -> None:
    async with (
        run_harness(client, [says("Fine.")]) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        first = await start(http, "key-of-a-changed-catalogue", service="checkout")
    queue = {"task_queue": harness.settings.worker.task_queue}
    async with (
        run_harness(client, [says("Fine.")], worker=queue, services={"other": {"team": "any"}}),
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        again = await start(http, "key-of-a-changed-catalogue", service="checkout")
        other = await start(http, service="checkout")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 400)
    assert again.json()["run"] == first.json()["run"]


async def test_the_paths_take_every_name_of_a_run(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), says("Fine.")]
    async with (
        run_harness(client, script) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        run, other = await harness.start(), await harness.start()
        await until_waiting(run, "r1.0")
        names = [run.id, run.id[:-1], run.first_execution_run_id or "", (run.first_execution_run_id or "")[:-1]]
        for name in names:
            answer = await http.get(f"/runs/{name}", headers=ADA)
            assert (answer.status_code, answer.json().get("run")) == (200, run.id), answer.text
            told = await act(http, name, "tell", text="Hello.")
            assert (told.status_code, told.json().get("run")) == (200, run.id), told.text
        latest = await http.get("/runs/latest", headers=ADA)
        several = await http.get("/runs/incident-", headers=ADA)
        unknown = await http.get("/runs/incident-nobody", headers=ADA)
        await act(http, names[3], "stop")
        await act(http, other.id, "stop")
    assert latest.status_code == 200
    assert (several.status_code, "is the beginning of several runs" in several.json()["error"]) == (400, True)
    assert unknown.status_code == 404
