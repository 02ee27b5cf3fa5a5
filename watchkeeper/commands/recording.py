"""``history export`` and ``replay``: recorded histories, and whether today's code still agrees with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import WorkflowHistory

from watchkeeper.commands.performing import ERROR, Misuse, connected, perform
from watchkeeper.commands.running import RUN
from watchkeeper.stories.following import executions
from watchkeeper.terminal import count, one_line, out
from watchkeeper.text import excerpt

history = typer.Typer(help="Record histories.", no_args_is_help=True)


@history.callback()
def _histories() -> None:
    """Record histories."""


@history.command()
def export(run: RUN, file: Annotated[Path, typer.Argument(metavar="FILE", help="A .json file to write.")]) -> None:
    """Write the history of a run, as Temporal's own tools read it.

    A run that continued as new has several: FILE-1.json, FILE-2.json and so on.
    """
    perform(_export(run, file), OSError)


def replay(
    path: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Recorded histories, or folders of them.")],
) -> None:
    """Test today's workflow code against histories.

    Exit code 1 if it does not do what they say.
    """
    perform(_replay(path), OSError)


async def _export(run: str, file: Path) -> None:
    client = await connected()
    chain = await executions(client, run)
    for number, run_id in enumerate(chain, start=1):
        recorded = await client.get_workflow_handle(run, run_id=run_id).fetch_history()
        target = file if len(chain) == 1 else file.with_stem(f"{file.stem}-{number}")
        target.write_text(f"{recorded.to_json()}\n", encoding="utf-8")
        typer.echo(f"{target}: {count(len(recorded.events), 'event')}")


async def _replay(paths: list[Path]) -> int:
    from temporalio.worker import Replayer

    from watchkeeper.sandbox import Sandbox
    from watchkeeper.temporal import DATA_CONVERTER
    from workflows.incident import IncidentWorkflow
    from workflows.queue import QueueWorkflow

    files = list(_files(paths))
    workflows = [IncidentWorkflow, QueueWorkflow]
    replayer = Replayer(workflows=workflows, workflow_runner=Sandbox(), data_converter=DATA_CONVERTER)
    failed = 0
    for file in files:
        outcome = await replayer.replay_workflow(_read(file), raise_on_replay_failure=False)
        failure = outcome.replay_failure
        failed += failure is not None
        verdict = ("agrees", "green") if failure is None else ("breaks", "bold red")
        because = f": {one_line(excerpt(str(failure), 1_000), 1_000)}" if failure is not None else ""
        out.print(Text.assemble(verdict, f"  {file}{because}"), soft_wrap=True)
    typer.echo(f"{count(len(files), 'history').replace('historys', 'histories')} replayed, {failed} broken")
    return ERROR if failed else 0


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        if not found:
            raise Misuse(f"no recorded history (*.json) in {path}; record one with `watchkeeper history export`")
        yield from found


def _read(file: Path) -> WorkflowHistory:
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
        started = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
        return WorkflowHistory.from_json(started.get("workflowId") or file.stem, recorded)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Misuse(f"{file} is no recorded history; record one with `watchkeeper history export`") from error
