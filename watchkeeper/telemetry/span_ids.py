"""Trace and span ids, derived from run id, activity id and attempt.

A run is one trace across executions and workers, and a span that is exported twice has the same id.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

_TRACE_BYTES, _SPAN_BYTES = 16, 8


def trace_id(run: str) -> int:
    """Return the trace id of a run, by its first execution run id."""
    return _hash(_TRACE_BYTES, run)


def root_id(run: str) -> int:
    """Return the id of a run's root span, which is exported with its report."""
    return _hash(_SPAN_BYTES, run, "investigation")


def follow_up_id(run: str, number: int) -> int:
    """Return the id of the span of a follow-up, counted from 1."""
    return _hash(_SPAN_BYTES, run, "follow-up", str(number))


def attempt_id(run_id: str, activity_id: str, scheduled_at: datetime, attempt: int) -> int:
    """Return the id of the span of one attempt of an activity of one execution.

    An execution may use an activity id again, for example to repeat a model request, but not at the same time.
    """
    return _hash(_SPAN_BYTES, run_id, activity_id, f"{scheduled_at.timestamp():.6f}", str(attempt))


def _hash(size: int, *parts: str) -> int:
    """Return a hash of ``size`` bytes; never 0, which is an invalid id in OpenTelemetry."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=size).digest()) or 1
