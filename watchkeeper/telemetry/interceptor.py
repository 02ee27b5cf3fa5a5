"""Watching every attempt of an activity of a run, and telling of it before its step is recorded."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from watchkeeper.telemetry import span_ids
from watchkeeper.telemetry.activity_attempt import Step
from watchkeeper.telemetry.activity_context import CURRENT, Attempt
from watchkeeper.telemetry.metrics_recorder import MetricsRecorder
from watchkeeper.telemetry.run_lookup import Runs

if TYPE_CHECKING:
    from watchkeeper.telemetry.span_recorder import Telling

RUN = "IncidentWorkflow"
"""The type of workflow whose activities are watched: the queues of the teams belong to no run."""

PATIENCE = 2.0
"""Seconds that an attempt waits to learn its run. A server that says nothing for so long records nothing either."""


class Observing(Interceptor):
    """Counts and traces the activities of a worker."""

    def __init__(self, runs: Runs, metrics: MetricsRecorder | None, telling: Telling | None) -> None:
        self._runs = runs
        self._metrics = metrics
        self._telling = telling

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity of the worker."""
        return _Observed(next, self._runs, self._metrics, self._telling)


class _Observed(ActivityInboundInterceptor):
    def __init__(
        self, next: ActivityInboundInterceptor, runs: Runs, metrics: MetricsRecorder | None, telling: Telling | None
    ) -> None:
        super().__init__(next)
        self._runs = runs
        self._metrics = metrics
        self._telling = telling

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info, given = activity.info(), input.args[0] if input.args else None
        if info.workflow_type != RUN:
            return await self.next.execute_activity(input)
        run_id, attempt, began = info.workflow_run_id or "", Attempt(), time.time_ns()
        attempt.span_id = span_ids.attempt_id(run_id, info.activity_id, info.scheduled_time, info.attempt)
        CURRENT.set(attempt)
        if self._telling is not None:
            _belongs(attempt, self._runs.known(given, info))
        knowing = asyncio.create_task(self._know(info, attempt))
        try:
            result = await self.next.execute_activity(input)
        except BaseException as error:
            await self._over(Step(info, given, None, error, attempt, began, time.time_ns()), knowing)
            raise
        await self._over(Step(info, given, result, None, attempt, began, time.time_ns()), knowing)
        return result

    async def _know(self, info: activity.Info, attempt: Attempt) -> None:
        """Learn which run an attempt belongs to, and how long that waited for its first question if this is it."""
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                if self._telling is not None and not attempt.run:
                    _belongs(attempt, (await self._runs.of(info)).run)
                if self._metrics is not None and (info.activity_id, info.attempt) == ("r1", 1):
                    self._metrics.record_first_request(started_at=(await self._runs.of(info)).at)

    async def _over(self, step: Step, knowing: asyncio.Task[None]) -> None:
        if self._metrics is not None:
            self._metrics.record(step)
        await knowing
        if self._telling is not None and step.attempt.run:
            await self._telling.tell(step)


def _belongs(attempt: Attempt, run: str) -> None:
    attempt.run, attempt.trace_id = run, span_ids.trace_id(run) if run else 0
