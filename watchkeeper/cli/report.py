"""``report``: one page about a run, for people who were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.cli.runner import connected, perform, settings_of
from watchkeeper.cli.runs import EPISODE
from watchkeeper.config.settings import Settings
from watchkeeper.console import size


def report(
    context: typer.Context,
    run: EPISODE,
    as_html: Annotated[bool, typer.Option("--html/--md", help="A page with a picture, or Markdown (default).")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.")] = None,
) -> None:
    """Write one page about a run up to now: what fired, the report, the timeline, the evidence, the cost.

    Needs no worker. The HTML is one file to send around or print: it runs nothing and asks for nothing outside itself.
    """
    perform(_report(settings_of(context), run, as_html=as_html, output=output), OSError)


async def _report(settings: Settings, run: str, *, as_html: bool, output: Path | None) -> None:
    from watchkeeper.report_page.data import account_of
    from watchkeeper.report_page.html_page import html_page
    from watchkeeper.report_page.markdown_page import markdown_page
    from watchkeeper.slack.status_message import run_address

    account = await account_of(await connected(), run)
    link = run_address(settings.reports.run_url, account.story.workflow_id, account.story.run_id)
    page = (html_page if as_html else markdown_page)(account, link)
    _write(page, output)


def _write(page: str, output: Path | None) -> None:
    if output is None:
        typer.echo(page, nl=False)
        return
    output.write_text(page, encoding="utf-8")
    typer.echo(f"{output}: {size(len(page.encode()))}")
