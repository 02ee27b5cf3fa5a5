"""``worker``, ``dev`` and ``demo``: the processes that do the work."""

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

from watchkeeper.cli.intake import taking_in_here
from watchkeeper.cli.monitoring import forward, serving_itself
from watchkeeper.cli.runner import EXIT, INTERRUPTED, perform, quiet, settings_of
from watchkeeper.cli.runs import follow_aloud
from watchkeeper.config.settings import ModelProfile, Settings
from watchkeeper.console import err, interactive, out
from watchkeeper.contracts import RunInput
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal.client import DEFAULT_ADDRESS, connect
from watchkeeper.temporal.dev_server import TEMPORAL_PORT, UI_PORT, DevServer, dev_server
from watchkeeper.text import count

DATABASE = Path("watchkeeper.db")

PACE = 0.7
"""Seconds that the scripted model takes to answer, so that people can follow it."""

GRACE = 3.0
"""Seconds that activities get to finish when ``dev`` is ended; what they do not finish is taken up again."""

TEMPORAL = Annotated[int, typer.Option("--temporal-port", min=1, max=65535, help="Port of the Temporal server.")]
INTAKE = Annotated[int | None, typer.Option("--intake-port", min=1, max=65535, help="Default: 8080, or a free one.")]
UI = Annotated[int, typer.Option("--ui-port", min=1, max=65535, help="Port of the Temporal web pages.")]


def worker(context: typer.Context) -> None:
    """Work on runs: the production process. SIGTERM drains it."""
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError
    from watchkeeper.tool import ToolDefinitionError

    perform(_worker(context), ToolDefinitionError, ListenError, loop=new_loop)


def dev(
    context: typer.Context,
    temporal_port: TEMPORAL = TEMPORAL_PORT,
    ui_port: UI = UI_PORT,
    intake_port: INTAKE = None,
    db: Annotated[Path, typer.Option(metavar="FILE", help="Where runs are kept.")] = DATABASE,
) -> None:
    """Run a Temporal server, a worker and the intake here.

    Runs are kept in a file, so that open ones go on at the next start. Ctrl-C ends it.
    """
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError
    from watchkeeper.tool import ToolDefinitionError

    performed = _until_told(_dev(context, (temporal_port, ui_port, intake_port), db))
    perform(performed, ToolDefinitionError, ListenError, loop=new_loop)


def demo(
    context: typer.Context,
    live: Annotated[bool, typer.Option("--live", help="Use the configured model, not the scripted one.")] = False,
    temporal_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 7233, or a free one.")] = None,
    ui_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 8233, or a free one.")] = None,
) -> None:
    """Watch an incident being solved.

    The services and the model are simulated, over real HTTP; the Temporal server, the worker and the tools are real.
    """
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.tool import ToolDefinitionError

    performed = _until_told(_demo(context, live=live, ports=(temporal_port, ui_port)))
    perform(performed, ToolDefinitionError, loop=new_loop)


async def _worker(context: typer.Context) -> None:
    from watchkeeper.telemetry.setup import telemetry
    from worker import require_api_keys, run_until_signal

    settings = settings_of(context)
    require_api_keys(settings)
    log_to_stderr(logging.INFO, settings)
    log = logging.getLogger("watchkeeper")
    async with telemetry(settings, os.environ) as told:
        forward(told.buffer)
        client = await connect()
        address = client.service_client.config.target_host
        queue = settings.worker.task_queue
        log.info("working on the task queue %r of %s, namespace %r", queue, address, client.namespace)
        async with serving_itself(client, told) as page:
            if page:
                log.info("serving /metrics and /healthz at %s", page)
            await run_until_signal(client, settings, told)
    log.info("drained")


async def _dev(context: typer.Context, ports: tuple[int, int, int | None], database: Path) -> NoReturn:
    from watchkeeper.telemetry.setup import telemetry
    from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
    from worker import require_api_keys, run_worker

    settings = settings_of(context)
    require_api_keys(settings)
    build_catalogue(discover_tools(), settings)
    grace = min(settings.worker.shutdown_seconds, GRACE)
    settings = settings.model_copy(update={"worker": settings.worker.model_copy(update={"shutdown_seconds": grace})})
    log_to_stderr(logging.WARNING, settings)
    port, ui_port, intake_port = ports
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(telemetry(settings, os.environ))
        quiet(told.buffer)
        server = await stack.enter_async_context(dev_server(port=port, ui_port=ui_port, database=database))
        await stack.enter_async_context(run_worker(server.client, settings, telemetry=told))
        page = await stack.enter_async_context(serving_itself(server.client, told))
        intake = await stack.enter_async_context(taking_in_here(server.client, settings, intake_port))
        _facts(("Temporal", server.address), ("Temporal UI", server.ui), ("Runs are kept in", str(database)))
        _facts(("Alerts and programs", f"{intake}/docs"), *([("Metrics", f"{page}/metrics")] if page else []))
        _facts(("Model", f"{settings.model.name} at {settings.model.base_url}"))
        _say_how_to_ask(server, ['watchkeeper run "What is wrong?"'])
        out.print(Text("Ctrl-C ends it; open runs go on at the next start.", "dim"))
        await server.serve()


