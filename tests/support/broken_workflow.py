"""The workflow with an intentional bug: it runs the tool calls of a round one after the other."""

from __future__ import annotations

from temporalio import workflow

from workflows.incident import IncidentWorkflow
from workflows.outcome import FAILURE_TYPES
from workflows.tool_calls import ToolCalls

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Briefing, ConversationEntry, ModelReply, RunInput, RunResult
    from watchkeeper.incident.budget import Budget
    from watchkeeper.incident.page_gate import PageGate


class SequentialToolCalls(ToolCalls):
    async def run_all(
        self,
        briefing: Briefing,
        reply: ModelReply,
        round_number: int,
        budget: Budget,
        gate: PageGate | None = None,
    ) -> list[ConversationEntry]:
        results: list[ConversationEntry] = []
        for call in reply.message["tool_calls"]:
            single = reply.model_copy(update={"message": {**reply.message, "tool_calls": [call]}})
            results += await super().run_all(briefing, single, round_number, budget, gate)
        return results


@workflow.defn(name="IncidentWorkflow", failure_exception_types=FAILURE_TYPES)
class SequentialWorkflow(IncidentWorkflow):
    @workflow.init
    def __init__(self, run_input: RunInput) -> None:
        super().__init__(run_input)
        self._state.tool_calls = SequentialToolCalls()

    @workflow.run
    async def run(self, run_input: RunInput) -> RunResult:
        return await super().run(run_input)
