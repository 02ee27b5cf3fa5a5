"""``list``: the runs, filtered."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.command_runner import SECONDS_PER_UNIT, UsageError, connect_client, run_command
from watchkeeper.cli.run_commands import JSON
from watchkeeper.console import clock, err, out, table, typed_command, write_json
from watchkeeper.contracts import RunStatus
from watchkeeper.run_view.json_view import list_row_json
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.client import EPISODE_CHARACTERS, InvalidListQuery, NoSuchRun, RunInfo
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.temporal.search_attributes import PERSON, WaitingFor
from watchkeeper.text import duration, one_line

_HEADINGS = ("run", "status", "service", "severity", "started", "duration", "rounds", "cost", "summary")
_OPTIONAL = ("rounds", "cost", "severity", "duration", "service")
"""The columns that a narrow terminal omits, in this order."""

_STYLES = {"concluded": "green", "stopped": "yellow"}

_CONCURRENT_LOOKUPS = 8


def list_runs(
    open_only: Annotated[bool, typer.Option("--open", help="Only runs that have not ended.")] = False,
    service: Annotated[str | None, typer.Option(help="Only runs of this service.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only runs of this severity.")] = None,
    team: Annotated[str | None, typer.Option(help="Only runs of this team.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Only runs started by this alert source, or by people: `person`.")
    ] = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only runs with this status.")] = None,
    waiting: Annotated[WaitingFor | None, typer.Option(help="Only runs that wait for this.")] = None,
    unsupported: Annotated[
        bool, typer.Option("--unsupported", help="Only runs whose report has statements that nothing supports.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only runs started since 24h, 7d or 2026-11-25T03:00.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="QUERY", help="A Temporal list filter to add, such as `CostUsd > 1`.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="List at most this many.")] = 50,
    as_json: JSON = False,
) -> None:
    """List the runs, the newest first."""

    async def filtered() -> None:
        run_filter = RunFilter(
            open_only=open_only,
            service=service,
            severity=severity,
            team=team,
            source=source,
            state=status,
            waiting_for=waiting,
            unsupported=unsupported,
            since=_time(since) if since is not None else None,
            query=query,
        )
        await _list(run_filter, limit=limit, as_json=as_json)

    run_command(filtered(), InvalidListQuery)


def _time(text: str) -> datetime:
    """Read ``24h``, or a date with or without a time, in this machine's time zone. Raises UsageError."""
    ago = re.fullmatch(r"(\d+)([smhd])", text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * SECONDS_PER_UNIT[ago[2]])
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {text!r}: write 90m, 24h, 7d, or a time such as 2026-11-25T03:00") from error


async def _list(run_filter: RunFilter, *, limit: int, as_json: bool) -> None:
    client = await connect_client()
    found: list[RunInfo] = []
    async for run in runs_client.list_runs(client, run_filter):
        if len(found) == limit:
            if not as_json:
                err.print(Text(f"There are more than {limit} runs. List more with --limit.", "dim"))
            break
        found.append(run)
    if as_json:
        write_json([list_row_json(run) for run in found])
    elif not found and run_filter.narrows:
        err.print(Text(f"No runs match. List all runs: {typed_command('list')}", "dim"))
    elif not found:
        err.print(Text(f"No runs. Start one: {typed_command('run TEXT')}", "dim"))
    else:
        names = await _names(client, found, run_filter)
        rows = [_row(name, run) for name, run in zip(names, found, strict=True)]
        out.print(table(_HEADINGS, rows, optional=_OPTIONAL), soft_wrap=True)


async def _names(client: Client, found: list[RunInfo], run_filter: RunFilter) -> list[str]:
    """Return the name under which `show` finds each run: earlier episodes of a workflow id include their run id."""
    latest: dict[str, str] = {}
    for run in reversed(found):
        latest[run.workflow_id] = run.run_id
    # A filtered list may omit the latest episode of a closed run. Runs that people start have one episode.
    uncertain = [run for run in found if run_filter.narrows and run.closed_at is not None and run.source != PERSON]
    slots = asyncio.Semaphore(_CONCURRENT_LOOKUPS)

    async def look_up(workflow_id: str) -> None:
        async with slots:
            try:
                latest[workflow_id] = (await runs_client.find_run(client, workflow_id)).run_id
            except NoSuchRun:  # deleted since the list was made
                return

    await asyncio.gather(*(look_up(name) for name in {run.workflow_id for run in uncertain}))
    return [
        run.workflow_id
        if latest[run.workflow_id] == run.run_id
        else f"{run.workflow_id}@{run.run_id[:EPISODE_CHARACTERS]}"
        for run in found
    ]


def _row(name: str, run: RunInfo) -> tuple[Text | str, ...]:
    seconds = ((run.closed_at or datetime.now(UTC)) - run.started_at).total_seconds()
    today = f"{datetime.now():%Y-%m-%d} "
    return (
        name,
        short_status(run),
        run.service or "",
        run.severity or "",
        clock(run.started_at).removeprefix(today) if out.is_terminal else clock(run.started_at),
        duration(seconds),
        "" if run.rounds is None else f"{run.rounds}",
        "" if run.cost is None else f"${run.cost:.4f}",
        one_line(run.report or run.text or "", 120),
    )


def short_status(run: RunInfo) -> Text:
    """Return the short status: how the run ended, what it waits for, or what it is doing."""
    if run.problem is not None:
        return Text(f"{run.status}, stuck: {run.problem}", "bold red")
    if run.status == "running" and not run.paused:
        today = f"{datetime.now():%Y-%m-%d} "
        until = f" until {clock(run.waits_until).removeprefix(today)}" if run.waits_until else ""
        waits = {"approval": f"waits for approval{until}", "turn": "queued"}.get(run.waiting_for or "")
        return Text(waits, "bold yellow") if waits else Text(run.phase or run.status, "cyan")
    if run.paused:
        return Text(f"{run.status}, paused", "yellow")
    undelivered = "not delivered" if run.undelivered else ""
    step = "" if run.closed_at else {"over": "", "reporting": "delivering"}.get(run.phase or "", "open")
    unsupported = f"{run.unsupported} unsupported" if run.unsupported else ""
    style = "yellow" if run.unsupported and run.status == "concluded" else _STYLES.get(run.status, "red")
    parts = (run.status, undelivered, step, unsupported)
    return Text(", ".join(part for part in parts if part), "red" if undelivered else style)
