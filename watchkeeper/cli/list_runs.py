"""``list``: the runs, narrowed as people ask at three in the morning."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.runner import UNITS, Misuse, connected, perform
from watchkeeper.cli.runs import JSON
from watchkeeper.console import clock, err, out, table, write_json
from watchkeeper.run_view.json_view import list_row_json
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.client import EPISODE_CHARACTERS, InvalidListQuery, NoSuchRun, RunInfo
from watchkeeper.runs.list_filter import ListStatus, RunFilter
from watchkeeper.temporal.search_attributes import PERSON, WaitingFor
from watchkeeper.text import duration, one_line

_HEADINGS = ("run", "stands", "service", "severity", "started", "took", "rounds", "cost", "what")
_SPARE = ("rounds", "cost", "severity", "took", "service")
"""What a narrow terminal leaves out, the first one first."""

_STYLES = {"paused": "yellow", "concluded": "green", "stopped": "yellow"}

_LOOKED_UP = 8
"""Runs that Temporal is asked about at once."""


def list_runs(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    service: Annotated[str | None, typer.Option(help="Only those of a service.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only those of a severity.")] = None,
    team: Annotated[str | None, typer.Option(help="Only those of a team.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Only those that an alert source started, or `person` for people.")
    ] = None,
    status: Annotated[ListStatus | None, typer.Option(help="Only those that stand so.")] = None,
    waiting: Annotated[WaitingFor | None, typer.Option(help="Only those that wait for this.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those that started since: 24h, 7d or 2026-11-25T03:00.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="QUERY", help="And what else, as Temporal's lists are asked: CostUsd > 1.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many, the newest first.")] = 50,
    as_json: JSON = False,
) -> None:
    """List the runs, the newest first."""

    async def asked() -> None:
        wanted = RunFilter(
            open_only=open_only,
            service=service,
            severity=severity,
            team=team,
            source=source,
            state=status,
            waiting_for=waiting,
            since=_time(since) if since is not None else None,
            query=query,
        )
        await _list(wanted, most=most, as_json=as_json)

    perform(asked(), InvalidListQuery)


def _time(given: str) -> datetime:
    """Read ``24h`` or a date with or without a time, which is this machine's. Raises Misuse."""
    ago = re.fullmatch(r"(\d+)([smhd])", given)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
        return datetime.fromisoformat(given).astimezone()
    except (ValueError, OverflowError) as error:
        raise Misuse(f"--since {given!r}: write 90m, 24h, 7d, or a time such as 2026-11-25T03:00") from error


async def _list(wanted: RunFilter, *, most: int, as_json: bool) -> None:
    client = await connected()
    found: list[RunInfo] = []
    async for one in runs_client.list_runs(client, wanted):
        if len(found) == most:
            if not as_json:
                err.print(Text(f"There are more than {most}; see them with --most", "dim"))
            break
        found.append(one)
    if as_json:
        write_json([list_row_json(one) for one in found])
    elif not found and wanted.narrows:
        err.print(Text("No such runs. See all of them: watchkeeper list", "dim"))
    elif not found:
        err.print(Text("No runs. Start one: watchkeeper run TEXT", "dim"))
    else:
        names = await _names(client, found, wanted)
        rows = [_row(name, one) for name, one in zip(names, found, strict=True)]
        out.print(table(_HEADINGS, rows, optional=_SPARE), soft_wrap=True)


async def _names(client: Client, found: list[RunInfo], wanted: RunFilter) -> list[str]:
    """Name each run so that `show` finds it: of the episodes of one name, all but the latest with their run id."""
    latest: dict[str, str] = {}
    for one in reversed(found):
        latest[one.workflow_id] = one.run_id
    # In a list of some, the latest that is listed need not be the latest there is: unless it is open, or a person's.
    doubtful = [one for one in found if wanted.narrows and one.closed_at is not None and one.source != PERSON]
    asking = asyncio.Semaphore(_LOOKED_UP)

    async def look_up(workflow_id: str) -> None:
        async with asking:
            try:
                latest[workflow_id] = (await runs_client.find_run(client, workflow_id)).run_id
            except NoSuchRun:  # its retention was over just now
                return

    await asyncio.gather(*(look_up(name) for name in {one.workflow_id for one in doubtful}))
    return [
        one.workflow_id
        if latest[one.workflow_id] == one.run_id
        else f"{one.workflow_id}@{one.run_id[:EPISODE_CHARACTERS]}"
        for one in found
    ]


def _row(name: str, one: RunInfo) -> tuple[Text | str, ...]:
    took = duration(((one.closed_at or datetime.now(UTC)) - one.started_at).total_seconds())
    return (
        name,
        _standing(one),
        one.service or "",
        one.severity or "",
        clock(one.started_at).removeprefix(f"{datetime.now():%Y-%m-%d} ") if out.is_terminal else clock(one.started_at),
        took,
        "" if one.rounds is None else f"{one.rounds}",
        "" if one.cost is None else f"${one.cost:.4f}",
        one_line(one.report or one.text or "", 120),
    )


def _standing(one: RunInfo) -> Text:
    """Say how a run stands in one word or two: how it ended, else whom it waits for, else what it does."""
    if one.status == "running" and one.closed_at is None:
        said = {"approval": "waits for approval", "turn": "queued"}.get(one.waiting_for or "")
        return Text(said, "bold yellow") if said else Text(one.phase or one.status, "cyan")
    is_open = one.closed_at is None and one.status != "paused"
    return Text(f"{one.status}, open" if is_open else one.status, _STYLES.get(one.status, "red"))
