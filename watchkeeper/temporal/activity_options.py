"""Timeouts, heartbeats and retry policies of all activities.

A change here is safe for open runs: replay does not compare these values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

from watchkeeper.contracts import Briefing, HistoryBounds, ToolSpec

HEARTBEAT_TIMEOUT = timedelta(seconds=2)
"""Every activity sends heartbeats while it runs, so a missing heartbeat means that its worker is dead. If the worker is
only slow, a read is done twice."""

ONCE_HEARTBEAT_TIMEOUT = timedelta(seconds=2.5)
"""For a tool with the effect ``once``, which is never retried: a false alarm makes the outcome of its call unknown."""

HEARTBEATS_PER_TIMEOUT = 3
"""Several, so that one lost heartbeat, or half a second in which a worker cannot send, causes no timeout."""

STICKY_QUEUE_TIMEOUT = timedelta(seconds=1.5)
"""How long a workflow task waits for the worker that has the run in its cache, before any other worker may take it."""

WORKFLOW_TASK_TIMEOUT = timedelta(seconds=2)
"""Start-to-close timeout of a workflow task: how soon another worker takes over from a dead one. A worker without the
run in its cache replays the history within this time; ``HISTORY_BOUNDS`` keeps histories short enough. If that fails,
Temporal gives the fourth attempt five seconds more and the fifth ten."""

CONCURRENT_REPLAYS = 2
"""Workflow tasks that a worker runs at once and that start or replay a run. All of them share one Python interpreter: a
worker that replays many runs at once would finish none of them within ``WORKFLOW_TASK_TIMEOUT``. The other tasks wait
in the task queue."""

CONCURRENT_CACHED_TASKS = 4
"""Workflow tasks that a worker runs at once of runs that it has in its cache. Each takes milliseconds."""

CONCURRENT_ACTIVITIES = 100
"""Activities that a worker runs at once; the SDK's default."""

MODEL_RETRY_LIMIT = timedelta(minutes=15)
"""How long a model may be unreachable before the run ends with a hand-off to people."""

MODEL_ATTEMPTS_PER_PROFILE = 3
"""Attempts with one model profile before the next profile is used."""

REQUESTS_PER_ATTEMPT = 2
"""Requests that one attempt may send: a second one if only a changed request can succeed."""

FIRST_RETRY_DELAY = timedelta(seconds=1)
LONGEST_RETRY_DELAY = timedelta(seconds=60)
"""The delay doubles after each failed attempt up to this limit, unless the host asks for another delay."""

LOST_ATTEMPTS = 6
"""Attempts of a tool call that may be lost with their workers. They are not counted as failures of the tool: Temporal
gives tasks also to a worker whose network is silently cut, and repeats each after ``HEARTBEAT_TIMEOUT``. The number is
limited because a call may be what kills its worker."""

LOST_WORKER_RETRY_DELAY = timedelta(seconds=0.1)
"""Delay after the first attempt that was lost with its worker. No host failed, so there is no reason to wait."""

ATTEMPT_MARGIN = timedelta(seconds=15)
"""Added to an attempt's own deadline, so that the activity reports its timeout before the server does."""

EFFECT_WAIT_LIMIT = timedelta(minutes=5)
"""How long a call with an effect waits for a worker and for its target. After that the model reads that it was not done
and decides again: for example, the service to restart may have recovered."""

_TOO_LARGE = ["PayloadsTooLarge"]
"""A result over Temporal's size limit is the same in every attempt, but the SDK marks the error as retryable. Tools do
not need this: they cap their results, and the list would only make the event of every call longer."""


ENTER_INTERVAL = timedelta(seconds=60)
"""How often a waiting run enters the queue again, because a person may have terminated the queue."""

QUEUE_CHECK_INTERVAL = timedelta(seconds=30)
"""How often a queue with waiting runs checks whether the runs that hold a place are still running."""

