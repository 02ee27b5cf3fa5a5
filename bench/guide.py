"""The plain loop of tool calling guides, in one process and without durability: ``python -m bench.guide MODEL_URL``.

What it has done is gone when its process is; it shows what a round costs that nobody records.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from openai import AsyncOpenAI

from bench.model import Served
from bench.naive import TOOL, opening
from bench.process import Answering, answer, spawned
from bench.task import page_text
from bench.timeline import Timeline
from bench.usage import own_cpu_seconds

NAME = "guide"


async def investigate(openai: AsyncOpenAI, name: str, rounds: int, kib: int) -> str | None:
    """Ask, call, append, until the model calls no more."""
    messages: list[Any] = opening(name, rounds, kib)
    while True:
        completion = await openai.chat.completions.create(model="scripted", messages=messages, tools=[TOOL])
        reply = completion.choices[0].message
        messages.append(reply.model_dump(exclude_unset=True))
        if not reply.tool_calls:
            return reply.content
        for call in reply.tool_calls:
            given = json.loads(cast(Any, call).function.arguments)
            content = page_text(given["page"], given["kib"])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})


@dataclass(frozen=True)
class PlainRun:
    """A run that is over; nothing was recorded of it."""

    started: float
    death: str | None = None
    history: None = None

    def timeline(self, served: list[Served]) -> Timeline:
        """Read it from what the model saw."""
        return Timeline(asked=[at for _, _, at in served], started=self.started)


@dataclass(frozen=True)
class Plain:
    """The loop, ready to race."""

    worker: Answering
    name: str = field(default=NAME, init=False)

    async def run(self, rounds: int, kib: int, model: Answering) -> PlainRun:
        """Go through so many rounds."""
        started = time.time()
        await self.worker.ask("run", str(uuid4()), str(rounds), str(kib))
        await model.ask("leave", self.name)
        return PlainRun(started)


@asynccontextmanager
async def plain(model_url: str) -> AsyncIterator[Plain]:
    """Make the loop ready in a process of its own."""
    async with spawned("guide", model_url) as worker:
        await worker.heard()
        yield Plain(worker)


async def main() -> None:
    async with AsyncOpenAI(base_url=f"{sys.argv[1]}/{NAME}/v1", api_key="bench", max_retries=0) as openai:

        async def run(name: str, rounds: str, kib: str) -> str | None:
            return await investigate(openai, name, int(rounds), int(kib))

        await answer("ready", {"cpu": own_cpu_seconds, "run": run, "served": list})


if __name__ == "__main__":
    asyncio.run(main())
