"""Runs the agent in a test: Temporal, the worker and the activities are real, the model is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from temporalio.client import Client

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import RunInput, RunResult
from watchkeeper.runs.client import start_run
from watchkeeper.temporal.dev_server import dev_server
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.tool import Tool

API_KEY = "test-key"
"""The key that the agent sends to the scripted model."""


@dataclass(frozen=True)
class AgentHarness:
    """The agent of one test, while its worker runs."""

    client: Client
    settings: Settings

    async def run(self, text: str, **run_input: Any) -> RunResult:
        """Start a run, as a person does, and return its result.

        ``run_input`` are fields of ``RunInput``, such as ``service``. Raises temporalio's WorkflowFailureError if a
        limit or a failure ends the run.
        """
        started = await start_run(self.client, RunInput(text=text, **run_input), self.settings)
        result: RunResult = await self.client.get_workflow_handle(started.workflow_id, result_type=RunResult).result()
        return result


@asynccontextmanager
async def run_agent(
    model: ScriptedModel,
    tools: Iterable[Tool[Any]],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    client: Client | None = None,
) -> AsyncIterator[AgentHarness]:
    """Run a worker with these tools and a scripted model.

    Args:
        model: Answers every model request. It must accept any key, or ``API_KEY``.
        tools: The only tools of the agent.
        settings: The tables of ``watchkeeper.toml``, such as ``{"services": {"checkout": {"team": "shop"}}}``. The
            environment is not read.
        client: Connects to the Temporal server to use. By default a server is started, which takes about a second.
    """
    from worker import run_worker

    async with AsyncExitStack() as stack:
        if client is None:
            client = (await stack.enter_async_context(dev_server())).client
        tables: dict[str, Any] = {
            "worker": {"task_queue": f"test-{uuid4().hex[:8]}", "shutdown_seconds": 1},
            **(settings or {}),
            "model": {
                **(settings or {}).get("model", {}),
                "base_url": await stack.enter_async_context(model.serve()),
                "name": "scripted",
                "api_key": API_KEY,
            },
        }
        chosen = Settings.model_validate(tables)
        await stack.enter_async_context(run_worker(client, chosen, tools={tool.name: tool for tool in tools}))
        yield AgentHarness(client, chosen)
