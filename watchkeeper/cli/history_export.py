"""``history export``: the histories of a run as files that replay anywhere and contain no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.command_runner import UsageError, connect_client, context_settings, run_command
from watchkeeper.cli.run_commands import RUN_OR_EPISODE
from watchkeeper.console import err
from watchkeeper.contracts import JsonObject
from watchkeeper.run_view.follow import execution_chain
from watchkeeper.runs.client import describe_run, split_run_name
from watchkeeper.runs.run_reference import ALL_TYPES, find_reference
from watchkeeper.text import count

history = typer.Typer(help="Export histories.", no_args_is_help=True)

_STDOUT = Path("-")


@history.callback()
def _histories() -> None:
    """Export histories."""


@history.command()
def export(
    context: typer.Context,
    run: RUN_OR_EPISODE,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .json file to write; - for stdout.")],
    redact: Annotated[bool, typer.Option("--redact/--no-redact", help="Remove secrets.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write the history of a run to a file, without secrets.

    The file is JSON in Temporal's own format. A run that continued as new has several histories: FILE-1.json,
    FILE-2.json and so on.
    """

    async def write() -> None:
        secrets = context_settings(context).secrets if redact else None
        await _export(run, file, secrets, force=force)

    run_command(write(), OSError)


async def _export(run: str, file: Path, secrets: list[str] | None, *, force: bool) -> None:
    from watchkeeper.replay.history_files import has_external_payloads
    from watchkeeper.replay.history_redaction import HistoryRedactor

    client = await connect_client()
    run = (await find_reference(client, run, types=ALL_TYPES)).name
    run_ids, (workflow_id, _) = await _run_ids(client, run), split_run_name(run)
    targets = _targets(file, len(run_ids), run)
    if not force and (existing := [target for target in targets if target != _STDOUT and target.exists()]):
        raise UsageError(f"{existing[0]} exists already; overwrite it with --force")
    redactor = HistoryRedactor(secrets) if secrets is not None else None
    for target, run_id in zip(targets, run_ids, strict=True):
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        recorded: JsonObject = (await handle.fetch_history()).to_json_dict()
        if has_external_payloads(recorded):
            raise UsageError(f"{run} has payloads in external storage: an exported file would not replay")
        if redactor is not None:
            recorded = redactor.history(recorded)
        _write(target, f"{json.dumps(recorded, indent=2)}\n")
        if target != _STDOUT:
            typer.echo(f"{target}: {count(len(recorded['events']), 'event')}")
    if redactor is not None and redactor.removed:
        removed = f"{count(len(redactor.removed), 'secret')} removed"
        err.print(Text(f"{removed}; read the file before you share it: it still describes your systems", "dim"))


async def _run_ids(client: Client, run: str) -> list[str]:
    """Return the run ids of the chain of executions to which the named one belongs, in order."""
    info = (await describe_run(client, run, types=ALL_TYPES)).workflow_execution_info
    workflow_id, following = split_run_name(run)
    chain = await execution_chain(client, workflow_id, info)
    while following:
        events = (await client.get_workflow_handle(workflow_id, run_id=chain[-1]).fetch_history()).events
        following = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        chain += [following] * bool(following)
    return chain


def _targets(file: Path, number: int, run: str) -> list[Path]:
    if number == 1:
        return [file]
    if file == _STDOUT:
        raise UsageError(f"{run} has {number} histories, because it continued as new; name a FILE for them")
    return [file.with_stem(f"{file.stem}-{index}") for index in range(1, number + 1)]


def _write(target: Path, text: str) -> None:
    """Write a file completely or not at all."""
    if target == _STDOUT:
        typer.echo(text, nl=False)
        return
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)
