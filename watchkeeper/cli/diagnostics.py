"""``tools`` and ``check``: the tools as the model sees them, and a test of every configured connection."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from watchkeeper.cli.command_runner import ERROR, GlobalOptions, context_settings, run_command
from watchkeeper.console import out, table
from watchkeeper.redaction import public_address
from watchkeeper.text import time_span


def tools(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the exact JSON that the model receives.")] = False,
) -> None:
    """List the tools that the model can call."""
    from watchkeeper.tool import ToolDefinitionError

    run_command(_tools(context, as_json=as_json), ToolDefinitionError)


def check(context: typer.Context) -> None:
    """Test every configured connection.

    Validates the settings and the tools, then connects to Temporal, the models and the back ends. Exit code 1 if
    anything fails.
    """
    run_command(_check(context))


async def _tools(context: typer.Context, *, as_json: bool) -> None:
    from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools, encode_tools

    specs = build_catalogue(discover_tools(), context_settings(context))
    if as_json:
        typer.echo(encode_tools(specs))
        return
    rows = [
        (
            spec.name,
            spec.effect,
            "no" if spec.approval is None else f"yes, within {time_span(spec.approval)}",
            f"{spec.timeout:g} s",
            spec.description.partition(". ")[0],
        )
        for spec in specs
    ]
    out.print(table(("tool", "effect", "approval", "timeout", "description"), rows), soft_wrap=True)


async def _check(context: typer.Context) -> int:
    from watchkeeper.cli.connectivity import check_connections

    options = context.obj if isinstance(context.obj, GlobalOptions) else GlobalOptions()
    failed = False
    async for result in check_connections(options):
        failed |= not result.ok
        mark, style = ("✓", "green") if result.ok else ("✗", "bold red")
        out.print(Text.assemble((mark, style), f" {result.name:<14} ", public_address(result.detail)), soft_wrap=True)
    return ERROR if failed else 0
