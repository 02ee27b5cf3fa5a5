"""The ``watchkeeper`` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from watchkeeper import __version__
from watchkeeper.cli import diagnostics, history_export, intake, list_runs, processes, replay, report, run_control, runs
from watchkeeper.cli.runner import Globals

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
    *(processes.demo, processes.dev, runs.run, runs.watch, runs.show, list_runs.list_runs, report.report),
    *(run_control.tell, run_control.approve, run_control.deny, run_control.extend, run_control.stop),
    *(diagnostics.tools, diagnostics.check, processes.worker, intake.intake, replay.replay),
)
for command in _COMMANDS:
    app.command("list" if command is list_runs.list_runs else None)(command)
app.add_typer(history_export.history, name="history")


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
