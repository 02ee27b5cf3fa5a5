"""pydantic-ai with its Temporal integration, set up as its documentation says."""

# pyright: reportMissingImports=false
# The extra `bench` is optional.

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio import workflow

from bench.inbox import Inbox

with workflow.unsafe.imports_passed_through():
    from pydantic_ai.durable_exec.temporal import PydanticAIPlugin, PydanticAIWorkflow
    from pydantic_ai.usage import UsageLimits
    from temporalio.client import Client, WorkflowHandle

    from bench.contender import Commands, Contender, build_worker
    from bench.pydantic_ai_agent import OPENAI, AgentRun, agent
    from bench.task import task

NAME = "pydantic-ai"


@workflow.defn
class PydanticAIRun(Inbox, PydanticAIWorkflow):
    """Let the agent work until it concludes."""

    __pydantic_ai_agents__ = (agent,)
    stays_open = False

    @workflow.run
    async def run(self, started: AgentRun) -> str:
        self.stays_open = started.stays_open
        no_limit = UsageLimits(request_limit=None)
        result = await agent.run(started.text, message_history=started.messages, usage_limits=no_limit)
        while self.stays_open:
            text = await self.next_alerts()
            result = await agent.run(text, message_history=result.all_messages(), usage_limits=no_limit)
        return result.output


@asynccontextmanager
async def _run_worker(client: Client, queue: str, model_url: str) -> AsyncIterator[Commands]:
    OPENAI.base_url = f"{model_url}/{NAME}/v1"
    async with OPENAI, build_worker(client, queue, PydanticAIRun, []):
        yield {}


async def _start(
    client: Client, queue: str, name: str, rounds: int, kib: int, stays_open: bool = False
) -> WorkflowHandle[Any, Any]:
    started = AgentRun(task(name, rounds, kib, stays_open), stays_open=stays_open)
    return await client.start_workflow(PydanticAIRun.run, started, id=name, task_queue=queue)


PYDANTIC_AI = Contender(
    NAME,
    PydanticAIRun,
    _run_worker,
    _start,
    plugins=lambda model_url: [PydanticAIPlugin()],
    ask="agent__bench__model_request",
)
