"""``report``: one page about a run, for people who were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.commands.performing import connected, perform, settings_of
from watchkeeper.commands.running import EPISODE
from watchkeeper.settings import Settings
from watchkeeper.terminal import size


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
    from watchkeeper.pages.account import account_of
    from watchkeeper.pages.as_html import html_page
    from watchkeeper.pages.as_markdown import markdown_page
    from watchkeeper.slack.living import address_of

    account = await account_of(await connected(), run)
    link = address_of(settings.reports.run_url, account.story.workflow_id, account.story.run_id)
    page = (html_page if as_html else markdown_page)(account, link)
    _write(page, output)


def _write(page: str, output: Path | None) -> None:
    if output is None:
        typer.echo(page, nl=False)
        return
    output.write_text(page, encoding="utf-8")
    typer.echo(f"{output}: {size(len(page.encode()))}")
