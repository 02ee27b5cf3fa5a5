"""Streamed model calls of real runs: what is sent, what is recorded, and what a broken stream costs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.harness import failure, model_text, replies, run_harness
from watchkeeper.run_view.pending_work import PendingWork
from watchkeeper.runs.client import describe_run
from watchkeeper.testing import faults
from watchkeeper.testing.faults import Fault, fault
from watchkeeper.testing.host_rules import HostRule
from watchkeeper.testing.request_refused import RequestRefused
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import calls, says

LOOK = ("look", {"service": "checkout"})
REPORT = "Checkout is down: café 😀."
STREAM: dict[str, Any] = {"stream": True, "stream_idle": 1}
SCRIPT = [calls(LOOK, ("look", {"service": "payments"}), reasoning="Both."), says(REPORT)]


async def test_a_streamed_run_records_the_same_replies(client: Client) -> None:
    recorded = []
    for keys in ({}, STREAM):
        async with run_harness(client, SCRIPT, model=keys) as harness:
            run = await harness.start()
            result = await run.result()
            recorded.append(await replies(client, run))
            requests = [request.json() for request in harness.model.requests]
        assert (result.status, model_text(result.report), result.rounds) == ("concluded", REPORT, 2)
        assert [request.get("stream") for request in requests] == [keys.get("stream", False)] * 2
        assert harness.model.prefix_violations() == []
    whole, streamed = ([reply.model_dump(exclude={"trace_id", "usage"}) for reply in one] for one in recorded)
    assert streamed == whole
    assert [reply.usage.estimated for reply in recorded[1]] == [False, False]
    assert requests[0]["stream_options"] == {"include_usage": True}


BROKEN: dict[str, Fault] = {
    "ended": faults.cut_stream(3),
    "reset": faults.cut_stream(3, reset=True),
    "reset before the first event": faults.cut_stream(0, reset=True),
    "silent": faults.pause_stream(3),
    "garbage": faults.garble_stream(3),
    "an error": faults.garble_stream(3, b'data: {"error":{"message":"overloaded","code":503}}\n\n'),
    "an error event": faults.garble_stream(3, b"event: error\ndata: the engine died\n\n"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("broken_round", [0, 1])
async def test_a_broken_stream_is_a_failed_attempt(client: Client, kind: str, broken_round: int) -> None:
    async with run_harness(client, SCRIPT, model=STREAM) as harness:
        harness.model.faults.extend([*[lambda app: app] * broken_round, BROKEN[kind]])
        run = await harness.start()
        result = await run.result()
        recorded = await replies(client, run)
    sent = [request.body for request in harness.model.requests]
    assert (result.status, model_text(result.report), result.rounds) == ("concluded", REPORT, 2)
    assert len(sent) == 3
    assert sent[broken_round] == sent[broken_round + 1]
    assert [len(reply.calls) for reply in recorded] == [2, 0]
    assert result.tool_calls == 2


async def test_streams_that_always_break_off_end_the_run_with_the_reason(client: Client) -> None:
    async with run_harness(client, SCRIPT, model=STREAM, limits={"duration": 5}) as harness:
        harness.model.outage = faults.cut_stream(3)
        kind, message, _ = await failure(await harness.start())
    assert kind == "ModelUnavailable"
    assert "the stream broke off after 9 characters: it ended without a finish_reason and without [DONE]" in message


async def test_the_deadline_is_that_of_the_whole_stream(client: Client) -> None:
    async with run_harness(client, [says("a b c d e f g h")], model={"stream": True, "deadline": 0.5}) as harness:
        harness.model.faults.append(lambda app: slow(app))
        started = time.monotonic()
        result = await (await harness.start()).result()
    assert (result.status, len(harness.model.requests)) == ("concluded", 2)
    assert time.monotonic() - started < 20


def slow(app: Any) -> Any:
    """Send one byte every 0.2 seconds, so that no idle time passes."""
    return faults.drip(b": wait\n\n" * 100, 0.2, "text/event-stream")(app)


def no_field(text: str, *path: str) -> HostRule:
    """Refuse a field with the error text of a real host."""

    def rule(request: dict[str, Any]) -> None:
        found: Any = request
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found:
            raise RequestRefused(text, path[-1])

    return rule


def mistral(request: dict[str, Any]) -> None:
    if "include_usage" in request.get("stream_options", {}):
        extra = {
            "type": "extra_forbidden",
            "loc": ["body", "stream_options", "include_usage"],
            "msg": "Extra inputs are not permitted",
            "input": True,
        }
        body = {"object": "error", "message": {"detail": [extra]}, "type": "invalid_request_error"}
        raise RequestRefused("Extra inputs are not permitted", status=422, body=body)


GROQ = "property 'stream_options' is unsupported, did you mean 'stream'?"
REFUSED: dict[str, tuple[HostRule, list[str]]] = {
    "Groq": (no_field(GROQ, "stream_options"), ["stream"]),
    "Mistral": (mistral, ["stream"]),
    "no stream": (no_field("Unsupported parameter: 'stream' is not supported with this model.", "stream"), []),
    "neither": (no_field("Unrecognized request argument supplied: stream", "stream"), []),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_a_host_refuses_is_learnt(client: Client, kind: str) -> None:
    rule, accepted = REFUSED[kind]
    model = ScriptedModel(SCRIPT, key="harness-key", rules=[rule])
    async with model.serve() as url, run_harness(client, [], model={**STREAM, "base_url": url}) as harness:
        for _ in range(2):
            result = await (await harness.start()).result()
            assert (result.status, model_text(result.report)) == ("concluded", REPORT)
    fields = [sorted(request.json().keys() & {"stream", "stream_options"}) for request in model.requests]
    assert fields[0] == ["stream", "stream_options"]
    assert fields[-4:] == [accepted] * 4
    assert len(fields) <= 6


def unasked(app: Any) -> Any:
    """Answer with a stream although the request asks for none."""
    chunks = [{"delta": {"content": REPORT[:9]}}, {"delta": {"content": REPORT[9:]}, "finish_reason": "stop"}]
    events = b"".join(f"data: {json.dumps({'choices': [chunk]})}\n\n".encode() for chunk in chunks)
    return faults.raw_body(events, "text/event-stream")(app)


def whole(app: Any) -> Any:
    """Answer with a completion although the request asks for a stream."""
    completion = {"choices": [{"message": {"role": "assistant", "content": REPORT}, "finish_reason": "stop"}]}
    return fault(200, completion)(app)


@pytest.mark.parametrize(("answer", "keys"), [(unasked, {}), (whole, STREAM)], ids=["stream", "no stream"])
async def test_a_host_may_answer_in_the_other_form(
    client: Client, answer: Callable[[Any], Any], keys: dict[str, Any]
) -> None:
    async with run_harness(client, [], model=keys) as harness:
        harness.model.outage = answer
        result = await (await harness.start()).result()
    assert (result.status, model_text(result.report)) == ("concluded", REPORT)
    assert result.usage.estimated


async def test_a_heartbeat_says_how_much_the_model_has_written(client: Client) -> None:
    model = ScriptedModel([says("word " * 200)], key="harness-key", pace=6.0)
    async with model.serve() as url, run_harness(client, [], model={**STREAM, "base_url": url}) as harness:
        run = await harness.start()
        seen: list[int] = []
        while len(set(seen)) < 3:
            pending = PendingWork()
            pending.update(await describe_run(client, run.id), 0.0)
            seen += [attempt.written for attempt in pending.attempts.values() if attempt.written]
            await asyncio.sleep(0.2)
        assert (await run.result()).status == "concluded"
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] <= 1_000
