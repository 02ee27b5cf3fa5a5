"""A storm: a thousand alerts at once are answered in time, even if Temporal does not answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

from httpx2 import AsyncClient
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import TOKEN, Dispatcher, bearer, running_intake, settings
from tests.support.raw_http import exchange, request
from tests.unit.intake.test_alerts import STARTED
from watchkeeper.intake.concurrency_limit import MAX_ALERT_REQUESTS, MAX_DISPATCHES

FIRING = payload("alertmanager-firing")
REQUEST = request("/alerts/open", f"Content-Length: {len(FIRING)}", "Connection: close", body=FIRING)
STORM = 1_000


async def storm(http: AsyncClient, times: int = STORM) -> tuple[Counter[str], float]:
    """Send alerts at once. Returns the statuses, and the seconds until all were answered."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(exchange(http, REQUEST) for _ in range(times)))
    return Counter(answer.split()[1] for answer in answers), time.perf_counter() - began


async def test_a_storm_is_answered_503_in_time_when_temporal_hangs(client: Client) -> None:
    dispatcher = Dispatcher(hangs=True)
    async with running_intake(client, dispatcher.dispatch, settings(intake={"patience": 0.9})) as http:
        answered, took = await storm(http)
        alive = await http.get("/healthz")
    assert answered == {"503": STORM}
    # Beside the patience, what it takes this one process to send and to serve all of them.
    assert took < 0.9 + 6
    assert MAX_DISPATCHES <= len(dispatcher.received) <= MAX_ALERT_REQUESTS
    assert alive.status_code == 200


async def test_a_storm_is_accepted_completely_when_senders_retry(client: Client) -> None:
    dispatcher, left, accepted = Dispatcher([STARTED]), STORM, 0
    async with running_intake(client, dispatcher.dispatch) as http:
        async with asyncio.timeout(30):
            while left:
                answered, _ = await storm(http, left)
                assert answered.keys() <= {"200", "503"}
                accepted, left = accepted + answered["200"], answered["503"]
    assert accepted == STORM == len(dispatcher.received)


async def test_other_requests_are_served_during_a_storm(client: Client) -> None:
    dispatcher = Dispatcher(hangs=True)
    async with running_intake(client, dispatcher.dispatch) as http:
        raging = asyncio.create_task(storm(http, MAX_ALERT_REQUESTS + 200))
        while len(dispatcher.received) < MAX_DISPATCHES:
            await asyncio.sleep(0.01)
        listed = await http.get("/runs", headers=bearer(TOKEN))
        await raging
        metrics = (await http.get("/metrics")).text
    assert listed.status_code == 200
    assert f'watchkeeper_intake_requests_total{{code="503",source="open"}} {MAX_ALERT_REQUESTS + 200}.0' in metrics


async def test_after_a_storm_the_slots_are_free_again(client: Client) -> None:
    dispatcher = Dispatcher([STARTED], hangs=True)
    async with running_intake(client, dispatcher.dispatch, settings(intake={"patience": 0.3})) as http:
        await storm(http, 3 * MAX_DISPATCHES)
        dispatcher.hangs = False
        answered, _ = await storm(http, 3 * MAX_DISPATCHES)
    assert answered == {"200": 3 * MAX_DISPATCHES}


async def test_the_answer_says_what_a_request_has_waited_for(client: Client) -> None:
    sources = {"open": {"kind": "generic", "alerts": "items", "unauthenticated": True}}
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch, settings(sources=sources), turn_seconds=0.01) as http:
        body = json.dumps({"items": [{"id": f"{number % 9}"} for number in range(30_000)]}).encode()
        large = await asyncio.gather(*(http.post("/alerts/open", content=body + b" " * number) for number in range(3)))
    assert sorted(answer.status_code for answer in large) == [200, 503, 503]
    waited = {answer.json()["error"] for answer in large if answer.status_code == 503}
    assert waited == {"it waited too long for other large requests, which are read one at a time; send it again"}

    async with running_intake(client, Dispatcher(hangs=True).dispatch) as http:
        small = await asyncio.gather(*(http.post("/alerts/open", content=FIRING) for _ in range(MAX_DISPATCHES + 2)))
    errors = Counter(answer.json()["error"] for answer in small)
    assert errors == {
        "it waited too long for other alerts, which Temporal has not accepted yet; send it again": 2,
        "Temporal did not accept it; send it again": MAX_DISPATCHES,
    }
