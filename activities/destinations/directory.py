"""A directory with a Markdown file for each report."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from watchkeeper.contracts import ReportDelivery
from watchkeeper.incident.claim_text import unsupported_count, unsupported_list
from watchkeeper.incident.status_text import escape_markdown
from watchkeeper.text import harmless


def write_report(delivery: ReportDelivery, directory: Path | None) -> bool:
    """Write a report to its file; writing it again changes nothing. False: no directory is set. Raises OSError."""
    if directory is None:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{quote(_name(delivery), safe='')}.md"
    partial = path.with_suffix(".partial")
    partial.write_text(_markdown(delivery), encoding="utf-8")
    partial.replace(path)
    return True


def _name(delivery: ReportDelivery) -> str:
    """Return the file name. Runs of an alert group share one workflow id, so theirs also has the run id."""
    parts = [delivery.workflow_id]
    if delivery.origin is not None:
        parts.append(delivery.run)
    if delivery.follow_up:
        parts.append(delivery.part)
    return ".".join(parts)


def _markdown(delivery: ReportDelivery) -> str:
    facts = {
        "Run": delivery.workflow_id,
        "Status": delivery.status,
        "Verdict": delivery.report.verdict,
        "Service": delivery.service,
        "Asked": delivery.question and " ".join(delivery.question.split()),
    }
    lines = [f"- {name}: {value}" for name, value in facts.items() if value]
    if claims := delivery.report.unsupported:
        lines += ["", f"**{unsupported_count(claims)}:**", ""]
        lines += [f"- {escape_markdown(text)}: {escape_markdown(why)}" for text, why in unsupported_list(claims)]
    return harmless("\n".join([f"# {delivery.report.summary}", "", *lines, "", delivery.report.body, ""]))
