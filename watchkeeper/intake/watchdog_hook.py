"""Report every dispatched alert, and every alert that Temporal refused, to the watchdog."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Alert
from watchkeeper.intake.dependencies import DispatchAlerts
from watchkeeper.runs.dispatch import DispatchResult, RunClosing, alert_run_input
from watchkeeper.temporal.client import TemporalError
from watchkeeper.watchdog.models import RefusedGroup
from watchkeeper.watchdog.watchdog import Watchdog


def with_watchdog(dispatch: DispatchAlerts, watchdog: Watchdog) -> DispatchAlerts:
    """Wrap ``dispatch`` so that it returns only after the watchdog has written the result to its journal.

    The wrapped function takes one group at a time: what Temporal says of one is not true of others.
    """

    async def dispatch_and_record(
        client: Client, settings: Settings, source: Source[Any], payload: ParsedPayload, received_at: float
    ) -> Sequence[DispatchResult]:
        try:
            results = await dispatch(client, settings, source, payload, received_at)
        except (RPCError, RunClosing, TemporalError, asyncio.CancelledError) as error:  # cancelled by its timeout
            for group in refused_groups(settings, source, payload):
                await watchdog.record_refused(replace(group, closing=isinstance(error, RunClosing)))
            raise
        for result in results:
            await watchdog.record_accepted(result)
        return results

    return dispatch_and_record


class WatchedRefusals:
    """Notes alerts that were not accepted in the watchdog."""

    def __init__(self, settings: Settings, watchdog: Watchdog) -> None:
        self._settings = settings
        self._watchdog = watchdog

    async def note_group(self, source: Source[Any], payload: ParsedPayload, *, closing: bool) -> None:
        """Watch a group until Temporal accepts it."""
        for group in refused_groups(self._settings, source, payload):
            await self._watchdog.record_refused(replace(group, closing=closing))

    async def note_body(self, source: Source[Any], problem: str) -> None:
        """Page for a body that will not be sent again."""
        await self._watchdog.record_refused_body(source.name, problem)


def refused_groups(settings: Settings, source: Source[Any], payload: ParsedPayload) -> list[RefusedGroup]:
    """Return the groups that would have started a run."""
    groups: dict[str, list[Alert]] = {}
    for alert in payload.alerts:
        if reason_not_to_start(alert, source.section) is None:
            groups.setdefault(workflow_id(alert), []).append(alert)
    refused: list[RefusedGroup] = []
    for run, alerts in groups.items():
        run_input = alert_run_input(settings, source, alerts)
        team = run_input.origin.team if run_input.origin else None
        group = RefusedGroup(run, run_input.text, service=run_input.service, team=team, severity=run_input.severity)
        refused.append(group)
    return refused
