"""``tell``, ``approve``, ``deny``, ``extend`` and ``stop``: what people do to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from watchkeeper.cli.runner import Misuse, connected, limits, perform, user
from watchkeeper.cli.runs import RUN
from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.runs import updates

CALL = Annotated[str, typer.Argument(metavar="CALL", help="Key of the call that waits, such as r2.0.")]
NOTE = Annotated[str, typer.Option(help="Why; the model reads it when a call is denied.")]


def tell(run: RUN, text: Annotated[str, typer.Argument(metavar="TEXT", help="What the model should know.")]) -> None:
    """Put words to the model; it reads them in its next round."""
    perform(_tell(run, text))


def approve(run: RUN, call: CALL, note: NOTE = "") -> None:
    """Let a call that waits be run."""
    perform(_decide(run, Decision(call=call, approved=True, by=user(), note=note)))


def deny(run: RUN, call: CALL, note: NOTE = "") -> None:
    """Keep a call that waits from being run; the model is told."""
    perform(_decide(run, Decision(call=call, approved=False, by=user(), note=note)))


def extend(
    run: RUN,
    limit: Annotated[list[str], typer.Argument(metavar="NAME=MORE...", help="rounds=10, duration=30m, cost=0.5 ...")],
) -> None:
    """Give a run more of its limits."""
    perform(_extend(run, limit))


def stop(run: RUN, reason: Annotated[str, typer.Option(help="Why, for the report.")] = "") -> None:
    """End a run; its hand-off report is delivered all the same."""
    perform(_stop(run, reason))


async def _tell(run: str, text: str) -> None:
    typer.echo(await updates.tell(await connected(), run, TellRequest(text=text, by=user())))


async def _decide(run: str, decision: Decision) -> None:
    typer.echo(await updates.decide(await connected(), run, decision))


async def _extend(run: str, given: list[str]) -> None:
    more: LimitChanges | None = limits(given, "rounds=10")
    if more is None:
        raise Misuse("nothing to extend: name a limit, such as rounds=10")
    new = await updates.extend(await connected(), run, ExtendRequest(by=more, who=user()))
    typer.echo(" ".join(f"{name}={value}" for name, value in new.model_dump(exclude_none=True).items()))


async def _stop(run: str, reason: str) -> None:
    typer.echo(await updates.stop(await connected(), run, StopRequest(reason=reason, by=user())))
