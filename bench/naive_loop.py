"""The loop that people write today: a workflow that keeps the messages and passes them all to the model activity."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from temporalio import activity, workflow

from bench.inbox import Inbox

with workflow.unsafe.imports_passed_through():
    from openai import AsyncOpenAI
    from temporalio.client import Client, WorkflowHandle

    from bench.contender import Commands, Contender, build_worker
    from bench.task import page_text, task
    from watchkeeper.prompts import prompt

TIMEOUT = timedelta(seconds=60)

Messages = list[dict[str, Any]]

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "read_page",
        "description": "Read a page with this number of KiB.",
        "parameters": {
            "type": "object",
            "properties": {
                "page": {"type": "string", "description": "Name of the page."},
                "kib": {"type": "integer", "description": "Size of the page in KiB."},
            },
            "required": ["page", "kib"],
            "additionalProperties": False,
        },
    },
}


def first_messages(name: str, rounds: int, kib: int, stays_open: bool = False) -> Messages:
    """Return the first messages, equal to the first messages of our run."""
    return [
        {"role": "system", "content": prompt("system")},
        {"role": "user", "content": task(name, rounds, kib, stays_open)},
    ]


class NaiveActivities:
    """The two activities of the loop."""

    def __init__(self, base_url: str) -> None:
        self.openai = AsyncOpenAI(base_url=base_url, api_key="bench", max_retries=0)

    @activity.defn
    async def ask(self, messages: Messages) -> dict[str, Any]:
        """Send all messages to the model."""
        completion = await self.openai.chat.completions.create(
            model="scripted", messages=cast(Any, messages), tools=[TOOL]
        )
        # A null field must come back as null, and a strict host refuses unset fields.
        return completion.choices[0].message.model_dump(exclude_unset=True)

    @activity.defn
    async def read_page(self, arguments: str) -> str:
        """Run the tool."""
        parsed = json.loads(arguments)
        return page_text(parsed["page"], parsed["kib"])


@workflow.defn
class NaiveWorkflow(Inbox):
    """Ask, call the tools, append, until the model calls no tool."""

    @workflow.run
    async def run(self, messages: Messages, stays_open: bool) -> str:
        while True:
            reply = await workflow.execute_activity_method(
                NaiveActivities.ask, messages, start_to_close_timeout=TIMEOUT
            )
            messages.append(reply)
            if not reply.get("tool_calls"):
                if not stays_open:
                    return str(reply["content"])
                messages.append({"role": "user", "content": await self.next_alerts()})
                continue
            results = await asyncio.gather(*(self._call(call) for call in reply["tool_calls"]))
            for call, result in zip(reply["tool_calls"], results, strict=True):
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})

    async def _call(self, call: dict[str, Any]) -> str:
        return await workflow.execute_activity_method(
            NaiveActivities.read_page, call["function"]["arguments"], start_to_close_timeout=TIMEOUT
        )


@asynccontextmanager
async def _run_worker(client: Client, queue: str, model_url: str) -> AsyncIterator[Commands]:
    activities = NaiveActivities(f"{model_url}/naive/v1")
    async with activities.openai, build_worker(client, queue, NaiveWorkflow, [activities.ask, activities.read_page]):
        yield {}


async def _start(
    client: Client, queue: str, name: str, rounds: int, kib: int, stays_open: bool = False
) -> WorkflowHandle[NaiveWorkflow, str]:
    arguments = [first_messages(name, rounds, kib, stays_open), stays_open]
    return await client.start_workflow(NaiveWorkflow.run, args=arguments, id=name, task_queue=queue)


NAIVE = Contender("naive", NaiveWorkflow, _run_worker, _start)
