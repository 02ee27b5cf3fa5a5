"""Errors of the activity ``ask``: their types, their retry delays, and which are retried."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.ask import ERROR_TYPES, AskActivities
from activities.conversation_cache import ConversationCache
from tests.support.harness import look, run_harness
from tests.support.settings import KEY, build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import (
    ModelRequest,
    ReplyRef,
)
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import ConversationStore, conversation_digest, join_messages
from watchkeeper.llm.errors import ModelErrorReason
from watchkeeper.temporal import activity_options
from watchkeeper.testing.faults import Fault, fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says
from watchkeeper.tool_calling.catalogue import catalogue_digest, encode_tools

REPORT = "Checkout is down."
OUT = fault(503, headers={"retry-after-ms": "10"})
BAD_KEY = fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})
NO_QUOTA = fault(429, {"error": {"message": "top up", "type": "exceeded_current_quota_error"}}, {"retry-after": "1"})


@asynccontextmanager
async def asking(client: Client, model: ScriptedModel) -> AsyncIterator[tuple[AskActivities, ModelRequest]]:
    """The activity, and a request that it can send to a host."""
    opening = [{"role": "user", "content": "Checkout fails."}]
    store = ConversationStore(2**20)
    async with AsyncExitStack() as stack:
        chosen: Settings = build_settings(await stack.enter_async_context(model.serve()))
        endpoint = ModelClient(chosen.model)
        stack.push_async_callback(endpoint.close)
        tools = [look.spec(chosen)]
        store.put(conversation_digest(opening), join_messages(opening))
        store.put(catalogue_digest(tools), encode_tools(tools))
        request = ModelRequest(round=1, base=conversation_digest(opening), append=[], catalogue=catalogue_digest(tools))
        yield AskActivities([endpoint], ConversationCache(client, store)), request


def attempt_environment(attempt: int = 1) -> ActivityEnvironment:
    """Return the environment of an attempt of a call that begins now."""
    environment = ActivityEnvironment()
    environment.info = replace(
        environment.info, attempt=attempt, schedule_to_close_timeout=activity_options.MODEL_RETRY_LIMIT
    )
    return environment


def test_every_reason_has_an_error_type() -> None:
    assert ERROR_TYPES.keys() == set(get_args(ModelErrorReason))


@pytest.mark.parametrize(
    ("trouble", "kind", "retried", "delay"),
    [
        (fault(503), "ModelUnavailable", True, activity_options.FIRST_RETRY_DELAY),
        (fault(503, headers={"retry-after": "7"}), "ModelUnavailable", True, timedelta(seconds=7)),
        (fault(429, headers={"retry-after": "840"}), "ModelUnavailable", True, timedelta(minutes=14)),
        (fault(429, headers={"retry-after": "1000"}), "ModelUnavailable", False, timedelta(seconds=1_000)),
        (fault(429, headers={"retry-after": "86400000"}), "ModelUnavailable", False, timedelta(days=1)),
        (fault(429, headers={"retry-after": "nan"}), "ModelUnavailable", True, activity_options.FIRST_RETRY_DELAY),
        (fault(200, "<html>Welcome</html>"), "ModelUnavailable", True, activity_options.FIRST_RETRY_DELAY),
        (
            fault(400, {"error": {"code": "tool_use_failed", "message": "x"}}),
            "ModelUnavailable",
            True,
            activity_options.FIRST_RETRY_DELAY,
        ),
        (fault(400, {"error": {"message": "tool_choice is bad"}}), "ModelRefused", False, None),
        (
            fault(400, {"error": {"message": "This model's maximum context length is 9"}}),
            "ContextOverflow",
            False,
            None,
        ),
        (fault(400, {"error": {"code": "content_filter", "message": "x"}}), "ContentFiltered", False, None),
        (NO_QUOTA, "ModelQuota", False, None),
        (BAD_KEY, "ModelAuthentication", False, None),
        (fault(404, {"error": {"message": "no such model"}}), "ModelRefused", False, None),
    ],
)
async def test_the_error_of_a_refusal(
    client: Client, trouble: Fault, kind: str, retried: bool, delay: timedelta | None
) -> None:
    model = ScriptedModel([says(REPORT)], key=KEY)
    model.faults.append(trouble)
    async with asking(client, model) as (activities, request):
        with pytest.raises(ApplicationError) as failed:
            await attempt_environment().run(activities.ask, request)
    error = failed.value
    assert (error.type, error.non_retryable, error.next_retry_delay) == (kind, not retried, delay)
    assert len(model.requests) == 1
    assert KEY not in str(error)


@pytest.mark.parametrize(("attempt", "delay"), [(1, 0.01), (3, 0.01), (4, 8), (6, 32), (7, 60), (100, 60)])
async def test_in_a_long_outage_the_delay_is_not_shortened(client: Client, attempt: int, delay: float) -> None:
    model = ScriptedModel([], key=KEY)
    model.faults.append(OUT)
    environment = attempt_environment(attempt)
    async with asking(client, model) as (activities, request):
        with pytest.raises(ApplicationError) as failed:
            await environment.run(activities.ask, request)
    assert failed.value.next_retry_delay == timedelta(seconds=delay)


def test_in_a_long_outage_a_long_delay_is_kept() -> None:
    assert activity_options.model_retry_delay(9, ["one"], timedelta(minutes=5)) == timedelta(minutes=5)
    assert activity_options.model_retry_delay(9, ["one"], None) == timedelta(minutes=1)
    assert activity_options.model_retry_delay(6, ["one", "two"], timedelta(seconds=1)) == timedelta(seconds=1)


@pytest.mark.parametrize(("attempt", "resampled"), [(1, True), (2, True), (3, False)])
async def test_an_empty_reply_is_recorded_after_its_retries(client: Client, attempt: int, resampled: bool) -> None:
    environment = attempt_environment(attempt)
    async with asking(client, ScriptedModel([says(" ")], key=KEY)) as (activities, request):
        if resampled:
            with pytest.raises(ApplicationError, match="neither text nor calls") as failed:
                await environment.run(activities.ask, request)
            assert (failed.value.type, failed.value.non_retryable) == ("EmptyCompletion", False)
        else:
            assert (await environment.run(activities.ask, request)).kind == "empty"


async def test_a_conversation_in_neither_store_nor_history_is_lost(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        run = await harness.start()
        await run.result()
    environment = ActivityEnvironment(client)
    environment.info = replace(environment.info, workflow_id=run.id, workflow_run_id=run.first_execution_run_id)
    async with asking(client, ScriptedModel([], key=KEY)) as (activities, request):
        lost = request.model_copy(update={"append": [ReplyRef(reply="x" * 22)], "round": 2})
        with pytest.raises(
            ApplicationError, match=re.escape(f"no conversation {request.base} in the history")
        ) as failed:
            await environment.run(activities.ask, lost)
    assert (failed.value.type, failed.value.non_retryable) == ("ConversationLost", True)
