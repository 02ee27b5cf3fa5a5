"""The interceptor that observes activity attempts, and exports a span before Temporal records the result."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from watchkeeper.telemetry import span_ids
from watchkeeper.telemetry.activity_attempt import FinishedAttempt
from watchkeeper.telemetry.activity_context import CURRENT_ATTEMPT, AttemptContext
from watchkeeper.telemetry.metrics_recorder import MetricsRecorder
from watchkeeper.telemetry.run_lookup import RunLookup

if TYPE_CHECKING:
    from watchkeeper.telemetry.span_recorder import SpanRecorder

OBSERVED_WORKFLOWS = frozenset({"IncidentWorkflow", "DeliveryWorkflow"})
"""Only their activities are observed. The queues of the teams belong to no run."""

LOOKUP_SECONDS = 2.0
"""Time limit to look up the run of an attempt. A server that is this slow records no results either."""


class TelemetryInterceptor(Interceptor):
    """Records metrics and spans of a worker's activities; each is None if it is off."""

    def __init__(self, runs: RunLookup, metrics: MetricsRecorder | None, spans: SpanRecorder | None) -> None:
        self._runs = runs
        self._metrics = metrics
        self._spans = spans

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity of the worker."""
        return _ActivityTelemetry(next, self._runs, self._metrics, self._spans)


class _ActivityTelemetry(ActivityInboundInterceptor):
    def __init__(
        self,
        next: ActivityInboundInterceptor,
        runs: RunLookup,
        metrics: MetricsRecorder | None,
        spans: SpanRecorder | None,
    ) -> None:
        super().__init__(next)
        self._runs = runs
        self._metrics = metrics
        self._spans = spans

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info, argument = activity.info(), input.args[0] if input.args else None
        if info.workflow_type not in OBSERVED_WORKFLOWS:
            return await self.next.execute_activity(input)
        run_id, context, started = info.workflow_run_id or "", AttemptContext(), time.time_ns()
        context.span_id = span_ids.attempt_id(run_id, info.activity_id, info.scheduled_time, info.attempt)
        CURRENT_ATTEMPT.set(context)
        if self._spans is not None:
            _set_run(context, self._runs.known(argument, info))
        lookup = asyncio.create_task(self._look_up(info, context))
        try:
            with self._spans.as_current(context) if self._spans is not None else nullcontext():
                result = await self.next.execute_activity(input)
        except BaseException as error:
            await self._record(FinishedAttempt(info, argument, None, error, context, started, time.time_ns()), lookup)
            raise
        await self._record(FinishedAttempt(info, argument, result, None, context, started, time.time_ns()), lookup)
        return result

    async def _look_up(self, info: activity.Info, context: AttemptContext) -> None:
        """Look up the run of an attempt, and for its first model request, the time since the run started."""
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(LOOKUP_SECONDS):
                if self._spans is not None and not context.run:
                    _set_run(context, (await self._runs.of(info)).run)
                if self._metrics is not None and (info.activity_id, info.attempt) == ("r1", 1):
                    self._metrics.record_first_request(started_at=(await self._runs.of(info)).started_at)

    async def _record(self, attempt: FinishedAttempt, lookup: asyncio.Task[None]) -> None:
        if self._metrics is not None:
            self._metrics.record(attempt)
        await lookup
        if self._spans is not None and attempt.context.run:
            await self._spans.record(attempt)


def _set_run(context: AttemptContext, run: str) -> None:
    context.run, context.trace_id = run, span_ids.trace_id(run) if run else 0
