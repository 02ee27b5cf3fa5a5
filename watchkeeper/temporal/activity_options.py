"""Timeouts, heartbeats and retry policies of every activity, as data.

A change here replays: the server keeps what was scheduled, and histories do not compare these values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

from watchkeeper.contracts import Briefing, HistoryBounds, ToolSpec

HEARTBEAT_TIMEOUT = timedelta(seconds=2)
"""An activity beats from entry to exit, so a silence of this length means that its worker is gone. Where it is not, a
question is asked twice."""

ONCE_HEARTBEAT_TIMEOUT = timedelta(seconds=2.5)
"""Likewise for a tool that is never tried again: there, a mistake makes an effect one that nobody can vouch for."""

HEARTBEATS_PER_TIMEOUT = 3
"""So that the loss of one beat, or half a second in which a worker cannot send, is no silence."""

STICKY_QUEUE_TIMEOUT = timedelta(seconds=1.5)
"""How long a run waits for the worker that holds it before any other may replay it."""

WORKFLOW_TASK_TIMEOUT = timedelta(seconds=2)
"""Start-to-close timeout of a workflow task: how soon another worker takes over from a dead one. A worker without the
run in its cache replays the history within this time; ``HISTORY_BOUNDS`` keeps histories short enough. If that fails,
Temporal gives the fourth attempt five seconds more and the fifth ten."""

CONCURRENT_WORKFLOW_TASKS = 2
"""Workflow tasks that a worker runs at once. All of them share one Python interpreter: a worker that replays many runs
at once would finish none of them within ``WORKFLOW_TASK_TIMEOUT``. The other tasks wait in the task queue."""

MODEL_RETRY_LIMIT = timedelta(minutes=15)
"""How long a model may be out of reach before the run is handed to people."""

MODEL_ATTEMPTS_PER_PROFILE = 3
"""Attempts before the next model profile is asked."""

REQUESTS_PER_ATTEMPT = 2
"""How often one attempt may ask a model that takes its time: once more where only a changed request can help."""

FIRST_RETRY_DELAY = timedelta(seconds=1)
LONGEST_RETRY_DELAY = timedelta(seconds=60)
"""After an attempt that failed, doubling from the one to the other, unless the host asks for another pause."""

LOST_WORKER_RETRY_DELAY = timedelta(seconds=0.1)
"""After the first attempt that was lost with its worker: no host is in trouble, so there is nothing to wait for."""

ATTEMPT_MARGIN = timedelta(seconds=15)
"""What an attempt gets beyond its own deadline, so that the activity, not the server, says what happened."""

EFFECT_WAIT_LIMIT = timedelta(minutes=5)
"""How long a decision to act waits for a worker and for its target. After that the model is told that it was not done,
and decides anew: the service that was to be restarted may have recovered by itself."""

_TOO_LARGE = ["PayloadsTooLarge"]
"""A result over Temporal's size limit stays so, but the SDK marks it retryable. Tools cap theirs: there the list would
stand in the event of every call for nothing."""


ENTER_INTERVAL = timedelta(seconds=60)
"""How often a run that waits for its turn says so again: someone may have ended the queue by hand."""

QUEUE_CHECK_INTERVAL = timedelta(seconds=30)
"""How often a queue in which somebody waits looks whether those who hold a place still live."""

HISTORY_BOUNDS = HistoryBounds(event_bytes=170, carried_bytes=1_000_000, bytes=16 * 2**20, events=4_500)
"""Measured: 3,100 bytes a round of 18 events beside its messages; 0.25 to 0.38 ms to replay an event, for which a
workflow task has ``WORKFLOW_TASK_TIMEOUT``. Temporal ends a history at 50 MiB or 51,200 events, a payload at 2 MiB."""


class ActivityOptions(TypedDict):
    """Keyword arguments of ``workflow.execute_activity``."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


def _options(
    attempt: timedelta,
    in_all: timedelta,
    *,
    attempts: int = 0,
    heartbeat: timedelta = HEARTBEAT_TIMEOUT,
    never_retried: Sequence[str] | None = _TOO_LARGE,
) -> ActivityOptions:
    return ActivityOptions(
        start_to_close_timeout=attempt,
        schedule_to_close_timeout=in_all,
        heartbeat_timeout=heartbeat,
        retry_policy=RetryPolicy(
            initial_interval=LOST_WORKER_RETRY_DELAY,
            maximum_interval=LONGEST_RETRY_DELAY,
            maximum_attempts=attempts,
            non_retryable_error_types=never_retried,
        ),
    )


BRIEF = _options(timedelta(seconds=30), timedelta(hours=1))
CARRY = _options(timedelta(seconds=60), timedelta(hours=1))
ENTER = _options(timedelta(seconds=10), timedelta(minutes=1))
LEAVE = _options(timedelta(seconds=10), timedelta(minutes=5))
FIND_GONE = _options(timedelta(seconds=20), timedelta(minutes=1))
DELIVER = _options(timedelta(seconds=60), timedelta(hours=6))
ANNOUNCE = _options(timedelta(seconds=60), timedelta(minutes=5))


def model_options(briefing: Briefing, remaining: timedelta) -> ActivityOptions:
    """Options of one model call, which never outlasts what remains of the run."""
    attempt = timedelta(seconds=briefing.model_deadline) * REQUESTS_PER_ATTEMPT + ATTEMPT_MARGIN
    return _options(attempt, min(MODEL_RETRY_LIMIT, remaining))


def tool_attempt_timeout(spec: ToolSpec) -> timedelta:
    """How long one attempt of a tool may take."""
    return timedelta(seconds=spec.timeout) + ATTEMPT_MARGIN


def tool_options(spec: ToolSpec, remaining: timedelta) -> ActivityOptions:
    """Options of one tool call: at least one attempt, and no further one when the run's time is over.

    Its attempts and their pauses are bounded. A question waits for a worker as long as the run has time, an effect only
    while what was decided still stands.
    """
    in_all = (
        remaining
        if spec.effect == "read"
        else min(remaining, tool_attempt_timeout(spec) * spec.attempts + EFFECT_WAIT_LIMIT)
    )
    in_all = max(tool_attempt_timeout(spec), in_all)
    heartbeat = ONCE_HEARTBEAT_TIMEOUT if spec.effect == "once" else HEARTBEAT_TIMEOUT
    return _options(tool_attempt_timeout(spec), in_all, attempts=spec.attempts, heartbeat=heartbeat, never_retried=None)


def profile_index(attempt: int, profiles: Sequence[object]) -> int:
    """Position of the model profile that an attempt (from 1) begins with; after the last one it is the first's turn."""
    return (attempt - 1) // MODEL_ATTEMPTS_PER_PROFILE % len(profiles)


def backoff(attempt: int) -> timedelta:
    """Pause after an attempt (from 1) that failed."""
    return min(LONGEST_RETRY_DELAY, FIRST_RETRY_DELAY * (1 << min(attempt - 1, 10)))


def model_retry_delay(attempt: int, profiles: Sequence[object], asked: timedelta | None) -> timedelta:
    """Pause after a failed attempt (from 1) to ask a model; ``asked``: what the host asks for.

    A host may shorten it, but not for ever: where a whole turn of the profiles got no answer, "come back in a second"
    is no news of the outage.
    """
    if asked is None:
        return backoff(attempt)
    if attempt <= MODEL_ATTEMPTS_PER_PROFILE * len(profiles):
        return asked
    return max(asked, backoff(attempt))
