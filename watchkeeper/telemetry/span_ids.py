"""The ids of traces and spans, made of what Temporal knows a step by.

So a run is one trace over all its executions and workers, and a step that is told twice is the same span.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

_TRACE_BYTES, _SPAN_BYTES = 16, 8


def trace_id(run: str) -> int:
    """Name the trace of a run, given its first execution run id."""
    return _number(_TRACE_BYTES, run)


def root_id(run: str) -> int:
    """Name the span of a run's investigation, which is there once it has reported."""
    return _number(_SPAN_BYTES, run, "investigation")


def follow_up_id(run: str, number: int) -> int:
    """Name the span of a follow-up, counted from 1."""
    return _number(_SPAN_BYTES, run, "follow-up", str(number))


def attempt_id(run_id: str, activity_id: str, scheduled_at: datetime, attempt: int) -> int:
    """Name the span of one attempt of an activity of one execution.

    An execution may use an activity id again, as for a question that is asked anew: it was scheduled at another time.
    """
    return _number(_SPAN_BYTES, run_id, activity_id, f"{scheduled_at.timestamp():.6f}", str(attempt))


def _number(size: int, *parts: str) -> int:
    """Make a number of a size in bytes; 0 means "none" to OpenTelemetry."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=size).digest()) or 1
