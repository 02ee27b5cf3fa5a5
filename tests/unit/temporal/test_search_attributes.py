"""Registration of search attributes, and the errors if it is not possible."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from tests.support.forbidding_server import forbidding
from tests.support.harness import Run, run_harness, until_asked
from tests.support.settings import build_settings
from watchkeeper.contracts import RunInput
from watchkeeper.run_view.follow import follow_run
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.client import DATA_CONVERTER, TemporalError, connect, ensure_search_attributes, indexed_type
from watchkeeper.testing.faults import delay
from watchkeeper.testing.scripts import says

OURS = {key.name: indexed_type(key) for key in search_attributes.ALL}
KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
NOBODY = build_settings("http://127.0.0.1:9")


@pytest.fixture
async def bare(client: Client) -> Client:
    """A client of a namespace without our search attributes."""
    request = RegisterNamespaceRequest(namespace=f"bare-{uuid4().hex[:8]}")
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(request)
    return Client(client.service_client, namespace=request.namespace, data_converter=DATA_CONVERTER)


async def known(client: Client) -> dict[str, IndexedValueType.ValueType]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    return dict((await client.operator_service.list_search_attributes(request)).custom_attributes)


async def register(client: Client, kind: IndexedValueType.ValueType, *names: str) -> None:
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(names, kind))
    )


async def test_a_worker_registers_them(bare: Client) -> None:
    assert await known(bare) == {}
    async with run_harness(bare, []):
        assert await known(bare) == OURS


async def test_a_client_that_starts_a_run_registers_them_too(bare: Client) -> None:
    found = await runs_client.start_run(bare, RunInput(text="Why?", service="checkout"), NOBODY)
    assert await known(bare) == OURS
    assert (await runs_client.find_run(bare, found.workflow_id)).service == "checkout"


async def test_the_longest_value_can_be_searched(bare: Client) -> None:
    longest = "\N{FIRE}" * 150  # each is written as twelve bytes, of at most 2,048
    run_input = RunInput(text="Why?", service=longest, severity=longest)
    found = await runs_client.start_run(bare, run_input, NOBODY)
    async with asyncio.timeout(30):
        while not (listed := [run async for run in runs_client.list_runs(bare, RunFilter(service=longest))]):
            await asyncio.sleep(0.1)
    assert [(run.workflow_id, run.severity) for run in listed] == [(found.workflow_id, longest)]


async def test_missing_attributes_are_added(bare: Client) -> None:
    await register(bare, KEYWORD, search_attributes.OUTCOME.name, "TheirOwn")
    await ensure_search_attributes(bare)
    await ensure_search_attributes(bare)
    assert await known(bare) == {**OURS, "TheirOwn": KEYWORD}


async def test_workers_that_start_at_the_same_time_do_not_conflict(bare: Client) -> None:
    await asyncio.gather(*(ensure_search_attributes(bare) for _ in range(5)))
    assert await known(bare) == OURS


async def test_an_attribute_of_another_type_stops_the_worker(bare: Client) -> None:
    await register(bare, IndexedValueType.INDEXED_VALUE_TYPE_INT, search_attributes.OUTCOME.name)
    with pytest.raises(TemporalError) as refused:
        async with run_harness(bare, []):
            pass
    assert str(refused.value) == (
        f"search attributes in namespace {bare.namespace!r}: Outcome must be of type Keyword and is "
        "not; if no other program uses them, have an administrator run: temporal operator search-attribute remove "
        f"--namespace {bare.namespace} --name Outcome; "
        "otherwise give Watchkeeper a separate namespace (TEMPORAL_NAMESPACE)"
    )
    with pytest.raises(TemporalError, match="must be of type Keyword"):
        await runs_client.start_run(bare, RunInput(text="Why?"), NOBODY)


async def test_if_no_attribute_is_free_the_error_of_the_server_is_shown(bare: Client) -> None:
    await register(bare, KEYWORD, *(f"TheirOwn{number}" for number in range(9)))
    with pytest.raises(TemporalError, match="cannot have more than 10 search attribute of type Keyword"):
        await ensure_search_attributes(bare)


async def test_without_permission_the_error_shows_a_command() -> None:
    async with forbidding() as address:
        client = await connect(address, {})
        with pytest.raises(TemporalError) as refused:
            await ensure_search_attributes(client)
    assert str(refused.value) == (
        "cannot register search attributes in namespace 'default' (Request unauthorized.); have an administrator run: "
        "temporal operator search-attribute create --namespace default --name Service --type Keyword "
        "--name Severity --type Keyword --name Team --type Keyword --name Source --type Keyword "
        "--name Phase --type Keyword --name Outcome --type Keyword --name WaitingFor --type Keyword "
        "--name Rounds --type Int --name CostUsd --type Double --name UnsupportedClaims --type Int"
    )


async def test_a_client_that_may_only_use_them_can_start() -> None:
    async with forbidding(requests=1) as address:
        client = await connect(address, {})
        await ensure_search_attributes(client)  # may not ask what is registered, but may list by it


async def test_an_unknown_namespace_is_named(client: Client) -> None:
    nowhere = Client(client.service_client, namespace="nowhere", data_converter=DATA_CONVERTER)
    with pytest.raises(TemporalError, match=r"^Namespace nowhere is not found\. Set TEMPORAL_NAMESPACE"):
        await ensure_search_attributes(nowhere)


async def why_a_task_failed(run: Run) -> Cause.ValueType:
    async for event in run.fetch_history_events(wait_new_event=True):
        if event.HasField("workflow_task_failed_event_attributes"):
            return event.workflow_task_failed_event_attributes.cause
    raise AssertionError("the run ended without that")


@pytest.mark.slow
async def test_a_run_continues_after_a_missing_attribute_is_registered(bare: Client) -> None:
    async with run_harness(bare, [says("Fine.")]) as harness:
        harness.model.faults.append(delay(2))
        run = await harness.start()
        await until_asked(harness, 1)
        await bare.operator_service.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace=bare.namespace, search_attributes=[search_attributes.OUTCOME.name])
        )
        notices: list[str] = []
        following = asyncio.create_task(
            follow_run(bare, run.id, RunProjection(DATA_CONVERTER), lambda update: None, notices.append)
        )
        assert await why_a_task_failed(run) == Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
        while not notices:
            await asyncio.sleep(0.1)
        await ensure_search_attributes(bare)
        story = await following
    assert story.status == "concluded"
    (notice,) = notices
    assert notice.startswith("the workflow task fails; Temporal retries it until the cause is fixed: BadSearch")
    assert search_attributes.OUTCOME.name in notice
    assert (await runs_client.find_run(bare, run.id)).status == "concluded"
