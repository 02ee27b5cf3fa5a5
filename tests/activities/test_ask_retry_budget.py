"""Retries during fifteen minutes without a model, on a time-skipping server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.ask import AskActivities
from activities.conversation_cache import ConversationCache
from tests.support.harness import look
from tests.support.settings import KEY, build_settings
from watchkeeper.contracts import Briefing, JsonObject, Limits, ModelReply, ModelRequest
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import ConversationStore, conversation_digest, join_messages
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.faults import Fault, fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.tool_calling.catalogue import catalogue_digest, encode_tools

OPENING: list[JsonObject] = [{"role": "user", "content": "Checkout fails."}]
BRIEFING = Briefing(
    opening=OPENING,
    tools=[],
    catalogue="x" * 22,
    limits=Limits(rounds=1, tool_calls=1, tokens=1, duration=3_600),
    model="scripted",
    model_deadline=120,
    history=activity_options.HISTORY_BOUNDS,
    destinations=["log"],
    nudge="",
    conclude="",
)


@workflow.defn(sandboxed=False)
class Asking:
    """One model call, with the activity options of every run."""

    @workflow.run
    async def run(self, request: ModelRequest) -> ModelReply:
        return await workflow.execute_activity_method(
            AskActivities.ask, request, **activity_options.model_options(BRIEFING, timedelta(hours=1))
        )


@pytest.fixture(scope="module")
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A client of a time-skipping server."""
    binary = shutil.which("temporal-test-server", path=str(Path(sys.executable).parent))
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary, data_converter=DATA_CONVERTER
    ) as environment:
        yield environment


async def call_unreachable_hosts(
    time_skipping: WorkflowEnvironment, *hosts: ScriptedModel
) -> tuple[str | None, timedelta]:
    """Call hosts that do not answer; return the type of the error and when the call failed."""
    client: Client = time_skipping.client
    async with AsyncExitStack() as stack:
        profiles = [build_settings(await stack.enter_async_context(host.serve())).model for host in hosts]
        endpoints = [ModelClient(profile) for profile in profiles]
        for endpoint in endpoints:
            stack.push_async_callback(endpoint.close)
        store, tools = ConversationStore(2**20), [look.spec(build_settings())]
        store.put(conversation_digest(OPENING), join_messages(OPENING))
        store.put(catalogue_digest(tools), encode_tools(tools))
        request = ModelRequest(round=1, base=conversation_digest(OPENING), append=[], catalogue=catalogue_digest(tools))
        ask = AskActivities(endpoints, ConversationCache(client, store)).ask
        queue = f"test-{uuid4().hex[:8]}"
        async with Worker(client, task_queue=queue, workflows=[Asking], activities=[ask]):
            run = await client.start_workflow(Asking.run, request, id=queue, task_queue=queue)
            with pytest.raises(WorkflowFailureError) as failed:
                await run.result()
            history = await run.fetch_history()
    took = history.events[-1].event_time.ToDatetime() - history.events[0].event_time.ToDatetime()
    error = failed.value.cause
    assert isinstance(error, ActivityError)
    assert isinstance(error.cause, ApplicationError)
    return error.cause.type, took


def out(trouble: Fault) -> ScriptedModel:
    host = ScriptedModel([], key=KEY)
    host.outage = trouble
    return host


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({}, 18, 22),
        ({"retry-after-ms": "10"}, 18, 24),
        ({"retry-after": "240"}, 4, 4),
        ({"retry-after": "600"}, 2, 2),
        ({"retry-after": "86400"}, 1, 1),
    ],
    ids=["no word", "at once", "four minutes", "ten minutes", "a day"],
)
async def test_an_unreachable_host_is_retried_for_fifteen_minutes(
    time_skipping: WorkflowEnvironment, headers: dict[str, str], least: int, most: int
) -> None:
    host = out(fault(503, headers=headers))
    kind, took = await call_unreachable_hosts(time_skipping, host)
    assert kind == "ModelUnavailable"
    assert took <= activity_options.MODEL_RETRY_LIMIT
    assert least <= len(host.requests) <= most


async def test_unreachable_hosts_are_used_in_turn(time_skipping: WorkflowEnvironment) -> None:
    hosts = out(fault(503)), out(fault(529))
    kind, took = await call_unreachable_hosts(time_skipping, *hosts)
    first, second = (len(host.requests) for host in hosts)
    assert kind == "ModelUnavailable"
    assert timedelta(minutes=13) < took <= activity_options.MODEL_RETRY_LIMIT
    assert first + second >= 18
    assert abs(first - second) <= activity_options.MODEL_ATTEMPTS_PER_PROFILE


async def test_hosts_that_refuse_permanently_are_asked_once(time_skipping: WorkflowEnvironment) -> None:
    hosts = out(fault(401)), out(fault(429, {"error": {"type": "exceeded_current_quota_error", "message": "spent"}}))
    kind, _ = await call_unreachable_hosts(time_skipping, *hosts)
    assert kind == "ModelAuthentication"
    assert [len(host.requests) for host in hosts] == [1, 1]
