"""The agent of pydantic-ai with its tool, as its documentation sets it up for Temporal in production.

The workflow's sandbox imports this module once and passes it through, so a run does not build the agent again.
"""

# pyright: reportMissingImports=false
# The extra `bench` is optional.

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent, RunContext
from pydantic_ai.durable_exec.temporal import TemporalDurability
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.toolsets import FunctionToolset
from temporalio import workflow

from bench.task import page_text
from watchkeeper.prompts import prompt

OPENAI = AsyncOpenAI(base_url="http://localhost", api_key="bench", max_retries=0)
"""Without retries of its client, as the documentation advises for Temporal. The worker sets the address."""


@dataclass
class AgentRun:
    """The argument of a run."""

    text: str | None
    messages: list[ModelMessage] = field(default_factory=list)
    """The conversation, if the run continues as new."""
    stays_open: bool = False


def _continue_as_new(context: RunContext[object]) -> None:
    running: Any = workflow.instance()
    workflow.continue_as_new(AgentRun(None, list(context.messages), running.stays_open))


toolset = FunctionToolset[object](id="pages")


@toolset.tool_plain
async def read_page(page: str, kib: int) -> str:
    """Read a page with this number of KiB.

    Args:
        page: Name of the page.
        kib: Size of the page in KiB.
    """
    return page_text(page, kib)


agent = Agent(
    OpenAIChatModel("scripted", provider=OpenAIProvider(openai_client=OPENAI)),
    name="bench",
    instructions=prompt("system"),
    toolsets=[toolset],
    capabilities=[TemporalDurability(continue_as_new=_continue_as_new)],
)
