"""``replay``: whether the workflow code of today still agrees with recorded histories, or with what a server holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from watchkeeper.cli.command_runner import ERROR, UsageError, connect_client, run_command
from watchkeeper.cli.runs import JSON
from watchkeeper.console import err, out, write_json
from watchkeeper.text import one_line

if TYPE_CHECKING:
    from watchkeeper.replay.history_files import RecordedHistory
    from watchkeeper.replay.verdict import ReplayVerdict

_EVERY = 500
"""After so many histories, those who cannot see a bar are told how far it is."""


def replay(
    path: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Recorded histories, or folders of them.")
    ] = None,
    open_runs: Annotated[bool, typer.Option("--open", help="Every run on the server that is not over.")] = False,
    from_server: Annotated[
        str | None, typer.Option(metavar="QUERY", help="The runs on the server that a visibility query finds.")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.01, help="Most that one history may take.")] = 120,
    as_json: JSON = False,
) -> None:
    """Test today's workflow code against histories: recorded ones, or those of a server before a deploy.

    Exit code: 0 it does what they say, 1 it does not, 2 there is nothing to replay by that name.
    """
    run_command(_replay(path or [], _query(open_runs, from_server), timeout, as_json=as_json), OSError)


def _query(open_runs: bool, from_server: str | None) -> str | None:
    from watchkeeper.replay.server_histories import OPEN_RUNS

    if open_runs:
        return f"{OPEN_RUNS} AND ({from_server})" if from_server else OPEN_RUNS
    return from_server


async def _replay(paths: list[Path], query: str | None, timeout: float, *, as_json: bool) -> int:
    if not paths and query is None:
        raise UsageError("say what to replay: files or folders, --open for all open runs, or --from-server QUERY")
    verdicts: list[ReplayVerdict] = []
    replayed, broken = 0, Counter[str]()
    with _progress() as tell:
        async for verdict in _verdicts(paths, query, timeout, tell):
            replayed += 1
            if not verdict.agrees:
                broken[verdict.way_out] += 1
            if as_json:
                verdicts.append(verdict)
            elif paths or not verdict.agrees:
                _say(verdict)
            tell(replayed, broken.total(), None)
    if as_json:
        histories = [verdict.as_object() for verdict in verdicts]
        write_json({"replayed": replayed, "broken": broken.total(), "histories": histories})
    else:
        typer.echo(f"{_histories(replayed)} replayed, {broken.total():,} broken")
        for way_out, times in broken.items():
            out.print(Text.assemble((f"to mend {times:,}: ", "bold"), way_out), soft_wrap=True)
    return ERROR if broken else 0


async def _verdicts(paths: list[Path], query: str | None, timeout: float, tell: _Tell) -> AsyncIterator[ReplayVerdict]:
    from watchkeeper.replay import replayer
    from watchkeeper.replay.history_files import InvalidHistory
    from watchkeeper.replay.server_histories import InvalidReplayQuery
    from workflows.incident import IncidentWorkflow
    from workflows.queue import QueueWorkflow

    recordings = _recordings(paths, query, tell)
    try:
        # Files are read at once, and told of in their order.
        at_once = replayer.CONCURRENT_REPLAYS if query is not None else 1
        workflows = [IncidentWorkflow, QueueWorkflow]
        async for verdict in replayer.replay_histories(recordings, workflows, lanes=at_once, timeout=timeout):
            yield verdict
    except (InvalidHistory, InvalidReplayQuery) as error:
        raise UsageError(str(error)) from error


async def _recordings(paths: list[Path], query: str | None, tell: _Tell) -> AsyncIterator[RecordedHistory]:
    from watchkeeper.replay import history_files as recordings
    from watchkeeper.replay import server_histories

    files = list(recordings.find_histories(paths))
    client = await connect_client() if query is not None else None
    found = await server_histories.count_runs(client, query) if client is not None and query is not None else 0
    tell(0, 0, len(files) + found)
    for file in files:
        yield recordings.read_history(file)
    if client is not None and query is not None:
        async for recording in server_histories.fetch_histories(client, query):
            yield recording


def _histories(number: int) -> str:
    return f"{number:,} {'history' if number == 1 else 'histories'}"


def _say(verdict: ReplayVerdict) -> None:
    style = "green" if verdict.agrees else "bold red"
    word, rest = str(verdict).split(maxsplit=1)
    out.print(Text.assemble((word, style), "  ", one_line(rest, 1_500)), soft_wrap=True)


class _Tell(Protocol):
    """Takes how many were replayed, how many of them are broken, and, once it is known, how many there are."""

    def __call__(self, replayed: int, broken: int, total: int | None) -> None: ...


@contextmanager
def _progress() -> Iterator[_Tell]:
    """Show on stderr how far it is: a bar in a terminal, else a line now and then."""
    if not err.is_terminal:
        yield _tell_in_lines
        return
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(replayed: int, broken: int, total: int | None) -> None:
            description = f"{broken:,} broken" if broken else ""
            if total is None:
                bar.update(task, completed=replayed, description=description)
            else:
                bar.update(task, completed=replayed, description=description, total=total)

        yield tell


def _tell_in_lines(replayed: int, broken: int, total: int | None) -> None:
    if replayed and replayed % _EVERY == 0:
        err.print(f"{_histories(replayed)} replayed so far, {broken:,} broken", soft_wrap=True)
