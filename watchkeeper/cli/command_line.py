"""The commands of the ``watchkeeper`` program and the options before them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from watchkeeper import __version__
from watchkeeper.cli import (
    diagnostics,
    history_export,
    intake,
    list_runs,
    processes,
    replay,
    report_export,
    run_commands,
    run_control,
    starter,
)
from watchkeeper.cli.command_runner import GlobalOptions

app = typer.Typer(
    name="watchkeeper",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"watchkeeper {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings file. Default: watchkeeper.toml in this folder."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A durable on-call agent: an alert starts a run, in which a language model investigates with tools and reports."""
    context.obj = GlobalOptions(config)


_COMMANDS: tuple[Callable[..., None], ...] = (
    *(
        processes.demo,
        starter.init,
        processes.dev,
        run_commands.run,
        run_commands.watch,
        run_commands.show,
        list_runs.list_runs,
        report_export.report,
    ),
    *(run_control.tell, run_control.approve, run_control.deny, run_control.extend, run_control.stop),
    *(diagnostics.tools, diagnostics.check, processes.worker, intake.intake, replay.replay),
)
for command in _COMMANDS:
    app.command("list" if command is list_runs.list_runs else None)(command)
app.add_typer(history_export.history, name="history")
