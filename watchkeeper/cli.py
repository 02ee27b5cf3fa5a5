"""The ``watchkeeper`` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from watchkeeper import __version__
from watchkeeper.commands import (
    acting,
    intake,
    listing,
    looking,
    recording,
    replaying,
    reporting,
    running,
    serving,
)
from watchkeeper.commands.performing import Globals

app = typer.Typer(
    name="watchkeeper",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"watchkeeper {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings; default: watchkeeper.toml, if there is one.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A durable on-call agent: an alert starts a run, in which a language model investigates with tools and reports."""
    context.obj = Globals(config)


_COMMANDS: tuple[Callable[..., None], ...] = (
    *(serving.demo, serving.dev, running.run, running.watch, running.show, listing.list_runs, reporting.report),
    *(acting.tell, acting.approve, acting.deny, acting.extend, acting.stop),
    *(looking.tools, looking.check, serving.worker, intake.intake, replaying.replay),
)
for command in _COMMANDS:
    app.command("list" if command is listing.list_runs else None)(command)
app.add_typer(recording.history, name="history")


def main() -> NoReturn:
    """Run the program and end the process with its exit code."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else bool(ended.code)
    else:
        code = 0
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    # Everything is closed. The interpreter's own end is skipped: the threads of Temporal's runtime outlive it, and were
    # seen to abort the process there (`PyGILState_Release`), which turned an exit code of 0 into 134.
    os._exit(code)


if __name__ == "__main__":
    main()
