"""A directory with a Markdown file for each report."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from watchkeeper.contracts import ReportDelivery


def write(delivery: ReportDelivery, directory: Path | None) -> bool:
    """Write a report into its file; what is written again is the same. False: there is no directory. Raises OSError."""
    if directory is None:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{quote(_name(delivery), safe='')}.md"
    partial = path.with_suffix(".partial")
    partial.write_text(_markdown(delivery), encoding="utf-8")
    partial.replace(path)
    return True


def _name(delivery: ReportDelivery) -> str:
    """Name the file after its run; the runs of a group of alerts share one workflow id."""
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
        "Service": delivery.service,
        "Asked": delivery.question and " ".join(delivery.question.split()),
    }
    lines = [f"- {name}: {value}" for name, value in facts.items() if value]
    return "\n".join([f"# {delivery.report.summary}", "", *lines, "", delivery.report.body, ""])
