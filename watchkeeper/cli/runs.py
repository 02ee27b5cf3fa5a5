"""``run``, ``watch`` and ``show``: starting runs and looking at them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.runner import EXIT, Misuse, connected, limits, perform, settings_of
from watchkeeper.cli.watch.renderer import TerminalRenderer
from watchkeeper.config.settings import Settings
from watchkeeper.console import err, out, write_json
from watchkeeper.contracts import RunInput
from watchkeeper.run_view.follow import follow_run, read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.phrases import current_step
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.runs import client as runs_client
from watchkeeper.runs import start_options

RUN = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, as `watchkeeper list` shows it.")]
EPISODE = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Name of a run, as `watchkeeper list` shows it; RUN@RUN_ID for an earlier one of that name."
    ),
]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def run(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The alert or the question.")],
    service: Annotated[str | None, typer.Option(help="Name in the service catalogue.")] = None,
    severity: Annotated[str | None, typer.Option(help="How bad it is, in your own words.")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="rounds=5, tool_calls=9, tokens=90000, duration=30m or cost=0.5."),
    ] = None,
    tool_choice: Annotated[
        str | None, typer.Option(metavar="CHOICE", help="auto, none, required, or the name of a tool to begin with.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start it and print its name.")] = False,
    as_json: JSON = False,
) -> None:
    """Start a run and follow it to its report.

    Exit code: 0 it concluded, 3 a limit ended it, 4 it failed, 5 it was stopped.
    """

    async def start() -> int:
        given = _given(text, service, severity, limit or [], tool_choice)
        return await _run(settings_of(context), given, wait=not no_wait, as_json=as_json)

    perform(start())


def watch(run: EPISODE) -> None:
    """Follow a run, or tell a finished one again. Exit code as of `run`."""
    perform(_watch(run))


def show(run: EPISODE, as_json: JSON = False) -> None:
    """Tell one run up to now. Needs no worker."""
    perform(_show(run, as_json=as_json))


def _given(text: str, service: str | None, severity: str | None, limit: list[str], tool_choice: str | None) -> RunInput:
    facts: dict[str, object] = {"text": text, "service": service, "severity": severity}
    facts |= {"limits": limits(limit), "tool_choice": start_options.tool_choice(tool_choice)}
    if not text.strip():
        raise Misuse("say what happened: the text is empty")
    try:
        return RunInput.model_validate({name: fact for name, fact in facts.items() if fact is not None})
    except ValidationError as error:
        (wrong, *_) = error.errors()
        what, most = ".".join(map(str, wrong["loc"])), wrong.get("ctx", {})["max_length"]
        raise Misuse(
            f"{what}: {len(wrong['input']):,} characters are too many; at most {most:,} can be sent"
        ) from error


async def _run(settings: Settings, given: RunInput, *, wait: bool, as_json: bool) -> int:
    if problem := start_options.unknown_service(settings, given.service):
        raise Misuse(problem)
    client = await connected()
    found = await runs_client.start_run(client, given, settings)
    if not wait:
        if as_json:
            write_json(run_json(await read_run(client, found.workflow_id)))
        else:
            typer.echo(found.workflow_id)
        return 0
    if as_json:
        story = await follow_quietly(client, found.workflow_id)
        write_json(run_json(story))
    else:
        story = await follow_aloud(client, found.workflow_id)
    return EXIT[story.status]


async def _watch(run: str) -> int:
    story = await follow_aloud(await connected(), run)
    return EXIT[story.status]


async def follow_aloud(client: Client, run: str) -> RunView:
    """Tell a run as it happens; say how to come back when interrupted."""
    telling = RunProjection(client.data_converter)
    narrator = TerminalRenderer(telling.view, out, live=True)
    try:
        async with narrator:
            return await follow_run(client, run, telling, narrator.show_change, narrator.show_notice, narrator.pending)
    except asyncio.CancelledError:
        say_how_to_return(run)
        raise


async def follow_quietly(client: Client, run: str) -> RunView:
    """Wait for a run to be over; only what holds it up is said, on stderr."""

    def say(text: str) -> None:
        err.print(Text(text, "yellow"), soft_wrap=True)

    try:
        return await follow_run(client, run, RunProjection(client.data_converter), lambda told: None, say)
    except asyncio.CancelledError:
        say_how_to_return(run)
        raise


def say_how_to_return(run: str) -> None:
    """Say that a run goes on without us."""
    err.print(Text(f"\nThe run goes on. Come back with: watchkeeper watch {run}"), soft_wrap=True)


async def _show(run: str, *, as_json: bool) -> None:
    client = await connected()
    if as_json:
        write_json(run_json(await read_run(client, run)))
        return
    telling = RunProjection(client.data_converter)
    narrator = TerminalRenderer(telling.view, out)
    story = await read_run(client, run, narrator.show_change, telling)
    narrator.show_approvals()
    if story.status == "running":
        narrator.show_notice(f"it goes on: {current_step(story)}; follow it with `watchkeeper watch {run}`")
