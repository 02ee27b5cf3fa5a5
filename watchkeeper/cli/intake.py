"""``intake``: the process that alerts and people's programs speak to."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, NoReturn

import typer
from temporalio.client import Client

from watchkeeper.cli.runner import perform, settings_of
from watchkeeper.config.settings import Settings, env_variable
from watchkeeper.temporal.client import connect
from watchkeeper.temporal.ports import HOST as LOOPBACK
from watchkeeper.temporal.ports import is_free

PAGER_SECONDS = 20.0
"""For one request to the pager."""

HOST = Annotated[str | None, typer.Option(help="Where to listen; default: intake.host.")]
PORT = Annotated[int | None, typer.Option(min=0, max=65535, help="Likewise; default: intake.port. 0: a free one.")]


def intake(context: typer.Context, host: HOST = None, port: PORT = None) -> None:
    """Take alerts and people's acts over HTTP: the other production process. SIGTERM ends it."""
    from watchkeeper.cli.event_loop import new_loop
    from watchkeeper.intake.server import ListenError

    perform(_intake(context, host, port), ListenError, loop=new_loop)


async def _intake(context: typer.Context, host: str | None, port: int | None) -> None:
    from watchkeeper import logging_config

    settings = _listening_at(settings_of(context), host, port)
    logging_config.log_to_stderr(logging.INFO, settings.telemetry.log_format, settings.redactor)
    log = logging.getLogger("watchkeeper")
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, ended.set)
    client = await connect(lazy=True)
    async with taking_in(client, settings) as address:
        if not settings.sources:
            kind = env_variable("sources", "name", "kind")
            log.warning("no [sources.NAME] is configured, so no alert can come in; set %s and its secret", kind)
        log.info("listening at %s for the task queue %r", address, settings.worker.task_queue)
        await ended.wait()
    log.info("ended")


def _listening_at(settings: Settings, host: str | None, port: int | None) -> Settings:
    given = {"host": host, "port": port}
    changes = {name: value for name, value in given.items() if value is not None}
    return settings.model_copy(update={"intake": settings.intake.model_copy(update=changes)})


@asynccontextmanager
async def taking_in(
    client: Client, settings: Settings, *beside: AbstractAsyncContextManager[object]
) -> AsyncIterator[str]:
    """Serve the intake as the settings say, and its watchdog, for as long as the context lasts; gives its address.

    Raises SettingsError where anybody could act on runs or the watchdog's journal cannot be used, and CannotListen.
    """
    import httpx2

    from watchkeeper.intake.app import create_app
    from watchkeeper.intake.authentication import require_authentication
    from watchkeeper.intake.server import serve
    from watchkeeper.intake.watchdog_hook import with_watchdog
    from watchkeeper.runs.dispatch import dispatch_alerts
    from watchkeeper.slack import interactions
    from watchkeeper.watchdog.watchdog import Watchdog

    require_authentication(settings)
    async with httpx2.AsyncClient(timeout=PAGER_SECONDS, follow_redirects=False) as http:
        watchdog = Watchdog(client, settings, http)
        app = create_app(
            client,
            settings,
            with_watchdog(dispatch_alerts, watchdog),
            interactions=interactions,
            counts=watchdog.counts,
            background=beside,
        )
        try:
            async with (
                serve(app, settings.intake.host, settings.intake.port) as address,
                _until_left(watchdog.poll_forever()),
            ):
                yield address
        finally:
            watchdog.close()


@asynccontextmanager
async def _until_left(work: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
    """Do some work beside the body of the context; where it fails, the body is cancelled and its error raised."""
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
async def taking_in_here(client: Client, settings: Settings, port: int | None) -> AsyncIterator[str]:
    """Serve the intake on loopback alone, at the port that is given, else the configured or, if taken, a free one."""
    usual = settings.intake.port
    chosen = (usual if is_free(usual) else 0) if port is None else port
    async with taking_in(client, _listening_at(settings, LOOPBACK, chosen)) as address:
        yield address
