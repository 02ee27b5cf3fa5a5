"""The loop of tool-calling guides, in one process and not durable: ``python -m bench.guide_loop MODEL_URL``.

It shows the cost of a round that is not recorded. If the process dies, its work is lost.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from openai import AsyncOpenAI

from bench.child_process import ChildProcess, answer, spawn
from bench.model_server import ModelCall
from bench.naive_loop import TOOL, first_messages
from bench.process_usage import own_cpu_seconds
from bench.task import page_text
from bench.timeline import Timeline
from watchkeeper.cli.event_loop import new_loop

NAME = "guide"


async def investigate(openai: AsyncOpenAI, name: str, rounds: int, kib: int) -> str | None:
    """Ask, call the tools, append, until the model calls no tool."""
    messages: list[Any] = first_messages(name, rounds, kib)
    while True:
        completion = await openai.chat.completions.create(model="scripted", messages=messages, tools=[TOOL])
        reply = completion.choices[0].message
        messages.append(reply.model_dump(exclude_unset=True))
        if not reply.tool_calls:
            return reply.content
        for call in reply.tool_calls:
            arguments = json.loads(cast(Any, call).function.arguments)
            content = page_text(arguments["page"], arguments["kib"])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})


@dataclass(frozen=True)
class GuideRun:
    """A finished run of the plain loop, of which nothing is recorded."""

    failure: str | None = None
    history: None = None

    def timeline(self, model_calls: list[ModelCall]) -> Timeline:
        """Read the timeline from the requests that the model received."""
        return Timeline(request_times=[at for _, _, at in model_calls])


@dataclass(frozen=True)
class GuideRunner:
    """The plain loop as a contender."""

    worker: ChildProcess
    name: str = field(default=NAME, init=False)

    async def run(self, rounds: int, kib: int, model: ChildProcess) -> GuideRun:
        """Run a number of rounds."""
        await self.worker.ask("run", str(uuid4()), str(rounds), str(kib))
        await model.ask("leave", self.name)
        return GuideRun()


@asynccontextmanager
async def start_guide_runner(model_url: str) -> AsyncIterator[GuideRunner]:
    """Start the loop in a separate process."""
    async with spawn("guide_loop", model_url) as worker:
        await worker.receive()
        yield GuideRunner(worker)


async def main() -> None:
    async with AsyncOpenAI(base_url=f"{sys.argv[1]}/{NAME}/v1", api_key="bench", max_retries=0) as openai:

        async def run(name: str, rounds: str, kib: str) -> str | None:
            return await investigate(openai, name, int(rounds), int(kib))

        await answer("ready", {"cpu": own_cpu_seconds, "run": run, "served": list})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
