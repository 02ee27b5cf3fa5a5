"""``worker``, ``dev`` and ``demo``: the processes that execute runs."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.command_runner import context_settings, exit_code, run_command, silence_sdk_log
from watchkeeper.cli.intake import serve_local_intake
from watchkeeper.cli.main import INTERRUPTED
from watchkeeper.cli.metrics_server import forward_sdk_log, serve_monitoring
from watchkeeper.cli.run_commands import follow_and_print
from watchkeeper.config.settings import ModelProfile, Settings
from watchkeeper.console import err, interactive, out, typed_command
from watchkeeper.contracts import RunInput
from watchkeeper.redaction import public_address
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal.client import DEFAULT_ADDRESS, connect
from watchkeeper.temporal.dev_server import TEMPORAL_PORT, UI_PORT, DevServer, dev_server
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import count

DATABASE = Path("watchkeeper.db")

MODEL_DELAY = 0.7
"""Seconds that the scripted model takes for an answer, so that people can follow it."""

SHUTDOWN_SECONDS = 3.0
"""Seconds that activities get to finish when ``dev`` ends. The next start retries unfinished ones."""

POLL_SECONDS = 5.0
"""Seconds that ``dev`` waits until the server has seen its worker poll."""

_POLL_INTERVAL = 0.05

TEMPORAL = Annotated[int, typer.Option("--temporal-port", min=1, max=65535, help="Port of the Temporal server.")]
INTAKE = Annotated[
    int | None,
    typer.Option("--intake-port", min=1, max=65535, help="Port of the intake. Default: 8080, or a free one."),
]
UI = Annotated[int, typer.Option("--ui-port", min=1, max=65535, help="Port of the Temporal UI.")]


def worker(context: typer.Context) -> None:
    """Execute runs, in production. On SIGTERM it finishes its work and ends."""
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError
    from watchkeeper.tool import ToolDefinitionError

    run_command(_worker(context), ToolDefinitionError, ListenError, loop=new_loop)


def dev(
    context: typer.Context,
    temporal_port: TEMPORAL = TEMPORAL_PORT,
    ui_port: UI = UI_PORT,
    intake_port: INTAKE = None,
    db: Annotated[Path, typer.Option(metavar="FILE", help="Database of the Temporal server.")] = DATABASE,
) -> None:
    """Start a Temporal server, a worker and the intake in one process.

    The database keeps the runs: open runs continue at the next start. Ctrl-C ends the process.
    """
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError
    from watchkeeper.tool import ToolDefinitionError

    work = _until_signalled(_dev(context, (temporal_port, ui_port, intake_port), db))
    run_command(work, ToolDefinitionError, ListenError, loop=new_loop)


def demo(
    context: typer.Context,
    live: Annotated[bool, typer.Option("--live", help="Use the configured model, not the scripted one.")] = False,
    temporal_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the Temporal server. Default: 7233, or a free one.")
    ] = None,
    ui_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the Temporal UI. Default: 8233, or a free one.")
    ] = None,
) -> None:
    """Show how a simulated incident is solved. Needs no model key.

    The services and the model are simulated, and speak HTTP. The Temporal server, the worker and the tools are real.
    """
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError
    from watchkeeper.tool import ToolDefinitionError

    work = _until_signalled(_demo(context, live=live, ports=(temporal_port, ui_port)))
    run_command(work, ToolDefinitionError, ListenError, loop=new_loop)


async def _worker(context: typer.Context) -> None:
    from watchkeeper.telemetry.setup import telemetry
    from worker import require_usable_models, run_until_signal

    settings = context_settings(context)
    require_usable_models(settings)
    log_to_stderr(logging.INFO, settings)
    log = logging.getLogger("watchkeeper")
    async with telemetry(settings, os.environ) as instruments:
        forward_sdk_log(instruments.buffer)
        client = await connect(lazy=True)
        address = client.service_client.config.target_host
        queue = settings.worker.task_queue
        log.info("working on the task queue %r of %s, namespace %r", queue, address, client.namespace)
        async with serve_monitoring(client, instruments) as url:
            if url:
                log.info("serving /metrics and /healthz at %s", url)
            await run_until_signal(client, settings, instruments)
    log.info("drained")


async def _dev(context: typer.Context, ports: tuple[int, int, int | None], database: Path) -> NoReturn:
    from watchkeeper.cli.temporal_ui import guarded_ui
    from watchkeeper.telemetry.setup import telemetry
    from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
    from worker import require_usable_models, run_worker

    settings = context_settings(context)
    require_usable_models(settings)
    build_catalogue(discover_tools(), settings)
    shutdown = min(settings.worker.shutdown_seconds, SHUTDOWN_SECONDS)
    settings = settings.model_copy(update={"worker": settings.worker.model_copy(update={"shutdown_seconds": shutdown})})
    log_to_stderr(logging.WARNING, settings)
    port, ui_port, intake_port = ports
    async with AsyncExitStack() as stack:
        instruments = await stack.enter_async_context(telemetry(settings, os.environ))
        silence_sdk_log(instruments.buffer)
        server = await stack.enter_async_context(
            dev_server(port=port, ui_port=ui_port, database=database, ui_guard=guarded_ui)
        )
        await stack.enter_async_context(run_worker(server.client, settings, telemetry=instruments))
        url = await stack.enter_async_context(serve_monitoring(server.client, instruments, local_only=True))
        await _until_polled(server.client, settings.worker.task_queue)
        intake = await stack.enter_async_context(serve_local_intake(server.client, settings, intake_port))
        _print_facts(("Temporal", server.address), ("Temporal UI", server.ui), ("Runs are kept in", str(database)))
        _print_facts(("Alerts and API", f"{intake}/docs"), *([("Metrics", f"{url}/metrics")] if url else []))
        _print_facts(("Model", f"{settings.model.name} at {settings.model.base_url}"))
        services = ", ".join(settings.catalogue["service"])
        _print_facts(("Services", services or f"none, so the tools find nothing; name some: {typed_command('init')}"))
        _print_second_terminal(server, [typed_command('run "What is wrong?"')])
        out.print(Text("Ctrl-C ends it; open runs continue at the next start.", "dim"))
        await server.serve()


async def _until_polled(client: Client, queue: str) -> None:
    """Wait until the server has seen the worker poll; the watchdog of the intake would report a missing worker."""
    for _ in range(int(POLL_SECONDS / _POLL_INTERVAL)):
        if await has_worker(client, queue):
            return
        await asyncio.sleep(_POLL_INTERVAL)


async def _demo(context: typer.Context, *, live: bool, ports: tuple[int | None, int | None]) -> int:
    from watchkeeper.cli.temporal_ui import guarded_ui
    from watchkeeper.demo import demo_settings
    from watchkeeper.demo.script import on_call_engineer
    from watchkeeper.demo.world import World
    from watchkeeper.testing.scripted_model import ScriptedModel
    from worker import require_usable_models, run_worker

    profiles: list[ModelProfile] = []
    configured: Settings | None = None
    if live:
        configured = context_settings(context)
        require_usable_models(configured)
        profiles = configured.profiles
    log_to_stderr(logging.ERROR, configured)
    silence_sdk_log()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World.running())
        if not live:
            key = secrets.token_hex(8)
            url = await stack.enter_async_context(ScriptedModel(on_call_engineer, key=key, pace=MODEL_DELAY).serve())
            profiles = [demo_settings.scripted_profile(url, key)]
        settings = demo_settings.settings_for(world, profiles)
        server = await stack.enter_async_context(dev_server(port=ports[0], ui_port=ports[1], ui_guard=guarded_ui))
        await stack.enter_async_context(run_worker(server.client, settings))
        return await _play(server, world, settings, live=live)


async def _play(server: DevServer, world: Any, settings: Settings, *, live: bool) -> int:
    from watchkeeper.demo import demo_settings

    model = f"{settings.model.name} at {settings.model.base_url}" if live else "scripted, no key needed"
    _print_facts(("Temporal UI", server.ui), ("Model", model))
    out.print()
    run_input = RunInput(text=demo_settings.INCIDENT, service=demo_settings.SERVICE)
    started = await runs_client.start_run(server.client, run_input, settings)
    view = await follow_and_print(server.client, started.workflow_id)
    out.print()
    opened = ", ".join(f"INC-{incident.number} for the {incident.team} team" for incident in world.pages.incidents)
    pages = len(world.pages.events)
    arrived = f"{count(pages, 'page')} arrived at the simulated PagerDuty{f': {opened}' if opened else ''}"
    out.print(Text(arrived, "bold"), soft_wrap=True)
    _print_facts(("The run in the Temporal UI", ""), ("", server.page(view.workflow_id, view.run_id)))
    if not interactive():
        return exit_code(view)
    _print_second_terminal(server, [_run_question(question) for question in demo_settings.MORE_QUESTIONS])
    out.print(Text("Everything stays up until Ctrl-C.", "dim"))
    await server.serve()


def _run_question(question: tuple[str, ...]) -> str:
    text, *options = question
    return typed_command(" ".join(["run", f'"{text}"', *options]))


def _print_second_terminal(server: DevServer, commands: list[str]) -> None:
    out.print()
    out.print("From a second terminal, in this folder:")
    lines = [] if _is_default(server) else [f"export TEMPORAL_ADDRESS={server.address}"]
    for line in [*lines, *commands]:
        out.print(Text(f"  {line}", "bold"), soft_wrap=True)
    out.print()


def _is_default(server: DevServer) -> bool:
    """Tell whether a command without TEMPORAL_ADDRESS connects to this server."""
    return (
        server.address.rpartition(":")[2] == DEFAULT_ADDRESS.rpartition(":")[2] and "TEMPORAL_ADDRESS" not in os.environ
    )


def _print_facts(*facts: tuple[str, str]) -> None:
    for name, value in facts:
        out.print(Text.assemble((f"{name}: " if name else "  ", "dim"), public_address(value)), soft_wrap=True)


async def _until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """Await some work. SIGINT or SIGTERM ends it cleanly, with exit code 0; a second one ends the process at once."""
    loop, task = asyncio.get_running_loop(), asyncio.create_task(work)
    signalled = False

    def end() -> None:
        nonlocal signalled
        if signalled:
            os._exit(INTERRUPTED)
        signalled = True
        err.print(Text("\nEnding …", "dim"))
        task.cancel()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, end)
    try:
        return await task
    except asyncio.CancelledError:
        if not signalled:
            raise
        return 0


def log_to_stderr(level: int, settings: Settings | None = None) -> None:
    """Log from ``level`` on. Imported late: most commands need no log."""
    from watchkeeper import logging_config

    if settings is None:
        logging_config.log_to_stderr(level)
    else:
        logging_config.log_to_stderr(level, settings.telemetry.log_format, settings.redactor)
    sys.stderr.flush()
