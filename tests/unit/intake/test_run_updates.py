"""Updates of a run over HTTP, in the name of a token."""

from __future__ import annotations

import asyncio

from httpx2 import AsyncClient, Response
from temporalio.client import Client

from tests.support.harness import Run, run_harness, until_asked, until_waiting
from tests.support.intake_harness import OTHER, TOKEN, Dispatcher, bearer, running_intake
from tests.unit.intake.test_runs import on
from watchkeeper.intake.runs import TEMPORAL_SECONDS
from watchkeeper.run_view.follow import read_run
from watchkeeper.testing.scripts import calls, says

RESTART = ("restart", {"service": "checkout"})


async def act(http: AsyncClient, run: str, name: str, token: str = TOKEN, **what: object) -> Response:
    return await http.post(f"/runs/{run}/{name}", json=what, headers=bearer(token), timeout=TEMPORAL_SECONDS + 5)


async def test_updates_carry_the_name_of_the_token(client: Client) -> None:
    script = [calls(RESTART), calls(RESTART), says("Restarted.")]
    async with (
        run_harness(client, script) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        run = await harness.start(limits=None)
        await until_waiting(run, "r1.0")
        response = await act(http, run.id, "tell", text="Payments was deployed too.")
        unknown = await act(http, run.id, "approve", call="r9.9")
        denied = await act(http, run.id, "deny", call="r1.0", note="not on a Friday")
        await until_waiting(run, "r2.0")
        extended = await act(http, run.id, "extend", OTHER, limits={"rounds": 5})
        approved = await act(http, run.id, "approve", OTHER, call="r2.0")
        second = await act(http, run.id, "deny", call="r2.0")
        await run.result()
        late = await act(http, run.id, "tell", text="Too late?")
        story = await read_run(client, run.id)
    assert [answer.status_code for answer in (response, denied, extended, approved)] == [200] * 4
    assert (denied.json()["run"], denied.json()["done"]) == (run.id, "r1.0 denied")
    assert extended.json() == {"run": run.id, "limits": {**extended.json()["limits"], "rounds": 35}}
    assert (unknown.status_code, "no call 'r9.9' waits" in unknown.json()["error"]) == (409, True)
    assert (second.status_code, late.status_code) == (409, 409)
    assert "has ended: concluded" in late.json()["error"]
    assert [(done.kind, done.by) for done in story.actions] == [
        ("tell", "ada"),
        ("decide", "ada"),
        ("extend", "bob"),
        ("decide", "bob"),
    ]
    assert harness.effects.restarts == ["checkout"]
    assert "denied by ada: not on a Friday" in harness.results()[0]


async def test_a_run_is_stopped_with_its_report(client: Client) -> None:
    async with (
        run_harness(client, [calls(RESTART)]) as harness,
        running_intake(client, Dispatcher().dispatch, on(harness)) as http,
    ):
        run = await harness.start()
        await until_waiting(run, "r1.0")
        answer = await act(http, run.id, "stop", reason="false alarm")
        result = await run.result()
        response = await http.get(f"/runs/{run.id}", headers=bearer(TOKEN))
    assert answer.status_code == 200
    assert (result.status, result.reason) == ("stopped", "stopped by ada: false alarm")
    assert response.json()["status"] == "stopped"


async def test_updates_of_an_unknown_run_are_answered_404(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = [
            await act(http, "incident-nobody", "tell", text="Hello?"),
            await act(http, "incident-nobody", "approve", call="r1.0"),
            await act(http, "incident-nobody", "stop"),
            await act(http, "incident-nobody", "extend", limits={"rounds": 1}),
        ]
    assert [(answer.status_code, "incident-nobody" in answer.json()["error"]) for answer in answers] == [
        (404, True)
    ] * 4


async def test_an_empty_update_is_refused(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = [
            await act(http, "any", "tell", text="  "),
            await act(http, "any", "tell", text="Hello", by="somebody else"),
            await act(http, "any", "approve"),
            await act(http, "any", "approve", call=7),
            await act(http, "any", "extend", limits={"rounds": -1}),
            await act(http, "any", "stop", reason=None),
        ]
    assert [answer.status_code for answer in answers] == [400] * 6


async def test_an_update_without_a_worker_is_answered_503(client: Client) -> None:
    async with run_harness(client, [calls(RESTART)]) as harness:
        run: Run = await harness.start()
        await until_asked(harness, 1)
        await until_waiting(run, "r1.0")
    async with running_intake(client, Dispatcher().dispatch, on(harness)) as http:
        answer, alive = await asyncio.gather(act(http, run.id, "tell", text="Anybody?"), http.get("/healthz"))
    await run.terminate()
    assert (answer.status_code, alive.status_code) == (503, 200)
    assert "no worker answered within 10 s" in answer.json()["error"]
