"""``intake``: the process that receives alerts and API requests."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, NoReturn

import typer
from temporalio.client import Client

from watchkeeper.cli.command_runner import context_settings, run_command
from watchkeeper.config.settings import Settings, env_variable
from watchkeeper.temporal.client import connect
from watchkeeper.temporal.ports import HOST as LOOPBACK
from watchkeeper.temporal.ports import is_free

PAGER_SECONDS = 20.0
"""Timeout of one request to the pager."""

HOST = Annotated[str | None, typer.Option(help="Address to listen at. Default: intake.host.")]
PORT = Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0: a free one. Default: intake.port.")]


def intake(context: typer.Context, host: HOST = None, port: PORT = None) -> None:
    """Receive alerts and API requests over HTTP, in production. SIGTERM ends it."""
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError

    run_command(_intake(context, host, port), ListenError, loop=new_loop)


async def _intake(context: typer.Context, host: str | None, port: int | None) -> None:
    from watchkeeper import logging_config

    settings = _with_address(context_settings(context), host, port)
    logging_config.log_to_stderr(logging.INFO, settings.telemetry.log_format, settings.redactor)
    log = logging.getLogger("watchkeeper")
    for logger in ("uvicorn", "uvicorn.error"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    client = await connect(lazy=True)
    async with serve_intake(client, settings) as address:
        if not settings.sources:
            kind = env_variable("sources", "name", "kind")
            log.warning("no [sources.NAME] is configured, so no alert can be received; set %s and its secret", kind)
        log.info("listening at %s for the task queue %r", address, settings.worker.task_queue)
        await ended.wait()
    log.info("ended")


def _with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return settings.model_copy(update={"intake": settings.intake.model_copy(update=changes)})


@asynccontextmanager
async def serve_intake(client: Client, settings: Settings, *, local_only: bool = False) -> AsyncIterator[str]:
    """Serve the intake and its watchdog while the context is open; yield the intake's address.

    ``local_only``: every path serves only this machine.

    Raises ListenError, and SettingsError if the API would be open to everyone or the watchdog's journal is unusable.
    """
    from watchkeeper.http.limited_client import LimitedClient
    from watchkeeper.intake.app import create_app
    from watchkeeper.intake.authentication import require_authentication
    from watchkeeper.intake.server import serve
    from watchkeeper.intake.watchdog_hook import WatchedRefusals, with_watchdog
    from watchkeeper.runs.dispatch import dispatch_alerts
    from watchkeeper.slack import interactions
    from watchkeeper.watchdog.watchdog import Watchdog

    require_authentication(settings)
    async with LimitedClient(timeout=PAGER_SECONDS, seconds=PAGER_SECONDS) as http:
        watchdog = Watchdog(client, settings, http)
        app = create_app(
            client,
            settings,
            with_watchdog(dispatch_alerts, watchdog),
            refused=WatchedRefusals(settings, watchdog),
            interactions=interactions,
            counts=watchdog.counts,
            local_only=local_only,
        )
        try:
            async with (
                serve(app, settings.intake.host, settings.intake.port) as address,
                _run_beside(watchdog.poll_forever()),
            ):
                yield address
        finally:
            watchdog.close()


@asynccontextmanager
async def _run_beside(work: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
    """Run a task while the context is open. If the task fails, cancel the body and raise the error of the task."""
    task, body = asyncio.create_task(work), asyncio.current_task()
    task.add_done_callback(lambda done: None if done.cancelled() or body is None else body.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if task.done():
            task.result()
        raise
    finally:
        task.cancel()


@asynccontextmanager
async def serve_local_intake(client: Client, settings: Settings, port: int | None) -> AsyncIterator[str]:
    """Serve the intake on loopback only, at ``port``; None: at the configured port or, if it is used, a free one."""
    configured = settings.intake.port
    chosen = (configured if is_free(configured) else 0) if port is None else port
    async with serve_intake(client, _with_address(settings, LOOPBACK, chosen), local_only=True) as address:
        yield address
