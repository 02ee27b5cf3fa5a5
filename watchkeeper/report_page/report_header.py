"""The top of a report: title, status and facts, as plain text that each format escapes (pure)."""

from __future__ import annotations

from watchkeeper.incident.phrases import service_phrase
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.report_page.report_tables import cost_text
from watchkeeper.report_page.time_text import timestamp
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.run_phrases import current_step, delivery_phrase, status_phrase, token_phrase
from watchkeeper.text import count, duration, one_line, visible


def report_title(run: RunView) -> str:
    """Return the first line of the alert or request that started the run."""
    lines = request_text(run).splitlines()
    return one_line(lines[0], 160) if lines else run.workflow_id


def request_text(run: RunView) -> str:
    """Return the alert or request that started the run."""
    return run.run_input.text.strip() if run.run_input else ""


def status_label(run: RunView) -> str:
    """Return the status with the verdict of the report: ``Concluded: diagnosed``."""
    return status_phrase(run.status, run.report.verdict if run.report else None).capitalize()


def status_text(data: ReportData) -> str:
    """Return what follows the status label: the duration, and the reason for the end or what the run does."""
    run = data.run
    if run.status == "running":
        return f"for {_run_duration(data)}: {visible(current_step(run))}"
    if run.is_open:
        return f"and stays open until its alerts resolve: {visible(current_step(run))}"
    reason = one_line(run.reason or "", 600).rstrip(".")
    step = f", {delivery_phrase(run)}" if run.is_delivering else ""
    return f"after {_run_duration(data)}{step}{f': {reason}' if reason else ''}"


def facts(data: ReportData) -> list[tuple[str, str]]:
    """Return the names and values of the facts about the run; unknown facts are left out."""
    run, usage, started_at = data.run, data.run.usage, data.run.started_at
    request, origin = run.run_input, run.run_input.origin if run.run_input else None
    service = service_phrase(request.service if request else None, origin.unknown_service if origin else None)
    reported = duration((data.reported_at - started_at).total_seconds()) if data.reported_at and started_at else None
    values = [
        ("Service", service),
        ("Severity", request.severity if request else None),
        ("Team", origin.team if origin else None),
        ("Source", f"{origin.source} ({origin.kind})" if origin else None),
        ("Started", timestamp(started_at) if started_at else None),
        ("Ended" if run.closed_at else "As of", timestamp(data.until)),
        ("Duration", f"{_run_duration(data)}{'' if run.closed_at else ' so far'}"),
        ("Reported", f"after {reported}" if reported and (run.stays_open or not run.closed_at) else None),
        ("Work", f"{count(run.rounds_completed, 'round')}, {count(len(run.calls), 'call')}"),
        ("Tokens", token_phrase(usage)),
        ("Cost", cost_text(usage.cost)),
    ]
    return [(name, one_line(value, 160)) for name, value in values if value]


def notes(data: ReportData) -> list[str]:
    """Return the limits of this report that its reader needs to know."""
    run, found = data.run, list[str]()
    if run.closed_at is None:
        state = "The run stays open" if run.is_open else "The run continues"
        found.append(f"{state}: this report covers it until {timestamp(data.as_of)}.")
    if data.lacks_beginning:
        found.append(
            "The server no longer has the first part of this run's history. Rounds of that part are only counted. "
            "Its calls are listed with the beginning of their results, without times."
        )
    if data.compacted_messages:
        messages = count(data.compacted_messages, "older message")
        found.append(f"Compaction replaced {messages} by summaries, to fit the model's context window.")
    return found


def _run_duration(data: ReportData) -> str:
    return duration((data.until - (data.run.started_at or data.until)).total_seconds())
