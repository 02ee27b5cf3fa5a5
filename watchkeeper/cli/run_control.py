"""``tell``, ``approve``, ``deny``, ``extend`` and ``stop``: people act on a run."""

from __future__ import annotations

from typing import Annotated

import typer

from watchkeeper.cli.command_runner import UsageError, connect_client, current_user, parse_limits, run_command
from watchkeeper.cli.run_commands import RUN
from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.runs import update_client

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


async def _tell(run: str, text: str) -> None:
    typer.echo(await update_client.tell(await connect_client(), run, TellRequest(text=text, by=current_user())))


async def _decide(run: str, decision: Decision) -> None:
    typer.echo(await update_client.decide(await connect_client(), run, decision))


async def _extend(run: str, texts: list[str]) -> None:
    more: LimitChanges | None = parse_limits(texts, "rounds=10")
    if more is None:
        raise UsageError("no limit to raise; name one, such as rounds=10")
    new = await update_client.extend(await connect_client(), run, ExtendRequest(by=more, who=current_user()))
    typer.echo(" ".join(f"{name}={value}" for name, value in new.model_dump(exclude_none=True).items()))


async def _stop(run: str, reason: str) -> None:
    typer.echo(await update_client.stop(await connect_client(), run, StopRequest(reason=reason, by=current_user())))
