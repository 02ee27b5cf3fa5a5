"""Bodies with many groups: what Temporal has taken stays taken, and each group counts for itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.alert_requests import posted, source
from tests.support.intake_harness import SENDER, bearer, running_intake, settings
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.source import MAX_BODY_BYTES, ParsedPayload, Source
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject
from watchkeeper.intake.body_dispatch import BodyDispatcher, Delivery, GroupsNotAccepted, body_key
from watchkeeper.runs.dispatch import DispatchResult, RunClosing
from watchkeeper.runs.group_payloads import group_payloads

LIST = source("generic", alerts="items")
AWAY = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
TABLES: dict[str, Any] = {
    "list": {"kind": "generic", "alerts": "items", "unauthenticated": True},
    "token": {"kind": "generic", "alerts": "items", "tokens": [SENDER]},
    "signed": {"kind": "grafana", "secrets": [SENDER]},
}


def body(count: int, first: int = 0) -> bytes:
    return json.dumps({"items": [{"id": f"{number}"} for number in range(first, first + count)]}).encode()


@dataclass
class Temporal:
    """Takes groups one after the other, refuses some, or waits; counts what it took."""

    seconds: float = 0.0
    refuses: set[str] = field(default_factory=set)
    hangs: bool = False
    error: Exception = AWAY
    taken: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    """Groups that were noted as refused."""
    bodies: list[tuple[str, str]] = field(default_factory=list)
    """Bodies that were noted as refused."""

    async def dispatch(self, source: Source[Any], payload: ParsedPayload, received_at: float) -> list[DispatchResult]:
        await asyncio.sleep(self.seconds)
        (title,) = (alert.title for alert in payload.alerts)
        if self.hangs:
            await asyncio.Event().wait()
        if title in self.refuses:
            raise self.error
        self.taken[title] += 1
        return [DispatchResult("started", 1, title, title, workflow_id=workflow_id(payload.alerts[0]), run_id=title)]

    async def dispatch_alerts(
        self, client: Client, settings: Settings, source: Source[Any], payload: ParsedPayload, received_at: float
    ) -> Sequence[DispatchResult]:
        return await self.dispatch(source, payload, received_at)

    async def note_group(self, source: Source[Any], payload: ParsedPayload, *, closing: bool) -> None:
        self.refused += [f"{alert.title}{' (closing)' if closing else ''}" for alert in payload.alerts]

    async def note_body(self, source: Source[Any], problem: str) -> None:
        self.bodies.append((source.name, problem))


@dataclass
class Sender:
    """Sends bodies to a dispatcher, as the route does."""

    temporal: Temporal
    bodies: BodyDispatcher

    async def send(self, sent: bytes, seconds: float = 5.0) -> list[DispatchResult]:
        key = body_key(LIST, sent)
        delivery: Delivery | None = self.bodies.find(key)
        if delivery is None:
            payload = LIST.parse(posted(sent, 1.0))
            groups = group_payloads(payload, LIST.section)
            delivery = self.bodies.begin(key, LIST, payload, groups, 1.0, AsyncExitStack())
        elif delivery.waiting and not delivery.is_running:
            self.bodies.resume(delivery, AsyncExitStack())
        return await self.bodies.wait(delivery, seconds)


def sender(temporal: Temporal, progress: float = 5.0) -> Sender:
    return Sender(temporal, BodyDispatcher(temporal.dispatch, temporal.note_group, progress))


async def test_what_was_taken_is_not_sent_again() -> None:
    temporal = Temporal(seconds=0.02)
    sending, tries = sender(temporal), 0
    while True:
        tries += 1
        try:
            results = await sending.send(body(200), 0.1)
        except GroupsNotAccepted as error:
            assert len(error.results) + len(error.missing) == 200
        else:
            break
    assert tries > 1
    assert len(results) == 200
    assert set(temporal.taken.values()) == {1}
    assert await sending.send(body(200)) and set(temporal.taken.values()) == {2}, "an accepted body is forgotten"


async def test_only_the_refused_groups_are_tried_again_and_noted() -> None:
    temporal = Temporal(refuses={"3", "7"})
    sending = sender(temporal)
    with pytest.raises(GroupsNotAccepted) as error:
        await sending.send(body(10))
    assert (len(error.value.results), error.value.cause) == (8, AWAY)
    assert sorted(temporal.refused) == ["3", "7"]
    temporal.refuses.clear()
    assert len(await sending.send(body(10))) == 10
    assert set(temporal.taken.values()) == {1}


async def test_the_reason_of_a_refused_group_is_its_own() -> None:
    temporal = Temporal(refuses={"3"}, error=RunClosing("the last run is delivering its hand-off"))
    sending = sender(temporal)
    with pytest.raises(GroupsNotAccepted):
        await sending.send(body(5))
    temporal.refuses, temporal.error = {"3", "4"}, AWAY
    with pytest.raises(GroupsNotAccepted):
        await sending.send(body(6))
    assert temporal.refused == ["3 (closing)", "3", "4"]


async def test_a_group_that_a_newer_body_has_dispatched_is_sent_again() -> None:
    temporal = Temporal(refuses={"3"})
    sending = sender(temporal)
    with pytest.raises(GroupsNotAccepted):
        await sending.send(body(4))
    await sending.send(body(1))
    temporal.refuses.clear()
    await sending.send(body(4))
    assert temporal.taken["0"] == 3, "the first body, the newer one, and again: it may have changed in between"


async def test_a_dispatch_without_progress_ends() -> None:
    temporal = Temporal(hangs=True)
    sending = sender(temporal, progress=0.1)
    with pytest.raises(GroupsNotAccepted) as error:
        await sending.send(body(20), 0.05)
    assert len(error.value.missing) == len(temporal.refused) == 20
    await asyncio.sleep(0.3)
    delivery = sending.bodies.find(body_key(LIST, body(20)))
    assert delivery is not None and not delivery.is_running
    temporal.hangs = False
    assert len(await sending.send(body(20))) == 20


async def test_a_single_group_is_not_dispatched_after_its_answer() -> None:
    temporal = Temporal(hangs=True)
    sending = sender(temporal)
    with pytest.raises(GroupsNotAccepted):
        await sending.send(body(1), 0.05)
    assert sending.bodies.find(body_key(LIST, body(1))) is None
    assert temporal.refused == ["0"]


async def test_a_bug_is_raised() -> None:
    temporal = Temporal(refuses={"3"}, error=LookupError("of our own"))
    with pytest.raises(LookupError):
        await sender(temporal).send(body(5))


async def post(http: AsyncClient, path: str, content: bytes, headers: dict[str, str] | None = None) -> JsonObject:
    answer = await http.post(f"/alerts/{path}", content=content, headers=headers)
    return {**answer.json(), "code": answer.status_code}


async def test_five_hundred_groups_are_taken_within_a_few_tries(client: Client) -> None:
    temporal, answers = Temporal(seconds=0.05), list[JsonObject]()
    async with running_intake(
        client, temporal.dispatch_alerts, settings(sources=TABLES, intake={"patience": 0.3}), refused=temporal
    ) as http:
        while not answers or answers[-1]["code"] == 503:
            answers.append(await post(http, "list", body(500)))
            await asyncio.sleep(0.5)
    *refused, accepted = answers
    assert 1 <= len(refused) < 20
    assert (accepted["code"], len(accepted["runs"])) == (200, 500)
    assert temporal.taken.total() == 500
    assert refused[-1]["error"].endswith("of 500 groups; send the same body again for the rest")
    assert refused[-1]["missing"] and len(refused[-1]["accepted"]) <= 100
    assert refused[-1]["accepted"][0]["outcome"] == "started"


async def test_a_body_that_will_not_be_sent_again_is_noted(client: Client) -> None:
    temporal = Temporal()
    large = b" " * (MAX_BODY_BYTES + 1)
    async with running_intake(client, temporal.dispatch_alerts, settings(sources=TABLES), refused=temporal) as http:
        too_many = await post(http, "token", body(10_001), bearer(SENDER))
        answers = [
            await post(http, "list", large),
            await post(http, "token", large, bearer(SENDER)),
            await post(http, "signed", large),
        ]
    assert too_many["code"] == 413
    assert "holds more than 5,000 groups of alerts" in too_many["error"]
    assert [answer["code"] for answer in answers] == [413, 413, 413]
    assert [name for name, _ in temporal.bodies] == ["token", "list", "token"], "a signature cannot be checked"
