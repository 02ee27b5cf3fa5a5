"""Exports the attempts of a run as spans, and the root span when the run has reported."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

from temporalio.converter import decode_typed_search_attributes
from temporalio.service import RPCError

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.telemetry import semconv, spans
from watchkeeper.telemetry.activity_attempt import FinishedAttempt
from watchkeeper.telemetry.activity_context import AttemptContext
from watchkeeper.telemetry.content_capture import ContentCapture
from watchkeeper.telemetry.providers import model_server
from watchkeeper.telemetry.run_lookup import RunLookup
from watchkeeper.telemetry.tracer import AttributeValue, RunTracer
from watchkeeper.temporal import search_attributes

LOOKUP_SECONDS = 2.0
"""Time limit to look up the start time and the search attributes of a run."""


class SpanRecorder:
    """Exports the spans of one worker."""

    def __init__(self, tracer: RunTracer, runs: RunLookup, settings: Settings, content: ContentCapture) -> None:
        self._tracer = tracer
        self._runs = runs
        self._content = content
        self._agent: Mapping[str, AttributeValue] = {
            semconv.PROVIDER: model_server(settings.model.base_url).provider,
            semconv.REQUEST_MODEL: settings.model.name,
        }

    def as_current(self, context: AttemptContext) -> AbstractContextManager[None]:
        """Make the span of an attempt the parent of the spans that instrumentations of other packages start."""
        return self._tracer.as_current(context.trace_id, context.span_id) if context.trace_id else nullcontext()

    async def record(self, attempt: FinishedAttempt) -> None:
        """Export the span of an attempt. Every report is logged exactly once, so that ends the investigation's span."""
        await self._tracer.export(spans.attempt_span(attempt, self._content))
        delivery = attempt.argument
        if attempt.error is None and isinstance(delivery, ReportDelivery) and delivery.destination == "log":
            await self._record_investigation(attempt, delivery)

    async def _record_investigation(self, attempt: FinishedAttempt, delivery: ReportDelivery) -> None:
        run_started, totals = math.inf, dict[str, AttributeValue]()
        is_late = attempt.info.workflow_id != delivery.workflow_id  # then another workflow delivers it
        execution = delivery.run if is_late else attempt.info.workflow_run_id or ""
        with suppress(RPCError, TimeoutError):  # without an answer, the span has no duration and no totals
            async with asyncio.timeout(LOOKUP_SECONDS):
                run_started = (await self._runs.of_execution(delivery.workflow_id, execution)).started_at
                if not is_late:  # otherwise it is unknown which execution of the run was the last one
                    totals = await self._totals(delivery.workflow_id, execution)
        more = {**self._agent, **({} if delivery.follow_up else totals), **self._content.of_report(delivery)}
        await self._tracer.export(spans.investigation_span(attempt, delivery, run_started, more))

    async def _totals(self, workflow_id: str, run_id: str) -> dict[str, AttributeValue]:
        """Return rounds and cost of a run, from its search attributes. Raises RPCError."""
        execution = await self._runs.describe(workflow_id, run_id)
        known = decode_typed_search_attributes(execution.search_attributes)
        totals: dict[str, AttributeValue | None] = {
            semconv.ROUNDS: known.get(search_attributes.ROUNDS),
            semconv.COST: known.get(search_attributes.COST_USD),
        }
        return {name: value for name, value in totals.items() if value is not None}
