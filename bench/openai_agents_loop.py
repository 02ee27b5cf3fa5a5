"""The OpenAI Agents SDK with Temporal's plugin, set up as its documentation says."""

# pyright: reportMissingImports=false
# The extra `bench` is optional.

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

from bench.inbox import Inbox

with workflow.unsafe.imports_passed_through():
    from agents import Agent, OpenAIProvider, RunConfig, Runner
    from openai import AsyncOpenAI
    from temporalio.client import Client, Plugin, WorkflowHandle
    from temporalio.openai_agents import ModelActivityParameters, OpenAIAgentsPlugin
    from temporalio.openai_agents.workflow import activity_as_tool

    from bench.contender import Commands, Contender, build_worker
    from bench.task import page_text, task
    from watchkeeper.prompts import prompt

NAME = "openai-agents"
MODEL_TIMEOUT = timedelta(seconds=30)
TOOL_TIMEOUT = timedelta(seconds=10)
"""Both are from the documentation."""


@activity.defn
async def read_page(page: str, kib: int) -> str:
    """Read a page with this number of KiB.

    Args:
        page: Name of the page.
        kib: Size of the page in KiB.
    """
    return page_text(page, kib)


@workflow.defn
class OpenAIAgentsRun(Inbox):
    """Let the agent work until it concludes."""

    @workflow.run
    async def run(self, text: str, stays_open: bool) -> str:
        agent = Agent(
            name="bench",
            instructions=prompt("system"),
            model="scripted",
            tools=[activity_as_tool(read_page, start_to_close_timeout=TOOL_TIMEOUT)],
        )
        # Traces would be sent to OpenAI.
        config = RunConfig(tracing_disabled=True)
        result = await Runner.run(agent, text, max_turns=None, run_config=config)
        while stays_open:
            conversation: Any = [*result.to_input_list(), {"role": "user", "content": await self.next_alerts()}]
            result = await Runner.run(agent, conversation, max_turns=None, run_config=config)
        return str(result.final_output)


def _plugins(model_url: str) -> list[Plugin]:
    openai = AsyncOpenAI(base_url=f"{model_url}/{NAME}/v1", api_key="bench", max_retries=0)
    return [
        OpenAIAgentsPlugin(
            model_params=ModelActivityParameters(start_to_close_timeout=MODEL_TIMEOUT),
            model_provider=OpenAIProvider(openai_client=openai, use_responses=False),
        )
    ]


@asynccontextmanager
async def _run_worker(client: Client, queue: str, model_url: str) -> AsyncIterator[Commands]:
    async with build_worker(client, queue, OpenAIAgentsRun, [read_page]):
        yield {}


async def _start(
    client: Client, queue: str, name: str, rounds: int, kib: int, stays_open: bool = False
) -> WorkflowHandle[Any, Any]:
    arguments = [task(name, rounds, kib, stays_open), stays_open]
    return await client.start_workflow(OpenAIAgentsRun.run, args=arguments, id=name, task_queue=queue)


OPENAI_AGENTS = Contender(NAME, OpenAIAgentsRun, _run_worker, _start, plugins=_plugins, ask="invoke_model_activity")
