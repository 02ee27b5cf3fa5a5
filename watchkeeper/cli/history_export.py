"""``history export``: the histories of runs as files that replay anywhere and hold no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.runner import Misuse, connected, perform, settings_of
from watchkeeper.cli.runs import EPISODE
from watchkeeper.console import err
from watchkeeper.contracts import JsonObject
from watchkeeper.run_view.follow import execution_chain
from watchkeeper.runs.client import WORKFLOW, describe_run, split_run_name
from watchkeeper.text import count

history = typer.Typer(help="Record histories.", no_args_is_help=True)

_STDOUT = Path("-")


@history.callback()
def _histories() -> None:
    """Record histories."""


@history.command()
def export(
    context: typer.Context,
    run: EPISODE,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .json file to write; - for stdout.")],
    redact: Annotated[bool, typer.Option("--redact/--no-redact", help="Take secrets out.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write the history of a run, as Temporal's own tools read it, without the secrets of the settings.

    A run that continued as new has several: FILE-1.json, FILE-2.json and so on.
    """

    async def write() -> None:
        secrets = settings_of(context).secrets if redact else None
        await _export(run, file, secrets, force=force)

    perform(write(), OSError)


async def _export(run: str, file: Path, secrets: list[str] | None, *, force: bool) -> None:
    from watchkeeper.replay.history_files import stored_elsewhere
    from watchkeeper.replay.history_redaction import HistoryRedactor

    client = await connected()
    chain, (workflow_id, _) = await _episode(client, run), split_run_name(run)
    targets = _targets(file, chain, run)
    if not force and (there := [target for target in targets if target != _STDOUT and target.exists()]):
        raise Misuse(f"{there[0]} is there already; overwrite it with --force")
    redactor = HistoryRedactor(secrets) if secrets is not None else None
    for target, execution in zip(targets, chain, strict=True):
        handle = client.get_workflow_handle(workflow_id, run_id=execution)
        recorded: JsonObject = (await handle.fetch_history()).to_json_dict()
        if stored_elsewhere(recorded):
            raise Misuse(f"{run} names payloads that are stored elsewhere: a file of it would not replay")
        if redactor is not None:
            recorded = redactor.history(recorded)
        _write(target, f"{json.dumps(recorded, indent=2)}\n")
        if target != _STDOUT:
            typer.echo(f"{target}: {count(len(recorded['events']), 'event')}")
    if redactor is not None and redactor.removed:
        taken = f"{count(len(redactor.removed), 'secret')} taken out"
        err.print(Text(f"{taken}; look it through before you share it, it still tells of your systems", "dim"))


async def _episode(client: Client, run: str) -> list[str]:
    """Return the run ids of the executions that belong together, in order: from the one that is named back and on."""
    info = (await describe_run(client, run, types=(WORKFLOW, "QueueWorkflow"))).workflow_execution_info
    workflow_id, following = split_run_name(run)
    chain = await execution_chain(client, workflow_id, info)
    while following:
        events = (await client.get_workflow_handle(workflow_id, run_id=chain[-1]).fetch_history()).events
        following = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        chain += [following] * bool(following)
    return chain


def _targets(file: Path, chain: list[str], run: str) -> list[Path]:
    if len(chain) == 1:
        return [file]
    if file == _STDOUT:
        raise Misuse(f"{run} has {len(chain)} histories, as it continued as new: name a FILE for them")
    return [file.with_stem(f"{file.stem}-{number}") for number in range(1, len(chain) + 1)]


def _write(target: Path, text: str) -> None:
    """Write a file whole or not at all."""
    if target == _STDOUT:
        typer.echo(text, nl=False)
        return
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)
