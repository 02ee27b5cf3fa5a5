"""Which run an execution belongs to, and since when: Temporal knows, and an activity is not told."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from temporalio.activity import Info
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

REMEMBERED = 2_000
"""How many executions are not asked for again."""


@dataclass(frozen=True)
class Began:
    """A run, by its first execution."""

    run: str
    """First execution run id."""
    at: float
    """Unix seconds."""


class Runs:
    """Asks Temporal, once an execution and worker."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = OrderedDict[str, Began]()

    def known(self, given: object, info: Info) -> str:
        """Return the run that an activity's argument names, else that of its execution; empty: nobody asked yet."""
        if isinstance(named := getattr(given, "run", None), str):
            return named
        began = self._known.get(info.workflow_run_id or "")
        return began.run if began else ""

    async def of(self, info: Info) -> Began:
        """Return the run of an activity's execution. Raises RPCError."""
        workflow_id, run_id = info.workflow_id or "", info.workflow_run_id or ""
        if (known := self._known.get(run_id)) is not None:
            self._known.move_to_end(run_id)
            return known
        found = await self.describe(workflow_id, run_id)
        first = found
        if found.first_run_id != run_id:
            try:
                first = await self.describe(workflow_id, found.first_run_id)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:  # the retention of its history is over
                    raise
        began = Began(found.first_run_id or run_id, first.start_time.ToNanoseconds() / 1e9)
        self._known[run_id] = began
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return began

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowExecutionInfo:
        """Return what the server tells of an execution, its search attributes among it. Raises RPCError."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
        described = await self._client.workflow_service.describe_workflow_execution(request, retry=True)
        return described.workflow_execution_info
