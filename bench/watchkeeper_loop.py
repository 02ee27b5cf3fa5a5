"""Our run: ``IncidentWorkflow`` on the real worker, with one tool that answers at once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import Field
from temporalio.client import Client, WorkflowHandle

from bench.contender import Commands, Contender
from bench.task import page, task
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Alert, AlertNotification, AlertOrigin, LimitChanges, RunInput, RunResult
from watchkeeper.temporal.activity_options import WORKFLOW_TASK_TIMEOUT as TASK_TIMEOUT
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.temporal.sandbox import Sandbox
from watchkeeper.tool import Arguments, ToolContext, tool
from worker import run_worker
from workflows.incident import IncidentWorkflow

SOURCE = "bench"
NO_LIMITS = LimitChanges(rounds=10_000, tool_calls=100_000, tokens=10**12, duration=3_600)


class ReadPage(Arguments):
    page: str = Field(description="Name of the page.")
    kib: int = Field(description="Size of the page in KiB.")


@tool(effect="read", max_bytes=200_000)
async def read_page(args: ReadPage, context: ToolContext) -> dict[str, Any]:
    """Read a page with this number of KiB."""
    return page(args.page, args.kib)


def settings_for(queue: str, base_url: str) -> Settings:
    """Return settings for a worker that asks the scripted model."""
    return Settings.model_validate(
        {
            "model": {
                "base_url": base_url,
                "name": "scripted",
                "api_key": "bench-key",
                # No contender compacts its conversation.
                "context_tokens": 100_000_000,
            },
            "worker": {"task_queue": queue, "shutdown_seconds": 2},
            # The queue of investigations would limit what is measured.
            "episodes": {"investigations": 100_000},
        }
    )


@asynccontextmanager
async def _run_worker(client: Client, queue: str, model_url: str) -> AsyncIterator[Commands]:
    async with run_worker(
        client, settings_for(queue, f"{model_url}/ours/v1"), tools={"read_page": read_page}
    ) as running:
        conversations = running.conversations
        yield {"hits": lambda: conversations.hits, "misses": lambda: conversations.misses}


async def _start(
    client: Client, queue: str, name: str, rounds: int, kib: int, stays_open: bool = False
) -> WorkflowHandle[IncidentWorkflow, RunResult]:
    run_input = RunInput(text=task(name, rounds, kib, stays_open), limits=NO_LIMITS)
    if not stays_open:
        return await client.start_workflow(
            IncidentWorkflow.run, run_input, id=name, task_queue=queue, task_timeout=TASK_TIMEOUT
        )
    # A run stays open after its report if alerts started it.
    return await client.start_workflow(
        IncidentWorkflow.run,
        run_input.model_copy(update={"origin": AlertOrigin(source=SOURCE, kind="alertmanager", group=name)}),
        id=name,
        task_queue=queue,
        task_timeout=TASK_TIMEOUT,
        start_signal="alert",
        start_signal_args=[_notification(name, 0)],
    )


async def _alert(handle: WorkflowHandle[Any, Any], number: int) -> None:
    await handle.signal("alert", _notification(handle.id, number))


def _notification(group: str, number: int) -> AlertNotification:
    now = time.time()
    alert = Alert(
        source=SOURCE,
        group=group,
        fingerprint=str(number),
        status="firing",
        title=f"checkout answers slowly on host {number}.",
        starts_at=now,
    )
    return AlertNotification(alerts=[alert], at=now)


OURS = Contender("ours", IncidentWorkflow, _run_worker, _start, _alert, converter=DATA_CONVERTER, runner=Sandbox())
