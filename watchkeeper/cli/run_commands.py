"""``run``, ``watch`` and ``show``: start a run, follow it, print it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.command_runner import (
    UsageError,
    connect_client,
    context_settings,
    exit_code,
    parse_limits,
    run_command,
)
from watchkeeper.cli.watch.renderer import TerminalRenderer
from watchkeeper.config.settings import Settings
from watchkeeper.console import err, out, typed_command, write_json
from watchkeeper.contracts import RunInput
from watchkeeper.run_view.follow import follow_run, read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.run_view.run_phrases import current_step
from watchkeeper.runs import client as runs_client
from watchkeeper.runs import start_options
from watchkeeper.runs.run_reference import find_reference
from watchkeeper.runs.start_check import check_start

_RUN_HELP = "A run, from `watchkeeper list`: its id or run id, or the unique beginning of one, or `latest`."
RUN = Annotated[str, typer.Argument(metavar="RUN", help=_RUN_HELP)]
RUN_OR_EPISODE = Annotated[str, typer.Argument(metavar="RUN", help=f"{_RUN_HELP} RUN@RUN_ID names an earlier episode.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def run(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The alert or the question.")],
    service: Annotated[str | None, typer.Option(help="The service, as the settings name it.")] = None,
    severity: Annotated[str | None, typer.Option(help="The severity, as free text.")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="rounds=5, tool_calls=9, tokens=90000, duration=30m or cost=0.5."),
    ] = None,
    tool_choice: Annotated[
        str | None,
        typer.Option(metavar="CHOICE", help="auto, none, required, or the name of the tool to call first."),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the run, print its name and exit.")] = False,
    as_json: JSON = False,
) -> None:
    """Start a run and follow it until its report.

    Exit codes: 0 concluded, 3 ended by a limit, 4 failed, 5 stopped by a person, 6 concluded, but a destination has not
    received the report.
    """

    async def start() -> int:
        run_input = _run_input(text, service, severity, limit or [], tool_choice)
        return await _run(context_settings(context), run_input, wait=not no_wait, as_json=as_json)

    run_command(start())


def watch(run: RUN_OR_EPISODE) -> None:
    """Follow a run live, or print a finished one. Same exit codes as `run`."""
    run_command(_watch(run))


def show(run: RUN_OR_EPISODE, as_json: JSON = False) -> None:
    """Print a run up to now. Needs no worker."""
    run_command(_show(run, as_json=as_json))


def _run_input(
    text: str, service: str | None, severity: str | None, limit: list[str], tool_choice: str | None
) -> RunInput:
    fields: dict[str, object] = {"text": text, "service": service, "severity": severity}
    fields |= {"limits": parse_limits(limit), "tool_choice": start_options.tool_choice(tool_choice)}
    if not text.strip():
        raise UsageError("the text is empty; describe what happened")
    try:
        return RunInput.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        (problem, *_) = error.errors()
        field, maximum = ".".join(map(str, problem["loc"])), problem.get("ctx", {})["max_length"]
        raise UsageError(
            f"{field}: {len(problem['input']):,} characters are too many; at most {maximum:,} can be sent"
        ) from error


async def _run(settings: Settings, run_input: RunInput, *, wait: bool, as_json: bool) -> int:
    client = await connect_client()
    if problem := await check_start(client, run_input, settings):
        raise UsageError(problem.message)
    started = await runs_client.start_run(client, run_input, settings)
    if not wait:
        if as_json:
            write_json(run_json(await read_run(client, started.workflow_id)))
        else:
            typer.echo(started.workflow_id)
        return 0
    if as_json:
        view = await follow_silently(client, started.workflow_id)
        write_json(run_json(view))
    else:
        view = await follow_and_print(client, started.workflow_id)
    return exit_code(view)


async def _watch(run: str) -> int:
    client = await connect_client()
    view = await follow_and_print(client, (await find_reference(client, run)).name)
    return exit_code(view)


async def follow_and_print(client: Client, run: str) -> RunView:
    """Print a run as it happens. On Ctrl-C, print how to follow it again."""
    projection = RunProjection(client.data_converter)
    renderer = TerminalRenderer(projection.view, out, live=True)
    try:
        async with renderer:
            view = await follow_run(
                client, run, projection, renderer.show_change, renderer.show_notice, renderer.pending
            )
            renderer.show_undelivered_report()
            return view
    except asyncio.CancelledError:
        print_return_hint(run)
        raise


async def follow_silently(client: Client, run: str) -> RunView:
    """Wait until a run has ended. Print on stderr only why it makes no progress."""

    def notice(text: str) -> None:
        err.print(Text(text, "yellow"), soft_wrap=True)

    try:
        return await follow_run(client, run, RunProjection(client.data_converter), lambda change: None, notice)
    except asyncio.CancelledError:
        print_return_hint(run)
        raise


def print_return_hint(run: str) -> None:
    """Print that a run continues, and how to follow it again."""
    err.print(Text(f"\nThe run continues. Follow it again: {typed_command(f'watch {run}')}"), soft_wrap=True)


async def _show(run: str, *, as_json: bool) -> None:
    client = await connect_client()
    run = (await find_reference(client, run)).name
    if as_json:
        write_json(run_json(await read_run(client, run)))
        return
    projection = RunProjection(client.data_converter)
    renderer = TerminalRenderer(projection.view, out)
    view = await read_run(client, run, renderer.show_change, projection)
    renderer.show_approvals()
    renderer.show_undelivered_report()
    if view.problem:
        renderer.show_notice(f"the run is stuck: {view.problem}")
    if view.status == "running":
        renderer.show_notice(f"still running: {current_step(view)}; follow it: {typed_command(f'watch {run}')}")
