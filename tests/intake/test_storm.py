"""A storm: a thousand alerts at once are all answered in time, though Temporal does not."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from httpx2 import AsyncClient
from temporalio.client import Client

from tests.alerts.posting import payload
from tests.intake.raw import exchange, request
from tests.intake.taking import Temporal, settings, taking_in
from tests.intake.test_alerts import STARTED
from watchkeeper.intake.gate import PLACES

FIRING = payload("alertmanager-firing")
REQUEST = request("/alerts/open", f"Content-Length: {len(FIRING)}", "Connection: close", body=FIRING)
STORM = 1_000


async def storm(http: AsyncClient, times: int = STORM) -> tuple[Counter[str], float]:
    """Send so many alerts at once; gives the statuses, and the seconds until all were answered."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(exchange(http, REQUEST) for _ in range(times)))
    return Counter(answer.split()[1] for answer in answers), time.perf_counter() - began


async def test_when_temporal_hangs_a_storm_is_told_to_come_again_in_time(client: Client) -> None:
    temporal = Temporal(hangs=True)
    async with taking_in(client, temporal.admit, settings(intake={"patience": 0.9})) as http:
        answered, took = await storm(http)
        alive = await http.get("/healthz")
    assert answered == {"503": STORM}
    # Beside the patience, what it takes this one process to send and to serve all of them.
    assert took < 0.9 + 6
    assert len(temporal.received) <= 2 * PLACES
    assert alive.status_code == 200


async def test_a_storm_that_temporal_takes_is_accepted(client: Client) -> None:
    temporal = Temporal([STARTED])
    async with taking_in(client, temporal.admit, settings(intake={"patience": 10})) as http:
        answered, _ = await storm(http)
    assert answered == {"200": STORM}
    assert len(temporal.received) == STORM


async def test_after_a_storm_the_places_are_free_again(client: Client) -> None:
    temporal = Temporal([STARTED], hangs=True)
    async with taking_in(client, temporal.admit, settings(intake={"patience": 0.3})) as http:
        await storm(http, 3 * PLACES)
        temporal.hangs = False
        answered, _ = await storm(http, 3 * PLACES)
    assert answered == {"200": 3 * PLACES}
