"""``init``: a first settings file to edit."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.cli.command_runner import ERROR, USAGE, print_error
from watchkeeper.config.settings import CONFIG_FILE
from watchkeeper.console import typed_command


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")] = Path(CONFIG_FILE),
) -> None:
    """Write a settings file to start from.

    It has one service, `checkout`, and the other settings as comments. An existing file is never overwritten.
    """
    text = starter_settings()
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        print_error(f"{file} exists already, and is not overwritten")
        raise typer.Exit(USAGE) from None
    except OSError as error:
        print_error(f"cannot write {file}: {error.strerror}")
        raise typer.Exit(ERROR) from None
    typer.echo(f"{file}: written. Edit it, then start: {typed_command('dev')}")


def starter_settings() -> str:
    """Return the text of the settings file."""
    return files("watchkeeper.cli").joinpath("starter.toml").read_text(encoding="utf-8")