async def _demo(context: typer.Context, *, live: bool, ports: tuple[int | None, int | None]) -> int:
    from watchkeeper.demo import demo_settings
    from watchkeeper.demo.script import on_call_engineer
    from watchkeeper.demo.world import World
    from watchkeeper.testing.scripted_model import ScriptedModel
    from worker import require_api_keys, run_worker

    profiles: list[ModelProfile] = []
    if live:
        configured = settings_of(context)
        require_api_keys(configured)
        profiles = configured.profiles
    log_to_stderr(logging.ERROR)
    quiet()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World.running())
        if not live:
            key = secrets.token_hex(8)
            url = await stack.enter_async_context(ScriptedModel(on_call_engineer, key=key, pace=PACE).serve())
            profiles = [demo_settings.scripted_profile(url, key)]
        settings = demo_settings.settings_for(world, profiles)
        server = await stack.enter_async_context(dev_server(port=ports[0], ui_port=ports[1]))
        await stack.enter_async_context(run_worker(server.client, settings))
        return await _play(server, world, settings, live=live)


async def _play(server: DevServer, world: Any, settings: Settings, *, live: bool) -> int:
    from watchkeeper.demo import demo_settings

    who = f"{settings.model.name} at {settings.model.base_url}" if live else "a script in its place, over real HTTP"
    _facts(("Temporal UI", server.ui), ("Model", who))
    out.print()
    given = RunInput(text=demo_settings.INCIDENT, service=demo_settings.SERVICE)
    found = await runs_client.start_run(server.client, given, settings)
    story = await follow_aloud(server.client, found.workflow_id)
    out.print()
    opened = ", ".join(f"INC-{incident.number} for the {incident.team} team" for incident in world.pages.incidents)
    pages = len(world.pages.events)
    arrived = f"{count(pages, 'page')} arrived at the simulated PagerDuty{f': {opened}' if opened else ''}"
    out.print(Text(arrived, "bold"), soft_wrap=True)
    _facts(("The run in the Temporal UI", ""), ("", server.page(story.workflow_id, story.run_id)))
    if not interactive():
        return EXIT[story.status]
    _say_how_to_ask(server, [_command(question) for question in demo_settings.MORE_QUESTIONS])
    out.print(Text("Everything stays up until Ctrl-C.", "dim"))
    await server.serve()


def _command(question: tuple[str, ...]) -> str:
    text, *options = question
    return " ".join(["watchkeeper run", f'"{text}"', *options])


def _say_how_to_ask(server: DevServer, commands: list[str]) -> None:
    out.print()
    out.print("From a second terminal:")
    lines = [] if _is_default(server) else [f"export TEMPORAL_ADDRESS={server.address}"]
    for line in [*lines, *commands]:
        out.print(Text(f"  {line}", "bold"), soft_wrap=True)
    out.print()


def _is_default(server: DevServer) -> bool:
    """Tell whether a process that is told nothing finds this server."""
    return (
        server.address.rpartition(":")[2] == DEFAULT_ADDRESS.rpartition(":")[2] and "TEMPORAL_ADDRESS" not in os.environ
    )


def _facts(*facts: tuple[str, str]) -> None:
    for name, value in facts:
        out.print(Text.assemble((f"{name}: " if name else "  ", "dim"), value), soft_wrap=True)


async def _until_told(run_until_signal: Coroutine[Any, Any, int]) -> int:
    """Do some work until it is done, or until SIGINT or SIGTERM ends it cleanly; a second one ends it at once."""
    loop, task = asyncio.get_running_loop(), asyncio.create_task(run_until_signal)
    told = False

    def end() -> None:
        nonlocal told
        if told:
            os._exit(INTERRUPTED)
        told = True
        err.print(Text("\nEnding …", "dim"))
        task.cancel()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, end)
    try:
        return await task
    except asyncio.CancelledError:
        if not told:
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
