"""The lines at the end of a run: the report, how the run ended, and what it used."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.console import clock
from watchkeeper.contracts import Report
from watchkeeper.incident.claim_text import unsupported_count, unsupported_list
from watchkeeper.run_view.entries import FollowUp
from watchkeeper.run_view.json_view import seconds
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.run_phrases import delivery_phrase, status_with_step, total_phrases
from watchkeeper.text import one_line

_UNDELIVERED = 600

_STYLES = {"concluded": "bold green", "stopped": "bold yellow"}


def write_report(writer: LineWriter, view: RunView) -> None:
    """Write the report, then one line on how the run ended and one on what it used."""
    if view.report is not None:
        writer.line(Text())
        writer.markdown("report", view.report.body)
    step = delivery_phrase(view) if view.is_delivering and not view.is_open else ""
    status = status_with_step(view.status, step, view.report.verdict if view.report else None)
    reason = one_line(view.reason or "", 1_000)
    rest = reason.removeprefix(status)
    because = rest if rest != reason else f": {reason}" if reason else ""
    writer.line(Text.assemble((status, _STYLES.get(view.status, "bold red")), because), wrap=True)
    _write_unsupported(writer, view.report)
    write_undelivered(writer, view.undelivered)
    _write_totals(writer, view)
    if view.is_open:
        command = f'watchkeeper tell {view.workflow_id} "..."'
        writer.line(Text(f"It stays open until its alerts resolve; ask more: {command}", "dim"), wrap=True)


def write_follow_up(writer: LineWriter, view: RunView, follow_up: FollowUp) -> None:
    """Write the answer to a follow-up question, and what the run has used with it."""
    writer.line(Text())
    writer.markdown(f"follow-up {follow_up.number}", follow_up.report.body)
    _write_unsupported(writer, follow_up.report)
    _write_totals(writer, view)


def write_undelivered(writer: LineWriter, undelivered: Sequence[str]) -> None:
    """Write which destinations did not receive a report or an answer, and why."""
    for text in undelivered:
        line = one_line(text, _UNDELIVERED)
        writer.line(Text.assemble(("not delivered to ", "bold red"), line), wrap=True)


def write_closed(writer: LineWriter, view: RunView) -> None:
    """Write when a run ended that had reported before."""
    closed = f" {clock(view.closed_at)}" if view.closed_at else ""
    ended_in_temporal = view.reason and view.end not in ("Completed", "Failed")
    because = f": {one_line(view.reason or '', 1_000)}" if ended_in_temporal else ""
    writer.line(Text(f"closed{closed}{because}", "dim"), wrap=True)


def _write_unsupported(writer: LineWriter, report: Report | None) -> None:
    if report is None or not report.unsupported:
        return
    writer.line(Text(f"{unsupported_count(report.unsupported)}:", "bold yellow"), wrap=True)
    for text, why in unsupported_list(report.unsupported):
        writer.line(Text.assemble(("? ", "bold yellow"), (text, "bold"), f": {why}"), wrap=True, indent=2)


def _write_totals(writer: LineWriter, view: RunView) -> None:
    totals = total_phrases(view, seconds(view.started_at, view.closed_at))
    writer.line(Text(" · ".join(totals), "dim"), wrap=True)
