"""``replay``: test whether the current workflow code can continue recorded runs or the runs on a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.command_runner import ERROR, UsageError, connect_client, run_command
from watchkeeper.cli.run_commands import JSON
from watchkeeper.console import err, out, with_typed_commands, write_json
from watchkeeper.text import excerpt, one_line

if TYPE_CHECKING:
    from watchkeeper.replay.history_files import RecordedHistory
    from watchkeeper.replay.verdict import ReplayVerdict

_LINE_EVERY = 500
"""Without a terminal, a line of progress is printed after this many histories."""


def replay(
    path: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Files of recorded histories, or folders of them.")
    ] = None,
    open_runs: Annotated[bool, typer.Option("--open", help="Replay every open run on the server.")] = False,
    from_server: Annotated[
        str | None, typer.Option(metavar="QUERY", help="Replay the runs on the server that a visibility query finds.")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.01, help="Time limit for one history.")] = 120,
    as_json: JSON = False,
) -> None:
    """Test that this version can continue existing runs.

    The current workflow code replays recorded histories, or the histories of the runs on a server.

    Exit codes: 0 it can continue all, 1 it cannot continue some, 2 wrong usage or no such history. A query that matches
    no run is wrong usage; that no run is open is not.
    """
    run_command(_replay(path or [], _ServerQuery(open_runs, from_server), timeout, as_json=as_json), OSError)


@dataclass(frozen=True)
class _ServerQuery:
    """Which runs on the server are replayed."""

    open_runs: bool
    from_server: str | None

    @property
    def text(self) -> str | None:
        """The visibility query; None if no run on the server is replayed."""
        from watchkeeper.replay.server_histories import OPEN_RUNS

        if self.open_runs:
            return f"{OPEN_RUNS} AND ({self.from_server})" if self.from_server else OPEN_RUNS
        return self.from_server


async def _replay(paths: list[Path], query: _ServerQuery, timeout: float, *, as_json: bool) -> int:
    if not paths and query.text is None:
        raise UsageError("name what to replay: files or folders, --open for all open runs, or --from-server QUERY")
    verdicts: list[ReplayVerdict] = []
    replayed, broken = 0, Counter[str]()
    with _progress() as report_progress:
        async for verdict in _verdicts(paths, query, timeout, report_progress):
            replayed += 1
            if not verdict.agrees:
                broken[verdict.remedy] += 1
            if as_json:
                verdicts.append(verdict)
            elif paths or not verdict.agrees:
                _print_verdict(verdict)
            report_progress(replayed, broken.total(), None)
    if as_json:
        histories = [verdict.as_object() for verdict in verdicts]
        write_json({"replayed": replayed, "broken": broken.total(), "histories": histories})
    else:
        typer.echo(f"{_count_histories(replayed)} replayed, {broken.total():,} broken")
        for remedy, times in broken.items():
            out.print(Text.assemble((f"to fix {times:,}: ", "bold"), with_typed_commands(remedy)), soft_wrap=True)
    return ERROR if broken else 0


async def _verdicts(
    paths: list[Path], query: _ServerQuery, timeout: float, report_progress: _ReportProgress
) -> AsyncIterator[ReplayVerdict]:
    from watchkeeper.replay import replayer
    from watchkeeper.replay.history_files import InvalidHistory
    from watchkeeper.replay.server_histories import InvalidReplayQuery
    from workflows.incident import IncidentWorkflow
    from workflows.late_delivery import DeliveryWorkflow
    from workflows.queue import QueueWorkflow

    recordings = _recordings(paths, query, report_progress)
    workflows = [IncidentWorkflow, QueueWorkflow, DeliveryWorkflow]
    # Files need no waiting, and are reported in their order.
    concurrency = replayer.CONCURRENT_REPLAYS if query.text is not None else 1
    try:
        async for verdict in replayer.replay_histories(recordings, workflows, concurrency=concurrency, timeout=timeout):
            yield verdict
    except (InvalidHistory, InvalidReplayQuery) as error:
        raise UsageError(str(error)) from error


async def _recordings(
    paths: list[Path], query: _ServerQuery, report_progress: _ReportProgress
) -> AsyncIterator[RecordedHistory]:
    from watchkeeper.replay import history_files, server_histories

    files, text = list(history_files.find_histories(paths)), query.text
    client = await connect_client() if text is not None else None
    found = await server_histories.count_runs(client, text) if client is not None and text is not None else 0
    report_progress(0, 0, len(files) + found)
    for file in files:
        yield history_files.read_history(file)
    if client is not None and text is not None:
        fetched = 0
        async for recording in server_histories.fetch_histories(client, text):
            fetched += 1
            yield recording
        if not fetched:
            await _require_match(client, query)


async def _require_match(client: Client, query: _ServerQuery) -> None:
    """Raise UsageError if the query of the person matches no run: a misspelled value would pass every time."""
    from watchkeeper.replay import server_histories

    if query.from_server is None or (query.open_runs and await server_histories.count_runs(client, query.from_server)):
        return
    raise UsageError(
        f"no run on the server matches the query {excerpt(query.from_server, 300)!r}; nothing of it was replayed"
    )


def _count_histories(number: int) -> str:
    return f"{number:,} {'history' if number == 1 else 'histories'}"


def _print_verdict(verdict: ReplayVerdict) -> None:
    style = "green" if verdict.agrees else "bold red"
    word, rest = str(verdict).split(maxsplit=1)
    out.print(Text.assemble((word, style), "  ", one_line(rest, 1_500)), soft_wrap=True)


class _ReportProgress(Protocol):
    """Takes the histories replayed so far, how many of them are broken, and their total once it is known."""

    def __call__(self, replayed: int, broken: int, total: int | None) -> None: ...


@contextmanager
def _progress() -> Iterator[_ReportProgress]:
    """Show the progress on stderr: a bar in a terminal, otherwise a line now and then."""
    if not err.is_terminal:
        yield _print_progress_line
        return
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as bar:
        task = bar.add_task("", total=None)

        def update_bar(replayed: int, broken: int, total: int | None) -> None:
            description = f"{broken:,} broken" if broken else ""
            if total is None:
                bar.update(task, completed=replayed, description=description)
            else:
                bar.update(task, completed=replayed, description=description, total=total)

        yield update_bar


def _print_progress_line(replayed: int, broken: int, total: int | None) -> None:
    if replayed and replayed % _LINE_EVERY == 0:
        err.print(f"{_count_histories(replayed)} replayed so far, {broken:,} broken", soft_wrap=True)
