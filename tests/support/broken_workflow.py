"""The workflow with its loop broken on purpose: it settles the calls of a round one after the other."""

from __future__ import annotations

from temporalio import workflow

from workflows.incident import IncidentWorkflow
from workflows.outcome import FAILURE_TYPES

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Briefing, ModelReply, RunInput, RunResult
    from watchkeeper.incident.budget import Budget
    from watchkeeper.llm.conversation import Conversation


@workflow.defn(name="IncidentWorkflow", failure_exception_types=FAILURE_TYPES)
class SequentialWorkflow(IncidentWorkflow):
    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)

    async def _settle(self, briefing: Briefing, talk: Conversation, budget: Budget, reply: ModelReply) -> None:
        for asked in reply.message["tool_calls"]:
            alone = reply.model_copy(update={"message": {**reply.message, "tool_calls": [asked]}})
            await super()._settle(briefing, talk, budget, alone)
