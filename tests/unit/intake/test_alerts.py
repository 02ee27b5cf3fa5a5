"""Responses to alert sources: 2xx only after Temporal has the alerts, and 4xx only for errors of the sender."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.alert_requests import payload
from tests.support.intake_harness import SENDER, Dispatcher, bearer, running_intake, settings
from tests.support.settings import build_settings
from watchkeeper.contracts import JsonObject
from watchkeeper.runs.client import find_run
from watchkeeper.runs.dispatch import DispatchResult, RunClosing, dispatch_alerts

FIRING = payload("alertmanager-firing")
STARTED = DispatchResult("started", 1, "group", "HighErrorRate", workflow_id="alert-prom-x", run_id="run-1")
IGNORED = DispatchResult("ignored", 2, "group", "Quiet", reason="its severity starts no run")


async def post(
    http: AsyncClient, source: str, content: bytes = FIRING, headers: dict[str, str] | None = None
) -> Response:
    return await http.post(f"/alerts/{source}", content=content, headers=headers)


async def scraped(http: AsyncClient) -> str:
    return (await http.get("/metrics")).text


async def test_alerts_that_temporal_has_are_accepted(client: Client) -> None:
    dispatcher = Dispatcher([STARTED, IGNORED])
    async with running_intake(client, dispatcher.dispatch) as http:
        answer = await post(http, "prom", headers=bearer(SENDER))
        metrics = await scraped(http)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "accepted",
        "runs": [
            {
                "run": "alert-prom-x",
                "run_id": "run-1",
                "outcome": "started",
                "alerts": 1,
                "service": None,
                "unknown_service": None,
            }
        ],
        "ignored": [{"reason": "its severity starts no run", "alerts": 2}],
    }
    ((source, received, at),) = dispatcher.received
    assert (source, len(received.alerts)) == ("prom", 1)
    assert abs(at - time.time()) < 10
    assert 'watchkeeper_intake_alerts_total{outcome="started",reason="",source="prom"} 1.0' in metrics
    assert (
        'watchkeeper_intake_alerts_total{outcome="ignored",reason="its severity starts no run",source="prom"} 2.0'
        in metrics
    )
    assert 'watchkeeper_intake_requests_total{code="200",source="prom"} 1.0' in metrics
    assert 'watchkeeper_intake_seconds_count{source="prom"} 1.0' in metrics


async def test_what_the_sender_should_correct_is_named_and_counted(client: Client) -> None:
    alerts = [{"id": "1", "severity": "purple", "startsAt": "never"}, {"id": "2", "severity": "urgent"}]
    table = {"plain": {"kind": "generic", "alerts": "items", "unauthenticated": True}}
    configured = build_settings(sources=table)
    async with running_intake(client, Dispatcher([STARTED]).dispatch, configured) as http:
        answer = await post(http, "plain", json.dumps({"items": alerts}).encode())
        metrics = await scraped(http)
    time_note, severity_note = answer.json()["notes"]
    assert time_note == 'starts_at: "never" is no time that can be read, so it counts as missing'
    assert severity_note.startswith("the severity 'purple' is not known, so it counts as serious")
    assert 'watchkeeper_intake_unknown_severities_total{source="plain"} 1.0' in metrics


async def test_a_service_that_the_catalogue_does_not_name_is_said(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = replace(STARTED, alerts=2, unknown_service="billing")
    async with running_intake(client, Dispatcher([unknown]).dispatch) as http:
        answer = await post(http, "prom", headers=bearer(SENDER))
        metrics = await scraped(http)
    (run,) = answer.json()["runs"]
    assert (run["service"], run["unknown_service"]) == (None, "billing")
    assert "the catalogue does not name the service 'billing' of alerts from 'prom'" in caplog.text
    assert 'watchkeeper_intake_unknown_service_alerts_total{source="prom"} 2.0' in metrics


async def test_put_is_accepted_like_post(client: Client) -> None:
    async with running_intake(client, Dispatcher([STARTED]).dispatch) as http:
        answer = await http.put("/alerts/open", content=FIRING)
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")


async def test_alerts_that_concern_no_run_are_ignored_with_a_reason(client: Client) -> None:
    async with running_intake(client, Dispatcher([IGNORED]).dispatch) as http:
        answer = await post(http, "open")
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "ignored",
        "ignored": [{"reason": "its severity starts no run", "alerts": 2}],
    }


def signed(body: bytes) -> dict[str, str]:
    return {"x-pagerduty-signature": f"v1={hmac.new(SENDER.encode(), body, hashlib.sha256).hexdigest()}"}


async def test_an_unknown_event_is_ignored_without_temporal(client: Client) -> None:
    body = json.dumps({"event": {"id": "1", "event_type": "service.updated", "data": {"type": "service"}}}).encode()
    dispatcher = Dispatcher()
    async with running_intake(client, dispatcher.dispatch) as http:
        answer = await post(http, "signed", body, signed(body))
    assert answer.status_code == 202, answer.text
    assert answer.json()["ignored"][0]["reason"]
    assert dispatcher.received == []


@pytest.mark.parametrize(
    ("source", "headers", "challenge"),
    [
        ("prom", {}, 'Bearer realm="watchkeeper"'),
        ("prom", bearer("another"), 'Bearer realm="watchkeeper"'),
        ("door", bearer(SENDER), 'Basic realm="watchkeeper"'),
        ("signed", {}, None),
        ("signed", signed(b"another body"), None),
    ],
)
async def test_an_unverified_request_is_refused_without_a_reason(
    client: Client, caplog: pytest.LogCaptureFixture, source: str, headers: dict[str, str], challenge: str | None
) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch) as http:
        answer = await post(http, source, headers=headers)
        metrics = await scraped(http)
    assert (answer.status_code, dispatcher.received) == (401, [])
    assert answer.headers.get("www-authenticate") == challenge
    assert answer.json() == {"error": "the credentials or the signature of the source are missing or wrong"}
    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert repr(source) in line
    assert SENDER not in caplog.text
    counted = f'watchkeeper_intake_alerts_total{{outcome="refused",reason="unverified",source="{source}"}} 1.0'
    assert counted in metrics


async def test_the_response_says_where_a_body_is_malformed(client: Client) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch) as http:
        broken = await post(http, "open", FIRING[:-20])
        strange = await post(http, "open", b'{"version":"4","alerts":[{"labels":7}]}')
    assert (broken.status_code, strange.status_code, dispatcher.received) == (400, 400, [])
    assert "not JSON at byte" in broken.json()["error"]
    assert "alerts[0]" in strange.json()["error"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_sender_may_append_the_id_of_the_alert(client: Client, method: str) -> None:
    sources = {
        "vrops": {"kind": "vrealize", "tokens": [SENDER]},
        "json": {"kind": "generic", "tokens": [SENDER]},
    }
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch, settings(sources=sources)) as http:
        answers = [
            await http.request(method, f"/alerts/{path}", content=payload("vrealize"), headers=bearer(SENDER))
            for path in ("vrops", "vrops/66666666-7777", "json/66666666-7777", "vrops/a/b")
        ]
        stranger = await http.request(method, "/alerts/vrops/66666666-7777", content=payload("vrealize"))
        metrics = await scraped(http)
    expected = 201 if method == "POST" else 202  # vRealize counts every other status as a failure
    assert [answer.status_code for answer in answers] == [expected, expected, 404, 404]
    assert {answer.json()["status"] for answer in answers[:2]} == {"accepted"}
    assert stranger.status_code == 401
    assert f'watchkeeper_intake_requests_total{{code="{expected}",source="vrops"}} 2.0' in metrics


async def test_an_unknown_source_does_not_reveal_the_known_ones(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = [await post(http, name) for name in ("nobody", "Prom", "prom%2f..", "a" * 3_000)]
        deeper = await http.post("/alerts/prom/more", content=FIRING)
        metrics = await scraped(http)
    assert [answer.status_code for answer in answers] == [404] * 4
    assert deeper.status_code == 404
    assert not any(name in answer.text for name in ("prom", "door", "signed") for answer in answers)
    assert "nobody" not in metrics
    assert 'watchkeeper_intake_requests_total{code="404",source=""} 5.0' in metrics


async def test_405_lists_the_allowed_methods(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.get("/alerts/prom")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, PUT")
    assert answer.json() == {"error": "GET is not served here"}


@pytest.mark.parametrize(
    "error",
    [
        RPCError("away", RPCStatusCode.UNAVAILABLE, b""),
        RPCError("no rights", RPCStatusCode.PERMISSION_DENIED, b""),
        RPCError("busy", RPCStatusCode.RESOURCE_EXHAUSTED, b""),
        TimeoutError(),
        RunClosing("the latest run is closing"),
    ],
)
async def test_alerts_that_temporal_did_not_accept_are_answered_503(client: Client, error: Exception) -> None:
    async with running_intake(client, Dispatcher(error=error).dispatch) as http:
        answer = await post(http, "open")
        metrics = await scraped(http)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    closing = isinstance(error, RunClosing)
    assert answer.json() == {"error": str(error) if closing else "Temporal did not accept it; send it again"}
    assert 'outcome="refused",reason="not taken",source="open"} 1.0' in metrics


async def test_a_bug_is_answered_500_with_a_sentence(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    async with running_intake(client, Dispatcher(error=LookupError("of our own")).dispatch) as http:
        answer = await post(http, "open")
        metrics = await scraped(http)
    assert (answer.status_code, answer.json()) == (500, {"error": "an error in Watchkeeper; see its log"})
    assert 'watchkeeper_intake_requests_total{code="500",source="open"} 1.0' in metrics
    assert "LookupError: of our own" in caplog.text


async def test_a_slow_temporal_costs_at_most_the_time_limit(client: Client) -> None:
    chosen = settings(intake={"patience": 0.3})
    async with running_intake(client, Dispatcher(hangs=True).dispatch, chosen) as http:
        began = time.perf_counter()
        answer = await post(http, "open")
    assert answer.status_code == 503
    assert 0.3 <= time.perf_counter() - began < 1.5


async def test_a_large_body_is_read_whole(client: Client) -> None:
    dispatcher = Dispatcher([STARTED])
    (alert,) = json.loads(FIRING)["alerts"]
    large: JsonObject = {**json.loads(FIRING), "alerts": [alert | {"fingerprint": f"{n}"} for n in range(200)]}
    body = json.dumps(large).encode()
    assert 64 * 2**10 < len(body) <= 256 * 2**10
    async with running_intake(client, dispatcher.dispatch) as http:
        answer = await post(http, "open", body)
    assert answer.status_code == 200, answer.text
    assert len(dispatcher.received[0][1].alerts) == 200


async def test_an_alert_starts_a_run_and_its_repetition_joins_it(client: Client) -> None:
    queue: dict[str, Any] = build_settings("http://127.0.0.1:1").worker.model_dump()
    group = f"group-{queue['task_queue']}"
    body = json.dumps({**json.loads(FIRING), "groupKey": group}).encode()
    async with running_intake(client, dispatch_alerts, settings(worker=queue)) as http:
        first = (await post(http, "open", body)).json()["runs"]
        second = (await post(http, "open", body)).json()["runs"]
    assert [run["outcome"] for run in first + second] == ["started", "joined"]
    assert first[0]["run_id"] == second[0]["run_id"]
    found = await find_run(client, first[0]["run"])
    assert (found.run_id, found.status) == (first[0]["run_id"], "running")
    await client.get_workflow_handle(found.workflow_id).terminate()


async def test_no_log_line_holds_a_secret(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_intake(client, Dispatcher([STARTED]).dispatch) as http:
        await http.post("/alerts/prom?token=in-the-address", content=FIRING, headers=bearer(SENDER))
    ours = [record for record in caplog.records if not record.name.startswith(("httpx2", "httpcore2"))]
    assert any("started from 'prom'" in record.getMessage() for record in ours)
    assert not any(secret in record.getMessage() for record in ours for secret in (SENDER, "in-the-address"))
