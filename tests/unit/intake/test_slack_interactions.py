"""Button presses in Slack: verified, answered at once, and sent to the run."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from httpx2 import AsyncClient, Response
from pydantic import SecretStr
from temporalio.client import Client

from tests.support.harness import Harness, Run, run_harness, until_waiting
from tests.support.intake_harness import SOURCES, Dispatcher, running_intake
from tests.support.intake_harness import settings as intake_settings
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.config.settings import Settings
from watchkeeper.run_view.follow import read_run
from watchkeeper.slack import interactions
from watchkeeper.slack.interactions import ButtonPress
from watchkeeper.slack.status_message import APPROVE
from watchkeeper.testing.scripts import calls, says

SECRET = "signing-secret"
RESTART = ("restart", {"service": "checkout"})


class PressReader:
    """Reads button presses from plain JSON, verified by a header."""

    def verify(self, headers: Mapping[str, str], body: bytes, secret: SecretStr, now: float) -> None:
        if headers.get("x-proof") != secret.get_secret_value() or now < 1e9:
            raise VerificationError("it shows no proof")

    def read_button_press(self, body: bytes) -> ButtonPress | None:
        if not body:
            return None
        try:
            return ButtonPress(**{"approved": True, "by": "grace", **json.loads(body)})
        except ValueError:
            raise MalformedPayload("the body is not JSON") from None


def settings(harness: Harness | None = None, secret: str | None = SECRET) -> Settings:
    tables = {"slack": {"signing_secret": secret}} if secret else {}
    queue = {"task_queue": harness.settings.worker.task_queue} if harness else {}
    return intake_settings(sources=SOURCES, worker=queue, **tables)


async def press(http: AsyncClient, run: str, execution: str, call: str = "r1.0", **more: object) -> Response:
    body = {"run": run, "execution": execution, "call": call, **more}
    return await http.post("/slack/interactions", content=json.dumps(body), headers={"x-proof": SECRET})


async def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in caplog.text:
            await asyncio.sleep(0.02)


def first(run: Run) -> str:
    return run.first_execution_run_id or ""


async def test_a_button_press_decides(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="watchkeeper")
    async with (
        run_harness(client, [calls(RESTART), says("Restarted.")]) as harness,
        running_intake(client, Dispatcher().dispatch, settings(harness), interactions=PressReader()) as http,
    ):
        run = await harness.start()
        await until_waiting(run, "r1.0")
        answer = await press(http, run.id, first(run))
        await run.result()
        story = await read_run(client, run.id)
        again = await press(http, run.id, first(run), approved=False)
        await until_logged(caplog, "which was not accepted")
    assert (answer.status_code, again.status_code) == (200, 200)
    assert harness.effects.restarts == ["checkout"]
    assert [(act.kind, act.by) for act in story.actions] == [("decide", "grace")]
    assert f"grace approves r1.0 of {run.id} in Slack: r1.0 approved" in caplog.text
    assert f"grace denies r1.0 of {run.id} in Slack, which was not accepted: {run.id} has ended" in caplog.text


async def test_a_button_press_in_slacks_format_decides(client: Client) -> None:
    async with (
        run_harness(client, [calls(RESTART), says("Restarted.")]) as harness,
        running_intake(client, Dispatcher().dispatch, settings(harness), interactions=interactions) as http,
    ):
        run = await harness.start()
        await until_waiting(run, "r1.0")
        value = json.dumps({"run": run.id, "execution": first(run), "call": "r1.0"})
        interaction = {
            "type": "block_actions",
            "user": {"name": "grace"},
            "actions": [{"action_id": APPROVE, "value": value}],
        }
        body = urlencode({"payload": json.dumps(interaction)})
        at = f"{time.time():.0f}"
        signature = hmac.new(SECRET.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={signature}"}
        forged = await http.post("/slack/interactions", content=body + "&a=b", headers=headers)
        answer = await http.post("/slack/interactions", content=body, headers=headers)
        await run.result()
    assert (forged.status_code, answer.status_code) == (401, 200)
    assert harness.effects.restarts == ["checkout"]


async def test_a_button_of_an_earlier_run_does_not_decide_in_a_later_one(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        run_harness(client, [calls(RESTART), says("Fine.")]) as harness,
        running_intake(client, Dispatcher().dispatch, settings(harness), interactions=PressReader()) as http,
    ):
        run = await harness.start()
        await until_waiting(run, "r1.0")
        answer = await press(http, run.id, "00000000-0000-0000-0000-000000000000")
        await until_logged(caplog, "it belongs to an earlier run")
        await until_waiting(run, "r1.0")
        await run.terminate()
    assert answer.status_code == 200
    assert harness.effects.restarts == []


async def test_it_is_answered_before_the_run_has_decided(client: Client) -> None:
    async with run_harness(client, [calls(RESTART)]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
    async with (
        running_intake(client, Dispatcher().dispatch, settings(harness), interactions=PressReader()) as http,
        asyncio.timeout(3),
    ):
        answer = await press(http, run.id, first(run))  # and no worker is there
        await run.terminate()
    assert (answer.status_code, answer.json()) == (200, {})


async def test_other_interactions_are_ignored(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch, settings(), interactions=PressReader()) as http:
        answer = await http.post("/slack/interactions", headers={"x-proof": SECRET})
    assert (answer.status_code, answer.json()) == (200, {})


async def test_an_unverified_request_is_refused(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch, settings(), interactions=PressReader()) as http:
        forged = await http.post("/slack/interactions", content=b"{", headers={"x-proof": "guessed"})
        broken = await http.post("/slack/interactions", content=b"{", headers={"x-proof": SECRET})
    assert (forged.status_code, forged.json()) == (
        401,
        {"error": "the signature of Slack is missing, wrong or too old"},
    )
    assert (broken.status_code, broken.json()) == (400, {"error": "the body is not JSON"})


async def test_without_a_signing_secret_the_route_answers_404(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch, settings(secret=None), interactions=PressReader()) as http:
        answer = await http.post("/slack/interactions", content=b"{}", headers={"x-proof": ""})
    async with running_intake(client, Dispatcher().dispatch, settings()) as http:
        nowhere = await http.post("/slack/interactions", content=b"{}", headers={"x-proof": SECRET})
    assert (answer.status_code, nowhere.status_code) == (404, 404)
