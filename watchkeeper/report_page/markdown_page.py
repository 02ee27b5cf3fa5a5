"""The page in Markdown: all of it but the picture (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from watchkeeper.console import visible
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.event_table import timeline
from watchkeeper.report_page.header import STANDING, facts, notes, standing, title
from watchkeeper.report_page.safe_markdown import fenced, harmless
from watchkeeper.report_page.tables import Table, accounts, happenings
from watchkeeper.report_page.tool_call_text import asked, found, outcome, sign
from watchkeeper.run_view.entries import Call

_EXCERPT = 800
"""Bytes of a call's result."""

_MARKS = re.compile(r"([\\`*{}\[\]<>#|~&!]|(?<![^\W_])_|_(?![^\W_]))")


def markdown_page(account: Account, link: str | None) -> str:
    """Write the page; ``link``: where people find the run."""
    return "\n".join(_lines(account, link)).rstrip() + "\n"


def _lines(account: Account, link: str | None) -> Iterator[str]:
    story, calls = account.story, list(account.story.calls.values())
    yield from (f"# {_plain(title(story))}", "", f"**{STANDING[story.status]}** {_plain(standing(account))}", "")
    yield " · ".join(f"{name}: {_plain(fact)}" for name, fact in facts(account))
    if link:
        yield from ("", f"[Open the run](<{link}>)")
    for note in notes(account):
        yield from ("", f"> {_plain(note)}")
    if story.run_input and "\n" in story.run_input.text.strip():
        yield from ("", "## What was asked", "", *_quoted(fenced(visible(story.run_input.text))))
    yield from ("", "## Report", "", *_quoted(harmless(story.report.body) if story.report else "There is none yet."))
    for answered in story.follow_ups:
        yield from ("", f"## Follow-up {answered.number}", "", _plain(answered.question), "")
        yield from _quoted(harmless(answered.report.body))
    for table in (timeline(account), *happenings(account)):
        yield from _table(table)
    if calls:
        yield from ("", "## Evidence")
    for call in calls:
        yield from _call(call)
    for table in accounts(account):
        yield from _table(table)


def _call(call: Call) -> Iterator[str]:
    said = " · ".join(outcome(call))
    yield from (
        "",
        f"### {sign(call)} {call.key} {_plain(call.name)}",
        "",
        f"{_plain(said)}  ",
        _code(asked(call, 400)),
    )
    text, missing = found(call, _EXCERPT)
    if text:
        yield from ("", fenced(text))
    if missing:
        yield from ("", f"({missing})")


def _table(table: Table) -> Iterator[str]:
    yield from ("", f"## {table.heading}", "")
    yield f"| {' | '.join(table.columns)} |"
    yield f"|{'|'.join('--:' if n >= table.numbers else '---' for n in range(len(table.columns)))}|"
    for row in table.rows:
        yield f"| {' | '.join(map(_plain, row))} |"
    if table.note:
        yield from ("", _plain(table.note))


def _quoted(text: str) -> Iterator[str]:
    """Keep a text's own headings and lists apart from the page's."""
    return (f"> {line}".rstrip() for line in text.split("\n"))


def _plain(text: str) -> str:
    """Return a text that no viewer takes for Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(visible(text).split()))


def _code(text: str) -> str:
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if text else ""
