"""``tell``, ``approve``, ``deny``, ``extend`` and ``stop``: people act on a run."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from watchkeeper.cli.command_runner import UsageError, connect_client, current_user, parse_limits, run_command
from watchkeeper.cli.run_commands import RUN
from watchkeeper.console import err
from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.runs import update_client
from watchkeeper.runs.run_reference import RunReference, find_reference

CALL = Annotated[str, typer.Argument(metavar="CALL", help="Key of the waiting tool call, such as r2.0.")]
NOTE = Annotated[str, typer.Option(help="The reason. The agent reads it if the call is denied.")]


def tell(run: RUN, text: Annotated[str, typer.Argument(metavar="TEXT", help="The message.")]) -> None:
    """Send the agent a message. It reads the message in its next round."""
    run_command(_tell(run, text))


def approve(run: RUN, call: CALL, note: NOTE = "") -> None:
    """Approve a waiting tool call."""
    run_command(_decide(run, Decision(call=call, approved=True, by=current_user(), note=note)))


def deny(run: RUN, call: CALL, note: NOTE = "") -> None:
    """Deny a waiting tool call. The agent is notified."""
    run_command(_decide(run, Decision(call=call, approved=False, by=current_user(), note=note)))


def extend(
    run: RUN,
    limit: Annotated[list[str], typer.Argument(metavar="NAME=MORE...", help="rounds=10, duration=30m, cost=0.5 ...")],
) -> None:
    """Raise limits of a run."""
    run_command(_extend(run, limit))


def stop(run: RUN, reason: Annotated[str, typer.Option(help="The reason, for the report.")] = "") -> None:
    """Stop a run. Its hand-off report is still delivered."""
    run_command(_stop(run, reason))


async def _find(run: str, *, waits: bool = False) -> tuple[Client, RunReference]:
    """Connect, and find the run. If the person wrote no complete id, print which run it is."""
    client = await connect_client()
    found = await find_reference(client, run, waits=waits)
    if found.name != run:
        err.print(Text(f"run {found.name}", "dim"), soft_wrap=True)
    return client, found


async def _tell(run: str, text: str) -> None:
    client, found = await _find(run)
    message = TellRequest(text=text, by=current_user())
    typer.echo(await update_client.tell(client, found.workflow_id, message, execution=found.first_run_id))


async def _decide(run: str, decision: Decision) -> None:
    client, found = await _find(run, waits=True)
    typer.echo(await update_client.decide(client, found.workflow_id, decision, execution=found.first_run_id))


async def _extend(run: str, texts: list[str]) -> None:
    more: LimitChanges | None = parse_limits(texts, "rounds=10")
    if more is None:
        raise UsageError("no limit to raise; name one, such as rounds=10")
    client, found = await _find(run)
    extension = ExtendRequest(by=more, who=current_user())
    new = await update_client.extend(client, found.workflow_id, extension, execution=found.first_run_id)
    typer.echo(" ".join(f"{name}={value}" for name, value in new.model_dump(exclude_none=True).items()))


async def _stop(run: str, reason: str) -> None:
    client, found = await _find(run)
    request = StopRequest(reason=reason, by=current_user())
    typer.echo(await update_client.stop(client, found.workflow_id, request, execution=found.first_run_id))