HISTORY_BOUNDS = HistoryBounds(event_bytes=170, carried_bytes=1_000_000, bytes=16 * 2**20, events=4_500)
"""Measured: a round of 18 events takes 3,100 bytes plus its messages; replay takes 0.25 to 0.38 ms an event, within
``WORKFLOW_TASK_TIMEOUT``. Temporal's limits: 50 MiB and 51,200 events for a history, 2 MiB for a payload."""


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
        schedule_to_close_timeout=timedelta(seconds=math.ceil(in_all.total_seconds())),  # a fraction takes 12 bytes
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
REVIEW = _options(timedelta(seconds=60), timedelta(hours=1), attempts=5 + LOST_ATTEMPTS)
ENTER = _options(timedelta(seconds=10), timedelta(minutes=1))
LEAVE = _options(timedelta(seconds=10), timedelta(minutes=5))
FIND_GONE = _options(timedelta(seconds=20), timedelta(minutes=1))
DELIVER = _options(timedelta(seconds=60), timedelta(hours=6))
ANNOUNCE = _options(timedelta(seconds=60), timedelta(minutes=5))
ANNOUNCE_LAST = _options(timedelta(seconds=60), timedelta(minutes=1))
"""For the last update of a run's message: until it ends, the group of its alerts can start no other run."""


def approval_options(remaining: timedelta) -> ActivityOptions:
    """Return the options of a notice that a call waits for approval. After the remaining time it has no use."""
    return _options(timedelta(seconds=60), max(remaining, timedelta(seconds=1)))


def model_options(briefing: Briefing, remaining: timedelta) -> ActivityOptions:
    """Return the options of one model call. It ends with the run's remaining time."""
    attempt = timedelta(seconds=briefing.model_deadline) * REQUESTS_PER_ATTEMPT + ATTEMPT_MARGIN
    return _options(attempt, min(MODEL_RETRY_LIMIT, remaining))


def tool_attempt_timeout(spec: ToolSpec) -> timedelta:
    """Return the start-to-close timeout of a tool."""
    return timedelta(seconds=spec.timeout) + ATTEMPT_MARGIN


def tool_options(spec: ToolSpec, remaining: timedelta) -> ActivityOptions:
    """Return the options of one tool call: at least one attempt, and no retry after the run's remaining time.

    The number of attempts and their delays are limited; the activity itself ends after ``spec.attempts`` failures. A
    read waits for a worker while the run has time; a call with an effect waits at most ``EFFECT_WAIT_LIMIT``.
    """
    in_all = (
        remaining
        if spec.effect == "read"
        else min(remaining, tool_attempt_timeout(spec) * spec.attempts + EFFECT_WAIT_LIMIT)
    )
    in_all = max(tool_attempt_timeout(spec), in_all)
    once = spec.effect == "once"
    return _options(
        tool_attempt_timeout(spec),
        in_all,
        attempts=1 if once else spec.attempts + LOST_ATTEMPTS,
        heartbeat=ONCE_HEARTBEAT_TIMEOUT if once else HEARTBEAT_TIMEOUT,
        never_retried=None,
    )


def profile_index(attempt: int, profiles: Sequence[object]) -> int:
    """Return the index of the profile that an attempt (from 1) starts with. After the last profile comes the first."""
    return (attempt - 1) // MODEL_ATTEMPTS_PER_PROFILE % len(profiles)


def backoff(attempt: int) -> timedelta:
    """Return the delay after a failed attempt (from 1)."""
    return min(LONGEST_RETRY_DELAY, FIRST_RETRY_DELAY * (1 << min(attempt - 1, 10)))


def model_retry_delay(attempt: int, profiles: Sequence[object], requested: timedelta | None) -> timedelta:
    """Return the delay after a failed attempt (from 1) of a model call.

    ``requested`` is the delay that the host asked for. It may be shorter than ours until each profile had its attempts;
    after that, a short delay is not credible.
    """
    if requested is None:
        return backoff(attempt)
    if attempt <= MODEL_ATTEMPTS_PER_PROFILE * len(profiles):
        return requested
    return max(requested, backoff(attempt))
