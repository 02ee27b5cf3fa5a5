"""Having the watchdog know of every alert that Temporal took, and of those that it could not take."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
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


def with_watchdog(admit: DispatchAlerts, watchdog: Watchdog) -> DispatchAlerts:
    """Return an ``admit`` that answers when the watchdog has it in its journal, too."""

    async def admit_watched(
        client: Client, settings: Settings, source: Source[Any], received: ParsedPayload, at: float
    ) -> Sequence[DispatchResult]:
        try:
            admitted = await admit(client, settings, source, received, at)
        except (RPCError, RunClosing, TemporalError, asyncio.CancelledError):  # cancelled as its time is over
            for refusal in refused_groups(settings, source, received):
                await watchdog.refused(refusal)
            raise
        for one in admitted:
            await watchdog.accepted(one)
        return admitted

    return admit_watched


def refused_groups(settings: Settings, source: Source[Any], received: ParsedPayload) -> list[RefusedGroup]:
    """Name the groups that would have started a run."""
    groups: dict[str, list[Alert]] = {}
    for alert in received.alerts:
        if reason_not_to_start(alert, source.section) is None:
            groups.setdefault(workflow_id(alert), []).append(alert)
    found: list[RefusedGroup] = []
    for run, alerts in groups.items():
        given = alert_run_input(settings, source, alerts)
        team = given.origin.team if given.origin else None
        found.append(RefusedGroup(run, given.text, service=given.service, team=team, severity=given.severity))
    return found
