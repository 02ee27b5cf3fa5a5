"""The log of a process, on stderr: one line an event, whatever happened, for people or for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from temporalio import activity, workflow

from watchkeeper.console import visible
from watchkeeper.telemetry.activity_context import CURRENT
from watchkeeper.text import clean, error_text

Format: TypeAlias = Literal["text", "json"]


class _OneLine(logging.Formatter):
    """Says which run and which call a line is about, and what an error says rather than where it was raised.

    The stack stands in the run's history, where it is looked for.
    """

    def format(self, record: logging.LogRecord) -> str:
        about = _about(record)
        ids = [about[name] for name in ("workflow_id", "activity_id") if about.get(name)]
        error = _error(record)
        said = f"{record.getMessage()}: {error}" if error else record.getMessage()
        line = " ".join([self.formatTime(record, "%H:%M:%S"), record.levelname.lower(), *ids, said])
        return visible(" ".join(line.split()))


class _Json(logging.Formatter):
    """Says the same as an object, with the ids by which a line is found beside its run and its trace."""

    def format(self, record: logging.LogRecord) -> str:
        about, attempt = _about(record), CURRENT.get()
        trace = attempt.trace_id if attempt else 0
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "error": _error(record),
            "run": about.get("workflow_id"),
            "run_id": about.get("workflow_run_id") or about.get("run_id"),
            "call": about.get("activity_id"),
            "attempt": about.get("attempt") if about.get("activity_id") else None,
            "trace_id": f"{trace:032x}" if trace else None,
            "span_id": f"{attempt.span_id:016x}" if attempt and trace else None,
        }
        return json.dumps(
            {name: clean(value) if isinstance(value, str) else value for name, value in fields.items() if value},
            ensure_ascii=False,
        )


def log_to_stderr(level: int, format: Format = "text") -> None:
    """Log from ``level`` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if format == "json" else _OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Each request of a client says nothing that the history does not say better.
    for name in ("httpx2", "httpcore2", "urllib3"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # The formatter names the run; Temporal would append all it knows of it to every message.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False


def _about(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what Temporal knows of whom a line is about, also where the line was written by a library of ours."""
    told = getattr(record, "temporal_activity", None) or getattr(record, "temporal_workflow", None)
    if told or not activity.in_activity():
        return told or {}
    info = activity.info()
    return {
        "workflow_id": info.workflow_id,
        "workflow_run_id": info.workflow_run_id,
        "activity_id": info.activity_id,
        "attempt": info.attempt,
    }


def _error(record: logging.LogRecord) -> str | None:
    if record.exc_info and record.exc_info[1] is not None:
        return error_text(record.exc_info[1])
    return None
