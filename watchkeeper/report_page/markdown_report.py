"""The report in Markdown: everything except the timeline picture (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from watchkeeper.contracts import Report
from watchkeeper.incident.claim_text import unsupported_count, unsupported_list
from watchkeeper.report_page.event_table import event_table
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.report_page.report_header import (
    facts,
    notes,
    report_title,
    request_text,
    status_label,
    status_text,
)
from watchkeeper.report_page.report_tables import ReportTable, event_tables, usage_tables
from watchkeeper.report_page.safe_markdown import code_block
from watchkeeper.report_page.tool_call_text import CallText, call_text
from watchkeeper.text import harmless, visible

_EXCERPT_BYTES = 800

_MARKDOWN_CHARACTERS = re.compile(r"([\\`*{}\[\]<>#|~&!]|(?<![^\W_])_|_(?![^\W_]))")


def markdown_report(data: ReportData, link: str | None) -> str:
    """Return the report; ``link`` is the URL of the run for people."""
    return "\n".join(_lines(data, link)).rstrip() + "\n"


def _lines(data: ReportData, link: str | None) -> Iterator[str]:
    run = data.run
    yield from (f"# {_escaped(report_title(run))}", "")
    yield from (f"**{status_label(run)}** {_escaped(status_text(data))}", "")
    yield " · ".join(f"{name}: {_escaped(value)}" for name, value in facts(data))
    if link:
        yield from ("", f"[Open the run](<{link}>)")
    for note in notes(data):
        yield from ("", f"> {_escaped(note)}")
    if "\n" in (request := request_text(run)):
        yield from ("", "## Request", "", *_quoted(code_block(visible(request))))
    yield from ("", "## Report", "", *_report(run.report))
    for follow_up in run.follow_ups:
        yield from ("", f"## Follow-up {follow_up.number}", "", _escaped(follow_up.question), "")
        yield from _report(follow_up.report)
    for table in (event_table(data), *event_tables(data)):
        yield from _table(table)
    if run.calls:
        yield from ("", "## Evidence")
    for call in run.calls.values():
        yield from _call(call_text(call, _EXCERPT_BYTES))
    for table in usage_tables(data):
        yield from _table(table)


def _report(report: Report | None) -> Iterator[str]:
    if report is None:
        yield "> No report yet."
        return
    if report.unsupported:
        yield from (f"**{unsupported_count(report.unsupported)}:**", "")
        yield from (f"- {_escaped(text)}: {_escaped(why)}" for text, why in unsupported_list(report.unsupported))
        yield ""
    yield from _quoted(harmless(report.body))


def _call(call: CallText) -> Iterator[str]:
    yield from ("", f"### {call.sign} {call.key} {_escaped(call.name)}", "")
    yield from (f"{_escaped(' · '.join(call.facts))}  ", _code(call.request))
    if call.excerpt:
        yield from ("", code_block(call.excerpt))
    if call.missing:
        yield from ("", f"({call.missing})")


def _table(table: ReportTable) -> Iterator[str]:
    yield from ("", f"## {table.heading}", "")
    yield f"| {' | '.join(table.columns)} |"
    yield f"|{'|'.join('--:' if n >= table.first_number else '---' for n in range(len(table.columns)))}|"
    for row in table.rows:
        yield f"| {' | '.join(map(_escaped, row))} |"
    if table.note:
        yield from ("", _escaped(table.note))


def _quoted(text: str) -> Iterator[str]:
    """Quote a text, so that its headings and lists are not headings and lists of the report."""
    return (f"> {line}".rstrip() for line in text.split("\n"))


def _escaped(text: str) -> str:
    """Return a text in one line in which no viewer finds Markdown."""
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", " ".join(visible(text).split()))


def _code(text: str) -> str:
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if text else ""
