"""``report``: write a report of one run, for people who did not follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.cli.command_runner import connect_client, context_settings, run_command
from watchkeeper.cli.run_commands import RUN_OR_EPISODE
from watchkeeper.config.settings import Settings
from watchkeeper.runs.run_reference import find_reference
from watchkeeper.text import size


def report(
    context: typer.Context,
    run: RUN_OR_EPISODE,
    as_html: Annotated[bool, typer.Option("--html/--md", help="HTML with a timeline, or Markdown (default).")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the report to a file.")
    ] = None,
) -> None:
    """Write a report of a run up to now.

    It contains the alerts, the conclusion, the timeline, the evidence and the cost. Needs no worker.

    The HTML report is one file that you can send or print. It runs no script and loads nothing.
    """
    run_command(_report(context_settings(context), run, as_html=as_html, output=output), OSError)


async def _report(settings: Settings, run: str, *, as_html: bool, output: Path | None) -> None:
    from watchkeeper.incident.run_address import run_address
    from watchkeeper.report_page.html_report import html_report
    from watchkeeper.report_page.markdown_report import markdown_report
    from watchkeeper.report_page.report_data import read_report_data

    client = await connect_client()
    data = await read_report_data(client, (await find_reference(client, run)).name)
    link = run_address(settings.reports.run_url, data.run.workflow_id, data.run.run_id)
    _write((html_report if as_html else markdown_report)(data, link), output)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    typer.echo(f"{output}: {size(len(text.encode()))}")
