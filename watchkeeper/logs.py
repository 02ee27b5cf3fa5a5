"""The log of a process, on stderr: one line an event, whatever happened."""

from __future__ import annotations

import logging
import sys

from temporalio import activity, workflow

from watchkeeper.terminal import visible
from watchkeeper.text import error_text


class _OneLine(logging.Formatter):
    """Says which run and which call a line is about, and what an error says rather than where it was raised.

    The stack stands in the run's history, where it is looked for.
    """

    def format(self, record: logging.LogRecord) -> str:
        about = getattr(record, "temporal_activity", None) or getattr(record, "temporal_workflow", None) or {}
        ids = [about[name] for name in ("workflow_id", "activity_id") if about.get(name)]
        said = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            said = f"{said}: {error_text(record.exc_info[1])}"
        line = " ".join([self.formatTime(record, "%H:%M:%S"), record.levelname.lower(), *ids, said])
        return visible(" ".join(line.split()))


def log_to_stderr(level: int) -> None:
    """Log from ``level`` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Each request of a client says nothing that the history does not say better.
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # The formatter names the run; Temporal would append all it knows of it to every message.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
