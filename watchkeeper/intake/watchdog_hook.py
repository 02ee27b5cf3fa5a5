"""Having the watchdog know of every alert that Temporal took, and of those that it could not take."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.source import Received, Source
from watchkeeper.alerts.start_filter import why_not
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Alert
from watchkeeper.intake.dependencies import Admit
from watchkeeper.runs.dispatch import Admitted, Closing, given_of
from watchkeeper.temporal.client import TemporalError
from watchkeeper.watchdog.models import Refusal
from watchkeeper.watchdog.watchdog import Watchdog


def watched(admit: Admit, watchdog: Watchdog) -> Admit:
    """Return an ``admit`` that answers when the watchdog has it in its journal, too."""

    async def admit_watched(
        client: Client, settings: Settings, source: Source[Any], received: Received, at: float
    ) -> Sequence[Admitted]:
        try:
            admitted = await admit(client, settings, source, received, at)
        except (RPCError, Closing, TemporalError, asyncio.CancelledError):  # cancelled as its time is over
            for refusal in refusals(settings, source, received):
                await watchdog.refused(refusal)
            raise
        for one in admitted:
            await watchdog.accepted(one)
        return admitted

    return admit_watched


def refusals(settings: Settings, source: Source[Any], received: Received) -> list[Refusal]:
    """Name the groups that would have started a run."""
    groups: dict[str, list[Alert]] = {}
    for alert in received.alerts:
        if why_not(alert, source.section) is None:
            groups.setdefault(workflow_id(alert), []).append(alert)
    found: list[Refusal] = []
    for run, alerts in groups.items():
        given = given_of(settings, source, alerts)
        team = given.origin.team if given.origin else None
        found.append(Refusal(run, given.text, service=given.service, team=team, severity=given.severity))
    return found
