"""A primary model and a fallback in every pair of states: which answers, when, and what is recorded if none does.

The activity sends its requests to real hosts. Only the time between two attempts is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.ask import MAY_ANSWER, AskActivities
from activities.conversation_cache import ConversationCache
from tests.support.harness import look
from tests.support.settings import KEY, build_settings
from watchkeeper.contracts import FallbackWindows, JsonObject, ModelRequest
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import ConversationStore, conversation_digest, join_messages
from watchkeeper.temporal.activity_options import MODEL_RETRY_LIMIT
from watchkeeper.testing.faults import Fault, fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says
from watchkeeper.tool_calling.catalogue import catalogue_digest, encode_tools

OPENING: list[JsonObject] = [{"role": "user", "content": "Checkout fails. " * 600}]
"""About 9,600 bytes."""

MINUTE = 60.0
ALWAYS = float("inf")

State = Callable[[float], Fault | None]
"""What a host does with a request at a time, in seconds since the call began; None: it answers."""


def error(status: int, **fields: str) -> Fault:
    return fault(status, {"error": {"message": "no", **fields}})


def busy(seconds: float) -> State:
    """A host that asks to wait until it is available again."""
    return lambda now: fault(429, "slow down", {"retry-after": f"{seconds - now:.0f}"}) if now < seconds else None


def always(trouble: Fault | None) -> State:
    return lambda now: trouble


OK = always(None)
OVERFLOW = always(error(400, code="context_length_exceeded"))
BAD_KEY = always(error(401, code="invalid_api_key"))
NO_QUOTA = always(error(429, type="exceeded_current_quota_error"))
REFUSAL = always(error(400))
FILTER = always(error(400, code="content_filter"))
OUT = always(fault(503))


def out_for(seconds: float) -> State:
    return lambda now: fault(503) if now < seconds else None


PRIMARY: dict[str, State] = {
    "ok": OK,
    "out for 20 s": out_for(20),
    "wait 5 s": busy(5),
    "wait 10 min": busy(10 * MINUTE),
    "wait 2 h": busy(120 * MINUTE),
    "key": BAD_KEY,
    "quota": NO_QUOTA,
    "overflow": OVERFLOW,
}

FALLBACK: dict[str, State] = {
    "ok": OK,
    "overflow": OVERFLOW,
    "refusal": REFUSAL,
    "key": BAD_KEY,
    "out": OUT,
    "filter": FILTER,
}


@dataclass(frozen=True)
class Ending:
    """How a call ended."""

    answer: str
    """The model that answered, or the type of the error."""
    at: float
    """Seconds since the call began."""
    text: str = ""
    may_answer: bool = False
    requests: tuple[int, int] = (0, 0)


PRIMARY_ANSWERS = {"ok": (0, 0), "out for 20 s": (20, 70), "wait 5 s": (5, 5), "wait 10 min": (600, 900)}
"""When the primary model answers if the fallback does not, at the earliest and at the latest."""

FALLBACK_ANSWERS = {"out for 20 s": 7, "wait 10 min": 0, "wait 2 h": 0, "key": 0, "quota": 0, "overflow": 0}
"""When the fallback answers if it can."""


def expected(primary: str, fallback: str) -> tuple[str, float, float]:
    """Return which model answers or which error ends the call, and when at the earliest and at the latest."""
    if fallback == "ok" and primary in FALLBACK_ANSWERS:
        at = FALLBACK_ANSWERS[primary]
        return "fallback", at, at
    if primary == "overflow" or (fallback == "overflow" and primary in ("wait 10 min", "wait 2 h", "key", "quota")):
        return "ContextOverflow", 0, 0
    if primary in PRIMARY_ANSWERS:
        return "primary", *PRIMARY_ANSWERS[primary]
    if fallback == "out":
        return "ModelUnavailable", 13 * MINUTE, 15 * MINUTE
    kinds = {"wait 2 h": "ModelUnavailable", "key": "ModelAuthentication", "quota": "ModelQuota"}
    return kinds[primary], 0, 0


async def call(
    client: Client,
    *states: State,
    windows: FallbackWindows | None = None,
    allowed: timedelta = MODEL_RETRY_LIMIT,
    **fallback_settings: Any,
) -> Ending:
    """Call the models as Temporal does, with simulated time between the attempts."""
    hosts = [ScriptedModel(lambda request: says("Checkout is down."), key=KEY) for _ in states]
    store, tools = ConversationStore(2**20), [look.spec(build_settings())]
    store.put(conversation_digest(OPENING), join_messages(OPENING))
    store.put(catalogue_digest(tools), encode_tools(tools))
    request = ModelRequest(
        round=1,
        base=conversation_digest(OPENING),
        append=[],
        catalogue=catalogue_digest(tools),
        fallback_windows=windows,
    )
    async with AsyncExitStack() as stack:
        endpoints: list[ModelClient] = []
        for host, name in zip(hosts, ("primary", "fallback", "third"), strict=False):
            url = await stack.enter_async_context(host.serve())
            more = fallback_settings if endpoints else {}
            endpoint = ModelClient(build_settings(url, model={"name": name, **more}).model)
            stack.push_async_callback(endpoint.close)
            endpoints.append(endpoint)
        ask, now, attempt = AskActivities(endpoints, ConversationCache(client, store)).ask, 0.0, 0
        while True:
            attempt += 1
            for host, state in zip(hosts, states, strict=True):
                host.outage = state(now)
            environment = ActivityEnvironment()
            at = environment.info.scheduled_time
            environment.info = replace(
                environment.info,
                attempt=attempt,
                schedule_to_close_timeout=allowed,
                started_time=at + timedelta(seconds=now),
            )
            try:
                reply = await environment.run(ask, request)
            except ApplicationError as failed:
                delay = failed.next_retry_delay
                if not failed.non_retryable and delay is not None:
                    now += delay.total_seconds()
                    assert now < allowed.total_seconds(), "Temporal would not start another attempt"
                    continue
                return Ending(failed.type or "", now, str(failed.message), MAY_ANSWER in failed.details, _counts(hosts))
            return Ending(reply.model or "primary", now, requests=_counts(hosts))


def _counts(hosts: list[ScriptedModel]) -> tuple[int, int]:
    first, second, *_ = [*(len(host.requests) for host in hosts), 0]
    return first, second


@pytest.mark.parametrize("fallback", FALLBACK)
@pytest.mark.parametrize("primary", PRIMARY)
async def test_who_answers_and_when(client: Client, primary: str, fallback: str) -> None:
    ending = await call(client, PRIMARY[primary], FALLBACK[fallback])
    answer, earliest, latest = expected(primary, fallback)
    assert ending.answer == answer
    assert earliest <= ending.at <= latest + 0.5


@pytest.mark.parametrize("fallback", ["refusal", "key", "filter"])
async def test_a_wait_that_is_too_long_is_reported_at_once(client: Client, fallback: str) -> None:
    ending = await call(client, PRIMARY["wait 2 h"], FALLBACK[fallback])
    assert "HTTP 429: 'slow down' (it asks to wait until " in ending.text
    assert "; fallback fallback: HTTP 40" in ending.text
    assert ending.text.endswith("; the run cannot wait that long, since a model call may take 15 min")
    assert ending.requests == (1, 1)


async def test_a_wait_of_a_day_needs_no_fallback_to_be_reported_at_once(client: Client) -> None:
    ending = await call(client, busy(86_400 * 3), allowed=timedelta(seconds=50))
    assert (ending.answer, ending.at, ending.requests) == ("ModelUnavailable", 0, (1, 0))
    assert "(it asks to wait for a day or longer)" in ending.text
    assert ending.text.endswith("a model call may take 50 s")


async def test_the_error_of_a_permanent_refusal_names_every_model(client: Client) -> None:
    ending = await call(client, BAD_KEY, REFUSAL)
    assert ending.text.startswith("HTTP 401: no. Check the API key")
    assert ending.text.endswith("; fallback fallback: HTTP 400: no")


# --- context windows of fallbacks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primary", "windows", "answer", "at_most"),
    [
        (out_for(ALWAYS), None, "ContextOverflow", 5 * MINUTE),
        (out_for(ALWAYS), "fit", "ContextOverflow", 7),
        (out_for(ALWAYS), "ignore", "ModelUnavailable", 15 * MINUTE),
        (out_for(8 * MINUTE), "ignore", "primary", 10 * MINUTE),
        (busy(10 * MINUTE), "ignore", "primary", 10 * MINUTE),
        (busy(120 * MINUTE), "ignore", "ModelUnavailable", 0),
    ],
)
async def test_when_the_conversation_is_shortened_for_a_fallback(
    client: Client, primary: State, windows: FallbackWindows | None, answer: str, at_most: float
) -> None:
    ending = await call(client, primary, OVERFLOW, windows=windows)
    assert ending.answer == answer
    assert ending.at <= at_most + 0.5
    assert ending.may_answer == (answer == "ContextOverflow")


@pytest.mark.parametrize("primary", [OVERFLOW, BAD_KEY, NO_QUOTA, FILTER])
async def test_no_other_model_can_answer_a_conversation_that_is_too_long(client: Client, primary: State) -> None:
    ending = await call(client, primary, OVERFLOW)
    assert (ending.answer, ending.may_answer) == ("ContextOverflow", False)


@pytest.mark.parametrize(("tokens", "asked"), [(1_024, 0), (16_000, 1)])
async def test_a_fallback_whose_window_is_too_small_is_not_asked(client: Client, tokens: int, asked: int) -> None:
    ending = await call(client, BAD_KEY, OVERFLOW, context_tokens=tokens)
    assert ending.answer == "ContextOverflow"
    assert ending.requests == (1, asked)
    if not asked:
        assert "fallback fallback: not asked: its context window has 1,024 tokens" in ending.text


async def test_a_third_model_answers_if_the_window_of_the_second_is_too_small(client: Client) -> None:
    ending = await call(client, busy(10 * MINUTE), OVERFLOW, OK)
    assert (ending.answer, ending.at) == ("third", 0)
