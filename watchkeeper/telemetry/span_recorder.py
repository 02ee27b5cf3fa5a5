"""Telling of the attempts of a run as spans, and of its investigation once it is reported."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress

from temporalio.converter import decode_typed_search_attributes
from temporalio.service import RPCError

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.telemetry import semconv, spans
from watchkeeper.telemetry.activity_attempt import Step
from watchkeeper.telemetry.content_capture import Content
from watchkeeper.telemetry.providers import server_of
from watchkeeper.telemetry.run_lookup import Runs
from watchkeeper.telemetry.tracer import Tracing, Value
from watchkeeper.temporal import search_attributes

PATIENCE = 2.0
"""Seconds to ask Temporal since when a run goes on."""


class Telling:
    """Tells of one worker's attempts."""

    def __init__(self, tracing: Tracing, runs: Runs, settings: Settings, content: Content) -> None:
        self._tracing = tracing
        self._runs = runs
        self._content = content
        self._agent: Mapping[str, Value] = {
            semconv.PROVIDER: server_of(settings.model.base_url).provider,
            semconv.REQUEST_MODEL: settings.model.name,
        }

    async def tell(self, step: Step) -> None:
        """Tell of an attempt that is over. Its report is written to the log exactly once, so that ends the tree."""
        await self._tracing.tell(spans.span_of(step, self._content))
        given = step.given
        if step.error is None and isinstance(given, ReportDelivery) and given.destination == "log":
            await self._tell_of_investigation(step, given)

    async def _tell_of_investigation(self, step: Step, delivery: ReportDelivery) -> None:
        info, at, found = step.info, math.inf, dict[str, Value]()
        with suppress(RPCError, TimeoutError):  # it is told all the same, as a moment
            async with asyncio.timeout(PATIENCE):
                at = (await self._runs.of(info)).at
                found = await self._found(info.workflow_id or "", info.workflow_run_id or "")
        more = {**self._agent, **({} if delivery.follow_up else found), **self._content.of_report(delivery)}
        await self._tracing.tell(spans.investigation(step, delivery, at, more))

    async def _found(self, workflow_id: str, run_id: str) -> dict[str, Value]:
        """Return what a run's search attributes say of its use. Raises RPCError."""
        described = await self._runs.describe(workflow_id, run_id)
        known = decode_typed_search_attributes(described.search_attributes)
        found: dict[str, Value | None] = {
            semconv.ROUNDS: known.get(search_attributes.ROUNDS),
            semconv.COST: known.get(search_attributes.COST_USD),
        }
        return {name: value for name, value in found.items() if value is not None}
