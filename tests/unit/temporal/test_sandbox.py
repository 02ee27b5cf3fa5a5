"""The sandbox still restricts workflow code, and its constant answers equal those of the data converter."""

from __future__ import annotations

from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import RestrictedWorkflowAccessError

from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.temporal.sandbox import RESTRICTIONS, Sandbox
from workflows import outcome


@workflow.defn(failure_exception_types=[RestrictedWorkflowAccessError])
class Peeking:
    @workflow.run
    async def run(self) -> None:
        open("/dev/null")  # noqa: ASYNC230, PTH123, SIM115


@workflow.defn
class Naming:
    @workflow.run
    async def run(self) -> list[int]:
        return [id(Naming), id(outcome)]


@pytest.mark.parametrize("shared", ["workflows", "tests"])
async def test_workflow_code_cannot_do_io(client: Client, shared: str) -> None:
    """Code that all runs share cannot either."""
    queue = str(uuid4())
    sandbox = Sandbox(RESTRICTIONS.with_passthrough_modules(shared))
    async with Worker(client, task_queue=queue, workflows=[Peeking], workflow_runner=sandbox):
        with pytest.raises(WorkflowFailureError) as failed:
            await client.execute_workflow(Peeking.run, id=queue, task_queue=queue)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "RestrictedWorkflowAccessError"


async def test_only_our_workflow_modules_are_shared(client: Client) -> None:
    queue = str(uuid4())
    async with Worker(client, task_queue=queue, workflows=[Naming], workflow_runner=Sandbox()):
        workflow_class, module = await client.execute_workflow(Naming.run, id=queue, task_queue=queue)
    assert workflow_class != id(Naming)
    assert module == id(outcome)


def test_the_data_converter_uses_no_context_and_no_external_storage() -> None:
    context = WorkflowSerializationContext(namespace="default", workflow_id="run")
    assert DATA_CONVERTER.with_context(context) is DATA_CONVERTER
    assert DATA_CONVERTER.payload_codec is None
    assert DATA_CONVERTER.external_storage is None
