"""``tools`` and ``check``: the catalogue as the model sees it, and whether everything is within reach."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from watchkeeper.cli.runner import ERROR, Globals, perform, settings_of
from watchkeeper.console import out, table


def tools(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the model is sent, byte for byte.")] = False,
) -> None:
    """List the tools that the model can call."""
    from watchkeeper.tool import ToolDefinitionError

    perform(_tools(context, as_json=as_json), ToolDefinitionError)


def check(context: typer.Context) -> None:
    """Reach everything that is configured.

    Validates the settings and the tools, then tries Temporal, the models and the back ends. Exit code 1 if any fails.
    """
    perform(_check(context))


async def _tools(context: typer.Context, *, as_json: bool) -> None:
    from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools, encode_tools

    specs = build_catalogue(discover_tools(), settings_of(context))
    if as_json:
        typer.echo(encode_tools(specs))
        return
    rows = [
        (
            spec.name,
            spec.effect,
            "no" if spec.approval is None else f"waits {spec.approval:g} s",
            f"{spec.timeout:g} s",
            spec.description.partition(". ")[0],
        )
        for spec in specs
    ]
    out.print(table(("tool", "effect", "approval", "timeout", "description"), rows), soft_wrap=True)


async def _check(context: typer.Context) -> int:
    from watchkeeper.cli.connectivity import check_all

    given = context.obj if isinstance(context.obj, Globals) else Globals()
    failed = False
    async for verdict in check_all(given):
        failed |= not verdict.ok
        mark, style = ("✓", "green") if verdict.ok else ("✗", "bold red")
        out.print(Text.assemble((mark, style), f" {verdict.what:<14} ", verdict.detail), soft_wrap=True)
    return ERROR if failed else 0
