"""Looks up the run (first execution run id, start time) of an activity's workflow execution in Temporal."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from temporalio.activity import Info
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

CACHE_SIZE = 2_000
"""Executions whose run is kept."""


@dataclass(frozen=True)
class RunStart:
    """The first execution of a run."""

    run: str
    """First execution run id."""
    started_at: float
    """Unix seconds."""


class RunLookup:
    """Asks the server once per execution and worker."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cache = OrderedDict[str, RunStart]()

    def known(self, argument: object, info: Info) -> str:
        """Return the run that an activity's argument names, else the cached one; empty: ask the server (``of``)."""
        if isinstance(run := getattr(argument, "run", None), str):
            return run
        start = self._cache.get(info.workflow_run_id or "")
        return start.run if start else ""

    async def of(self, info: Info) -> RunStart:
        """Return the run of an activity's execution. Raises RPCError."""
        return await self.of_execution(info.workflow_id or "", info.workflow_run_id or "")

    async def of_execution(self, workflow_id: str, run_id: str) -> RunStart:
        """Return the run of an execution. Raises RPCError."""
        if (cached := self._cache.get(run_id)) is not None:
            self._cache.move_to_end(run_id)
            return cached
        execution = await self.describe(workflow_id, run_id)
        first = execution
        if execution.first_run_id != run_id:
            try:
                first = await self.describe(workflow_id, execution.first_run_id)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:  # the retention period of the first execution has ended
                    raise
        start = RunStart(execution.first_run_id or run_id, first.start_time.ToNanoseconds() / 1e9)
        self._cache[run_id] = start
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return start

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowExecutionInfo:
        """Return the server's description of an execution, with its search attributes. Raises RPCError."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
        response = await self._client.workflow_service.describe_workflow_execution(request, retry=True)
        return response.workflow_execution_info
