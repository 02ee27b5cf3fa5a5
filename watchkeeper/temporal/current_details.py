"""The current details of a workflow in the Temporal UI, written when a person asks for them."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from temporalio import workflow
from temporalio.worker import (
    HandleQueryInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

METADATA = "__temporal_workflow_metadata"
"""The query with which the UI asks a worker for the details."""


@runtime_checkable
class Described(Protocol):
    """A workflow with current details."""

    def current_details(self) -> str:
        """Return them as Markdown."""
        ...


class CurrentDetailsInterceptor(Interceptor):
    """Answers the UI with the details of a ``Described`` workflow as they are at that time.

    ``workflow.set_current_details`` would need them after every change, and few are ever read.
    """

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Intercept the queries of every workflow."""
        return _CurrentDetailsInbound


class _CurrentDetailsInbound(WorkflowInboundInterceptor):
    async def handle_query(self, input: HandleQueryInput) -> Any:
        answer = await self.next.handle_query(input)
        described = workflow.instance() if input.query == METADATA else None
        if isinstance(described, Described):
            answer.current_details = described.current_details()
        return answer
