"""The report as one HTML file that loads nothing else and runs no script (pure)."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from watchkeeper.incident.claim_text import unsupported_count, unsupported_list
from watchkeeper.report_page import report_header
from watchkeeper.report_page.event_table import event_table
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.report_page.report_tables import event_tables, usage_tables
from watchkeeper.report_page.safe_markdown import markdown_to_html, marked_text
from watchkeeper.report_page.timeline_layout import timeline_layout
from watchkeeper.report_page.tool_call_text import MANY_CALLS, CallText, call_text, excerpt_bytes
from watchkeeper.text import count, visible

_GROUP_SIZE = 100
"""Calls of a long run are folded in groups of this size, also on paper."""


def html_report(data: ReportData, link: str | None) -> str:
    """Return the report; ``link`` is the URL of the run for people."""
    calls = list(data.run.calls.values())
    texts = [call_text(call, excerpt_bytes(len(calls))) for call in calls]
    size = _GROUP_SIZE if len(texts) >= MANY_CALLS else max(1, len(texts))
    return (
        _environment()
        .get_template("report.html")
        .render(
            run=data.run,
            link=link,
            policy=_content_security_policy(),
            style=_style(),
            title=report_header.report_title(data.run),
            request=report_header.request_text(data.run),
            status_label=report_header.status_label(data.run),
            status_text=report_header.status_text(data),
            facts=report_header.facts(data),
            notes=report_header.notes(data),
            layout=timeline_layout(data),
            events=event_table(data),
            event_tables=event_tables(data),
            call_groups=[texts[first : first + size] for first in range(0, len(texts), size)],
            usage_tables=usage_tables(data),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("watchkeeper.report_page"),
        autoescape=True,
        finalize=_printed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"markdown": markdown_to_html, "statuses": _statuses, "marked": marked_text}
    environment.globals |= {
        "count": count,
        "unsupported_count": unsupported_count,
        "unsupported_list": unsupported_list,
    }
    return environment


def _printed(value: object) -> object:
    """Prepare a value that a template prints, before it is escaped: no control characters, short numbers."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return visible(str(value).replace("\r\n", "\n"))


def _statuses(calls: list[CallText]) -> str:
    """Write how many calls of a group have each status: ``98 ok, 2 error``."""
    statuses = Counter(call.status for call in calls).most_common()
    return ", ".join(f"{number:,} {status}" for status, number in statuses)


@cache
def _style() -> Markup:
    return Markup((files("watchkeeper.report_page") / "report.css").read_text(encoding="utf-8"))


@cache
def _content_security_policy() -> str:
    """Allow only the style sheet of the report, identified by its digest."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
