"""The log of a process, on stderr: one line for each event, as text for people or as JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from temporalio import activity, workflow

from watchkeeper.redaction import Redactor
from watchkeeper.telemetry.activity_context import CURRENT_ATTEMPT
from watchkeeper.text import clean, error_text, visible

LogFormat: TypeAlias = Literal["text", "json"]


class _RedactedFormatter(logging.Formatter):
    """Base of the formats: the message and the error of a record, without secrets.

    An error is written as its text, without a stack trace: the history of the run holds the trace.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def message(self, record: logging.LogRecord) -> str:
        return self._redactor.text(record.getMessage())

    def error(self, record: logging.LogRecord) -> str | None:
        if record.exc_info and record.exc_info[1] is not None:
            return self._redactor.text(error_text(record.exc_info[1]))
        return None


class _TextFormatter(_RedactedFormatter):
    """Writes one line: time, level, workflow id, activity id, message, error."""

    def format(self, record: logging.LogRecord) -> str:
        source = _temporal_fields(record)
        ids = [source[name] for name in ("workflow_id", "activity_id") if source.get(name)]
        message, error = self.message(record), self.error(record)
        text = f"{message}: {error}" if error else message
        line = " ".join([self.formatTime(record, "%H:%M:%S"), record.levelname.lower(), *ids, text])
        return visible(" ".join(line.split()))


class _JsonFormatter(_RedactedFormatter):
    """Writes one object, with the ids of the run and of the trace."""

    def format(self, record: logging.LogRecord) -> str:
        source, attempt = _temporal_fields(record), CURRENT_ATTEMPT.get()
        trace = attempt.trace_id if attempt else 0
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
            "error": self.error(record),
            "run": source.get("workflow_id"),
            "run_id": source.get("workflow_run_id") or source.get("run_id"),
            "call": source.get("activity_id"),
            "attempt": source.get("attempt") if source.get("activity_id") else None,
            "trace_id": f"{trace:032x}" if trace else None,
            "span_id": f"{attempt.span_id:016x}" if attempt and trace else None,
        }
        return json.dumps(
            {name: clean(value) if isinstance(value, str) else value for name, value in fields.items() if value},
            ensure_ascii=False,
        )


def log_to_stderr(level: int, log_format: LogFormat = "text", redactor: Redactor | None = None) -> None:
    """Log to stderr from ``level`` on. ``redactor`` knows the secrets of the settings."""
    redactor = redactor or Redactor(())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(redactor) if log_format == "json" else _TextFormatter(redactor))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The history of the run describes each request better than these loggers do.
    for name in ("httpx2", "httpcore2", "openai", "urllib3"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # The formatter names the run; Temporal would append all its fields to every message.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False


def _temporal_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return Temporal's fields of the workflow or activity that logged, also where a library wrote the record."""
    fields = getattr(record, "temporal_activity", None) or getattr(record, "temporal_workflow", None)
    if fields or not activity.in_activity():
        return fields or {}
    info = activity.info()
    return {
        "workflow_id": info.workflow_id,
        "workflow_run_id": info.workflow_run_id,
        "activity_id": info.activity_id,
        "attempt": info.attempt,
    }
